"""Circuits with random delays and extra projections, and an independent account of when things happen in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import strategies as st

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Mirror, Noise, Plasticity, Projection
from circuitsim.circuits.autoencoder import RULES, TOP_RULES, circular_autoencoder
from circuitsim.circuits.classifier import FEEDBACK, KNOWN, PRIMITIVES, layered_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.hooks import Hook
from circuitsim.rules import delta, recirculation
from circuitsim.timetable.protocol import Protocol

SIZES = {1: (5, 5), 2: (5, 3, 5), 3: (5, 4, 3, 5), 4: (5, 4, 2, 3, 5)}
INPUTS, CLASSES = 5, 3
Drawn = tuple[Circuit, Protocol]


def circuits(deepest: int = 4, longest: int = 5) -> st.SearchStrategy[Drawn]:
    """A circuit of any kind whose projections have delays of their own, with skip projections where there can be."""
    return st.one_of(autoencoders(deepest, longest), classifiers(deepest, longest), stacks(deepest, longest))


@st.composite
def autoencoders(draw: st.DrawFn, deepest: int = 4, longest: int = 5) -> Drawn:
    """A circular autoencoder of any rule."""
    depth, rule = draw(st.integers(1, deepest)), draw(st.sampled_from(RULES))
    cycles = draw(st.integers(1, 3))
    circuit, protocol = circular_autoencoder(
        SIZES[depth], rule, cycles=cycles, reference_cycle=draw(st.integers(0, cycles - 1)),
        top_rule=draw(st.sampled_from(TOP_RULES)), bias=draw(st.booleans()), bounded=draw(st.booleans()),
    )  # fmt: skip
    projections = [*slowed(draw, circuit, longest), *skips(draw, depth, longest)]
    plasticity = list(circuit.plasticity)
    for q in projections:
        if q.name.startswith("skip") and protocol.cycles and q.target != f"layer{depth}" and draw(st.booleans()):
            plasticity.append(Plasticity(q.name, recirculation.bind(n=0, m=protocol.cycles)))
    made = replace(circuit, projections=tuple(projections), plasticity=tuple(plasticity))
    return made, read_out(draw, made, protocol)


@st.composite
def classifiers(draw: st.DrawFn, deepest: int = 4, longest: int = 5) -> Drawn:
    """A classifier of any feedback, with mirrors or primitives where it has them."""
    depth, feedback = draw(st.integers(1, deepest)), draw(st.sampled_from(FEEDBACK))
    some = st.lists(st.sampled_from(KNOWN), min_size=1, unique=True)
    mirror = Mirror("", draw(st.sampled_from(Noise)), draw(st.booleans()), draw(st.booleans()))
    circuit, protocol = layered_classifier(
        (*SIZES[depth][:-1], CLASSES), feedback, loss=draw(st.sampled_from(["error", "hinge"])), mirror=mirror,
        hidden=draw(st.sampled_from(["tanh", "relu"])), output=draw(st.sampled_from(["softmax", "identity"])),
        bias=draw(st.booleans()), bounded=draw(st.booleans()), passes=draw(st.integers(0, 2)),
        primitives=draw(st.none() | some) if feedback in PRIMITIVES else None,
    )  # fmt: skip
    added = skips(draw, depth, longest)
    learning = [
        Plasticity(q.name, delta, post=q.target.replace("layer", "error")) for q in added if draw(st.booleans())
    ]
    projections, plasticity = (*slowed(draw, circuit, longest), *added), (*circuit.plasticity, *learning)
    made = replace(circuit, projections=projections, plasticity=plasticity)
    return made, read_out(draw, made, protocol)


@st.composite
def stacks(draw: st.DrawFn, deepest: int = 4, longest: int = 5) -> Drawn:
    """A stack of autoencoders."""
    circuit, protocol = stacked_autoencoders(SIZES[deepest][: draw(st.integers(2, deepest))], bias=draw(st.booleans()))
    made = replace(circuit, projections=tuple(slowed(draw, circuit, longest)))
    return made, read_out(draw, made, protocol)


def slowed(draw: st.DrawFn, circuit: Circuit, longest: int) -> list[Projection]:
    """The circuit's projections, each with a delay of its own."""
    return [replace(q, delay=draw(st.integers(1, longest))) for q in circuit.projections]


def skips(draw: st.DrawFn, depth: int, longest: int) -> list[Projection]:
    """Projections from any layer to any higher one."""
    found = []
    for k in range(draw(st.integers(0, 3))):
        source = draw(st.integers(0, depth - 1))
        target = draw(st.integers(source + 1, depth))
        delay = draw(st.integers(1, longest))
        found.append(Projection(f"skip{k}", f"layer{source}", f"layer{target}", delay, draw(st.booleans())))
    return found


def read_out(draw: st.DrawFn, circuit: Circuit, protocol: Protocol) -> Protocol:
    return replace(protocol, readouts=((circuit.outputs, "S", 0),) if draw(st.booleans()) else ())


def idle(tensors: Mapping[str, np.ndarray]) -> None:
    """A hook that does nothing."""


def idle_hooks() -> st.SearchStrategy[list[Hook]]:
    """Hooks that do nothing, after any phases."""
    names = [str(phase.NAME) for phase in phases.PHASES]
    return st.lists(st.builds(Hook, st.just(idle), after=st.sampled_from(names)), max_size=3)


def presented(circuit: Circuit) -> list[Plasticity]:
    """The plasticity that takes part in presentations."""
    return [p for p in circuit.plasticity if not p.mirror]


def firings(circuit: Circuit, protocol: Protocol) -> dict[tuple[str, int], int]:
    """The tick at which each population fires in each cycle: when the last of its causes has come."""

    @cache
    def fires(name: str, cycle: int) -> int | None:
        """None: it never does."""
        if cycle == 0 and name in (circuit.inputs, circuit.labels):
            return 0
        if cycle > (0 if circuit.population(name).feedback else protocol.cycles):
            return None
        causes = [(q.source, cycle, q.delay) for q in circuit.projections if q.target == name]
        for x in circuit.exchanges:
            if x.target == name and x.carries not in ((Carries.INPUT,) if cycle else RECIRCULATES):
                causes.append((x.source, cycle - (x.carries in RECIRCULATES), 0))
        ticks = [(fires(source, c), delay) for source, c, delay in causes]
        if not ticks or any(tick is None for tick, _ in ticks):
            return None
        return max(tick + delay for tick, delay in ticks if tick is not None)

    every = {(p.name, c): fires(p.name, c) for p in circuit.populations for c in range(protocol.cycles + 1)}
    return {key: tick for key, tick in every.items() if tick is not None}
