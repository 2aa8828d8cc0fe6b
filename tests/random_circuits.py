"""Circuits with random delays and extra projections, and an independent account of when things happen in them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from circuits.autoencoder import RULES, TOP_RULES, circular_autoencoder
from circuitsim.graph import RECIRCULATES, Circuit, Plasticity, Projection
from circuitsim.rules import recirculation
from circuitsim.schedule import Protocol

SIZES = {1: (5, 5), 2: (5, 3, 5), 3: (5, 4, 3, 5), 4: (5, 4, 2, 3, 5)}


@st.composite
def circuits(draw: st.DrawFn, deepest: int = 4, longest: int = 5) -> tuple[Circuit, Protocol]:
    """A circular autoencoder of any rule whose projections have delays of their own, with skip projections."""
    depth, rule = draw(st.integers(1, deepest)), draw(st.sampled_from(RULES))
    cycles = draw(st.integers(1, 3))
    circuit, protocol = circular_autoencoder(
        SIZES[depth], rule, cycles=cycles, reference_cycle=draw(st.integers(0, cycles - 1)),
        top_rule=draw(st.sampled_from(TOP_RULES)), bias=draw(st.booleans()), bounded=draw(st.booleans()),
    )  # fmt: skip
    delays = st.integers(1, longest)
    projections = [replace(q, delay=draw(delays)) for q in circuit.projections]
    for k in range(draw(st.integers(0, 3))):
        source = draw(st.integers(0, depth - 1))
        target = draw(st.integers(source + 1, depth))
        projections.append(
            Projection(f"skip{k}", f"layer{source}", f"layer{target}", draw(delays), draw(st.booleans()))
        )
    plasticity = list(circuit.plasticity)
    for q in projections:
        if q.name.startswith("skip") and protocol.cycles and q.target != f"layer{depth}" and draw(st.booleans()):
            plasticity.append(Plasticity(q.name, recirculation.bind(n=0, m=protocol.cycles)))
    made = replace(circuit, projections=tuple(projections), plasticity=tuple(plasticity))
    return made, replace(protocol, readouts=((circuit.outputs, "S", 0),) if draw(st.booleans()) else ())


def firings(circuit: Circuit, protocol: Protocol) -> dict[tuple[str, int], int]:
    """The tick at which each population fires in each cycle: when the last of its causes has come."""

    @cache
    def fires(name: str, cycle: int) -> int | None:
        """None: it never does."""
        if (name, cycle) == (circuit.inputs, 0):
            return 0
        if cycle > (0 if circuit.population(name).feedback else protocol.cycles):
            return None
        causes = [(q.source, cycle, q.delay) for q in circuit.projections if q.target == name]
        for x in circuit.exchanges:
            if x.target == name and (cycle or x.carries not in RECIRCULATES):
                causes.append((x.source, cycle - (x.carries in RECIRCULATES), 0))
        ticks = [(fires(source, c), delay) for source, c, delay in causes]
        if not ticks or any(tick is None for tick, _ in ticks):
            return None
        return max(tick + delay for tick, delay in ticks if tick is not None)

    every = {(p.name, c): fires(p.name, c) for p in circuit.populations for c in range(protocol.cycles + 1)}
    return {key: tick for key, tick in every.items() if tick is not None}
