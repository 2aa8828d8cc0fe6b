"""What makes a circuit one that can be built: every check of its parts, and how each refusal is worded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import networkx as nx

from circuitsim.errors import CircuitError
from circuitsim.parts import ACTIVATIONS, RECIRCULATES, Carries, LocalRule, Population, Projection

if TYPE_CHECKING:
    from circuitsim.graph import Circuit


def check(circuit: Circuit) -> None:
    """Raise CircuitError for the first part that is malformed, missing, out of place or out of reach."""
    _check_names(circuit)
    _check_projections(circuit)
    _check_exchanges(circuit)
    _check_inputs(circuit)
    _check_feedback(circuit)
    _check_plasticity(circuit)
    _check_reachable(circuit)


def _refuse(what: str, got: object, expected: str, remedy: str) -> None:
    raise CircuitError(what, got=str(got), expected=expected, remedy=remedy)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_names(circuit: Circuit) -> None:
    parts: Iterable[Population | Projection] = (*circuit.populations, *circuit.projections)
    seen: set[str] = set()
    for part in parts:
        if not isinstance(part.name, str) or not part.name:
            _refuse(f"{type(part).__name__.lower()} of circuit {circuit.name}", repr(part.name), "a name", "Name it.")
        if part.name in seen:
            _refuse(f"circuit {circuit.name}", f"two parts called {part.name!r}", "unique names", "Rename one of them.")
        seen.add(part.name)
    for p in circuit.populations:
        if not _whole(p.size) or p.size < 1:
            _refuse(f"population {p.name}", f"size {p.size!r}", "a whole number >= 1", "Give it at least one neuron.")
        if p.activation not in ACTIVATIONS:
            _refuse(
                f"population {p.name}", f"activation {p.activation!r}", " ".join(ACTIVATIONS), "Choose one of these."
            )
    for role in (circuit.inputs, circuit.outputs):
        if role not in {p.name for p in circuit.populations}:
            _refuse(f"circuit {circuit.name}", f"input or output {role!r}", "one of its populations", "Name one.")


def _check_projections(circuit: Circuit) -> None:
    names = {p.name for p in circuit.populations}
    for q in circuit.projections:
        for end in (q.source, q.target):
            if end not in names:
                _refuse(
                    f"projection {q.name}", f"population {end!r}", f"one of {sorted(names)}", "Add it or rename it."
                )
        if not _whole(q.delay) or q.delay < 1:
            _refuse(
                f"projection {q.name}",
                f"delay {q.delay!r}",
                "a whole number of ticks >= 1",
                "Use an Exchange between colocated populations for what happens within the tick.",
            )
        if q.transports is not None:
            _check_transport(circuit, q)


def _check_transport(circuit: Circuit, q: Projection) -> None:
    origin = next((p for p in circuit.projections if p.name == q.transports), None)
    if origin is None or origin.transports is not None:
        _refuse(f"projection {q.name}", f"transports {q.transports!r}", "a projection with weights", "Name one.")
        return
    shape = (circuit.population(q.target).size, circuit.population(q.source).size)
    other = (circuit.population(origin.source).size, circuit.population(origin.target).size)
    if shape != other:
        _refuse(f"projection {q.name}", f"shape {shape}", f"{other}, {origin.name} transposed", "Match the layers.")
    if q.bias:
        _refuse(f"projection {q.name}", "a bias beside transported weights", "no bias", "Remove it.")


def _check_exchanges(circuit: Circuit) -> None:
    names = {p.name for p in circuit.populations}
    for x in circuit.exchanges:
        label = f"exchange {x.source} -> {x.target}"
        if x.source not in names or x.target not in names:
            _refuse(label, "an unknown population", f"two of {sorted(names)}", "Add it or rename it.")
        if not circuit.colocated(x.source, x.target):
            _refuse(
                label, "populations at different sites", "colocated ones", "Give both one site, or use a Projection."
            )
        if circuit.population(x.source).size != circuit.population(x.target).size:
            _refuse(label, "populations of different size", "equal sizes, neuron by neuron", "Match the sizes.")
        if x.carries is Carries.SLOPE and circuit.population(x.source).activation == "softmax":
            _refuse(label, "the slope of a softmax", "an activation with a slope of its own", "Use another activation.")
        kind = f"the {x.carries.value} for {x.target}"
        if x.carries not in RECIRCULATES and not circuit.population(x.target).feedback:
            _refuse(label, kind, "feedback neurons, which alone use it", "Make the target a feedback population.")
        if x.carries is Carries.SLOPE and _without_slope(circuit, x.source):
            _refuse(label, f"the slope of {x.source}", "neurons that fire by their own activation", "Name such a one.")
        if x.carries in RECIRCULATES and not _recirculated(circuit, x.target):
            _refuse(
                label, kind, "one such exchange, into mixing neurons without projections", "Set mixes=True, keep one."
            )


def _without_slope(circuit: Circuit, name: str) -> bool:
    return name == circuit.inputs or circuit.population(name).feedback


def _recirculated(circuit: Circuit, name: str) -> bool:
    """Whether a population can take its input of later cycles from an exchange: from one, and from nothing else."""
    mixes = circuit.population(name).mixes and not circuit.population(name).feedback
    clamped = name == circuit.inputs or not circuit.incoming[name]
    return mixes and clamped and len(circuit.exchanged(name, *RECIRCULATES)) == 1


def _check_inputs(circuit: Circuit) -> None:
    for q in circuit.incoming[circuit.inputs]:
        _refuse(
            f"projection {q.name}",
            f"a way into the input {q.target}, which is clamped",
            "inputs that nothing projects to",
            "Close the loop with an Exchange from a population colocated with the input.",
        )


def _check_feedback(circuit: Circuit) -> None:
    for p in circuit.populations:
        if not p.feedback:
            continue
        compares = [x.carries for x in circuit.exchanged(p.name, Carries.TARGET, Carries.ACTUAL)]
        slopes, incoming = circuit.exchanged(p.name, Carries.SLOPE), circuit.incoming[p.name]
        comparing = sorted(compares) == [Carries.ACTUAL, Carries.TARGET] and not slopes and not incoming
        gating = not compares and len(slopes) == 1 and incoming
        if not (comparing or gating):
            _refuse(
                f"feedback population {p.name}",
                f"{len(compares)} target(s) and actual(s), {len(slopes)} slope(s), {len(incoming)} projection(s)",
                "one target and one actual, or one slope and projections",
                "Give it what it compares, or what it gates.",
            )
        for q in incoming:
            if q.bias:
                _refuse(f"projection {q.name}", "a bias of feedback neurons", "no bias", "Remove it.")


def _check_plasticity(circuit: Circuit) -> None:
    projections = {q.name: q for q in circuit.projections}
    sizes = {p.name: p.size for p in circuit.populations}
    seen: set[str] = set()
    for learning in circuit.plasticity:
        label = f"plasticity of {learning.projection}"
        if learning.projection not in projections or learning.projection in seen:
            _refuse(label, "an unknown projection or a second rule for it", "one rule a projection", "Sum the rules.")
        seen.add(learning.projection)
        q = projections[learning.projection]
        if q.transports:
            _refuse(label, f"weights that are {q.transports}'s", "a projection with weights of its own", "Remove it.")
        other = learning.bias_rule
        if other and other.name == learning.rule.name and _numbers(other) != _numbers(learning.rule):
            _refuse(label, f"two rules called {other.name}", "other names or equal parameters", "Rename one of them.")
        for neuron, end in ((learning.pre, q.source), (learning.post, q.target)):
            if not neuron:
                continue
            if neuron not in sizes or not circuit.colocated(neuron, end):
                _refuse(label, f"memory of {neuron!r}", f"a population colocated with {end}", "Move it there.")
            if sizes[neuron] != sizes[end]:
                _refuse(label, f"memory of {neuron}, size {sizes[neuron]}", f"size {sizes[end]}", "Match the sizes.")


def _numbers(rule: LocalRule) -> object:
    """The parameters that a simulator is given by the rule's name."""
    return getattr(rule, "free", {})


def _check_reachable(circuit: Circuit) -> None:
    lost = {p.name for p in circuit.populations} - nx.descendants(circuit.graph, circuit.inputs) - {circuit.inputs}
    if lost:
        _refuse(
            f"circuit {circuit.name}",
            f"populations that no signal reaches: {sorted(lost)}",
            f"a path from {circuit.inputs} to each",
            "Add a projection or remove them.",
        )
