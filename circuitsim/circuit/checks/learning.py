"""Plasticity and mirror mode: rules whose neurons and far synapses are where the circuit says."""

from __future__ import annotations

from collections.abc import Iterable

from circuitsim.circuit.checks.common import check_origin, refuse, shape_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import LocalRule, Plasticity
from circuitsim.locality import Place


def check_plasticity(graph: Graph) -> None:
    """Raise CircuitError for a rule whose projection, neurons or far synapses are not what it needs."""
    projections = {q.name: q for q in graph.projections}
    seen: set[tuple[str, ...]] = set()
    for learning in graph.plasticity:
        label = f"plasticity of {learning.projection}"
        key = (learning.projection, learning.rule.text, learning.pre, learning.post, learning.mirror)
        if learning.projection not in projections or key in seen:
            refuse(
                label,
                "an unknown projection or the same rule twice",
                "a projection of the circuit, each rule once for the same neurons",
                "Name one, or sum the rules.",
            )
        seen.add(key)
        q = projections[learning.projection]
        if q.refreshed or q.redrawn:
            refuse(label, "weights that are taken over or redrawn", "weights that only rules change", "Remove it.")
        if not q.own:
            refuse(label, f"weights that are {q.weights}'s", "a projection with weights of its own", "Remove it.")
        other = learning.bias_rule
        if other and other.name == learning.rule.name and _numbers(other) != _numbers(learning.rule):
            refuse(label, f"two rules called {other.name}", "other names or equal parameters", "Rename one of them.")
        _check_memories(graph, label, ((learning.pre, q.source), (learning.post, q.target)))
        _check_far(graph, learning, shape_of(graph, q))
    for q in graph.projections:
        if q.waits and all(p.projection != q.name for p in graph.plasticity):
            refuse(
                f"projection {q.name}", "increments that wait, and no rule", "a rule", "Add one, or set waits=False."
            )


def _check_memories(graph: Graph, label: str, ends: Iterable[tuple[str, str]]) -> None:
    sizes = {p.name: p.size for p in graph.populations}
    for neuron, end in ends:
        if not neuron:
            continue
        if neuron not in sizes or not graph.colocated(neuron, end):
            refuse(label, f"memory of {neuron!r}", f"a population colocated with {end}", "Move it there.")
        if sizes[neuron] != sizes[end]:
            refuse(label, f"memory of {neuron}, size {sizes[neuron]}", f"size {sizes[end]}", "Match the sizes.")


def _check_far(graph: Graph, learning: Plasticity, shape: tuple[int, int]) -> None:
    """A rule that reads `far` and a plasticity that says which projection's weights that is: both or neither."""
    label = f"plasticity of {learning.projection}"
    reads = _reads_far(learning.rule)
    if reads and learning.transports is None:
        refuse(
            label,
            f"rule {learning.rule.name}, which reads `far`, a synapse elsewhere",
            "transports, the projection whose transposed weights that is",
            "Declare it in Plasticity(transports=...), or let the rule read pre, post and w alone.",
        )
    of_bias = learning.bias_rule or (learning.rule if graph.projection(learning.projection).bias else None)
    if of_bias and _reads_far(of_bias):
        refuse(label, "a bias whose rule reads `far`", "one that reads post and w alone", "Give it a bias_rule.")
    if learning.transports is not None:
        if not reads:
            refuse(label, f"transports {learning.transports!r}", "a rule that reads `far`", "Remove transports.")
        check_origin(graph, label, "transports", learning.transports, shape)


def _reads_far(law: LocalRule) -> bool:
    return any(r.place is Place.REMOTE for r in law.certificate.readings)


def check_mirrors(graph: Graph) -> None:
    """Raise CircuitError for a mirror mode of what has none, or whose rule reads what does not fire in it."""
    mirrored = [mirror.projection for mirror in graph.mirrors]
    names = {q.name: q for q in graph.projections}
    for mirror in graph.mirrors:
        label = f"mirror mode of {mirror.projection}"
        q = names.get(mirror.projection)
        if q is None or not q.own or mirrored.count(mirror.projection) > 1:
            refuse(label, "no projection with weights, or the second mirror of one", "one mirror each", "Name one.")
            continue
        for p in graph.plasticity:
            read = {name: end for name, end in ((p.pre, q.target), (p.post, q.source)) if p.mirror == q.name}
            for name, end in read.items():
                if name != end:
                    refuse(
                        label,
                        f"a rule of {p.projection} that reads {name or 'its own ends'}",
                        f"pre={q.target!r} and post={q.source!r}: the answer and the noise",
                        "Only these fire in mirror mode.",
                    )
    for p in graph.plasticity:
        if p.mirror and p.mirror not in mirrored:
            refuse(f"plasticity of {p.projection}", f"mirror {p.mirror!r}", f"one of {mirrored}", "Add it to mirrors.")


def _numbers(rule: LocalRule) -> object:
    """The parameters that a simulator is given by the rule's name."""
    return getattr(rule, "free", {})
