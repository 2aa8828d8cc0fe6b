"""Checks of plasticity and mirror mode."""

from __future__ import annotations

from collections.abc import Iterable

from circuitsim.circuit.checks.common import check_origin, refuse
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import LocalRule, Plasticity, Projection
from circuitsim.circuit.weights import Fixed
from circuitsim.locality import Place


def check_plasticity(graph: Graph) -> None:
    """Raise CircuitError for a rule whose projection, neurons or remote synapses do not fit it."""
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
        if not q.has_tensor:
            refuse(label, f"the weights of {q.tensor_owner}", "a projection with weights of its own", "Remove it.")
        if isinstance(q.weights, Fixed) or q.refreshed:
            refuse(label, f"weights={q.weights}", "weights that only rules change", "Remove it.")
        other = learning.bias_rule
        if other and other.name == learning.rule.name and _numbers(other) != _numbers(learning.rule):
            refuse(label, f"two rules called {other.name}", "other names or equal parameters", "Rename one of them.")
        _check_memories(graph, label, ((learning.pre, q.source), (learning.post, q.target)))
        alike = {(p.momentum, p.nesterov) for p in graph.rules[q.name] if p.momentum or p.nesterov}
        if learning.nesterov and alike != {(True, True)}:
            expected = "momentum=True, and nesterov for all rules that have a velocity"
            refuse(label, f"nesterov=True and momentum={learning.momentum}", expected, "Set both for all rules.")
        _check_third(graph, learning, q)
        _check_trace(graph, learning, q)
        _check_remote(graph, learning, q)
    for q in graph.projections:
        if q.deferred and all(p.projection != q.name for p in graph.plasticity):
            refuse(f"projection {q.name}", "deferred updates, and no rule", "a rule", "Add one, or set deferred=False.")


def _check_memories(graph: Graph, label: str, ends: Iterable[tuple[str, str]]) -> None:
    sizes = {p.name: p.size for p in graph.populations}
    for neuron, end in ends:
        if not neuron:
            continue
        if neuron not in sizes or not graph.colocated(neuron, end):
            refuse(label, f"memory of {neuron!r}", f"a population colocated with {end}", "Move it there.")
        if sizes[neuron] != sizes[end]:
            refuse(label, f"memory of {neuron}, size {sizes[neuron]}", f"size {sizes[end]}", "Match the sizes.")


def _check_third(graph: Graph, learning: Plasticity, q: Projection) -> None:
    """Raise CircuitError unless the rule reads `third` exactly where the plasticity names neurons that it can be."""
    label, sizes = f"plasticity of {learning.projection}", {p.name: p.size for p in graph.populations}
    reads = _reads(learning.rule, Place.THIRD) or (learning.bias_rule and _reads(learning.bias_rule, Place.THIRD))
    if bool(reads) != bool(learning.third):
        got = f"third={learning.third!r} and a rule that {'reads' if reads else 'does not read'} `third`"
        refuse(label, got, "both or neither", "Name the third factor in Plasticity(third=...), or remove it.")
    known = learning.third in sizes
    beside = known and graph.colocated(learning.third, q.target) and sizes[learning.third] == sizes[q.target]
    if learning.third and not beside and sizes.get(learning.third) != 1:
        expected = f"one neuron, or as many as and colocated with {q.target}"
        refuse(label, f"third={learning.third!r}", expected, "Bring it there through a projection.")


def _check_trace(graph: Graph, learning: Plasticity, q: Projection) -> None:
    """Raise CircuitError unless the rule reads `trace` exactly where the plasticity has a rule for it."""
    label = f"plasticity of {learning.projection}"
    reads = _reads(learning.rule, Place.TRACE) or (learning.bias_rule and _reads(learning.bias_rule, Place.TRACE))
    if bool(reads) != (learning.trace is not None):
        got = f"{'a' if learning.trace else 'no'} trace and a rule that {'reads' if reads else 'does not read'} it"
        refuse(label, got, "both or neither", "Give the trace a rule in Plasticity(trace=...), or remove it.")
    if learning.trace is None:
        return
    if _reads(learning.trace, Place.THIRD) or _reads(learning.trace, Place.REMOTE):
        refuse(label, f"trace {learning.trace.name}, which reads third or w_remote", "pre, post, w and trace", "Do so.")
    if not learning.each_step or not q.dense:
        got = f"a trace, each_step={learning.each_step}, connectivity {q.connectivity}"
        refuse(label, got, "each_step=True and dense synapses", "Let the rule run at each step of a dense projection.")
    if sum(p.trace is not None for p in graph.rules[learning.projection]) > 1:
        refuse(label, "several traces", "one trace a synapse", "Filter one factor in neurons of its own.")


def _reads(rule: LocalRule, place: Place) -> bool:
    return any(r.place is place for r in rule.certificate.readings)


def _check_remote(graph: Graph, learning: Plasticity, q: Projection) -> None:
    """Raise CircuitError unless the rule reads `w_remote` exactly where the plasticity names its projection."""
    label = f"plasticity of {learning.projection}"
    reads = _reads_remote(learning.rule)
    if reads and learning.transposed_from is None:
        refuse(
            label,
            f"rule {learning.rule.name}, which reads `w_remote`, a synapse elsewhere",
            "transposed_from, the projection whose transposed weights that is",
            "Declare it in Plasticity(transposed_from=...), or let the rule read pre, post and w alone.",
        )
    of_bias = learning.bias_rule or (learning.rule if graph.projection(learning.projection).bias else None)
    if of_bias and _reads_remote(of_bias):
        refuse(label, "a bias whose rule reads `w_remote`", "one that reads post and w alone", "Give it a bias_rule.")
    if learning.transposed_from is not None:
        if not reads:
            refuse(label, f"transposed_from={learning.transposed_from!r}", "a rule that reads `w_remote`", "Remove it.")
        check_origin(graph, label, None, learning.transposed_from, q)


def _reads_remote(rule: LocalRule) -> bool:
    return _reads(rule, Place.REMOTE)


def check_mirrors(graph: Graph) -> None:
    """Raise CircuitError for a mirror mode without a projection, or with a rule that reads neurons silent in it."""
    mirrored = [mirror.projection for mirror in graph.mirrors]
    names = {q.name: q for q in graph.projections}
    for mirror in graph.mirrors:
        label = f"mirror mode of {mirror.projection}"
        q = names.get(mirror.projection)
        if q is None or not q.has_tensor or mirrored.count(mirror.projection) > 1:
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
    """Return the parameters that a simulator addresses by the rule's name."""
    return getattr(rule, "free", {})
