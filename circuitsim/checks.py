"""What makes a circuit one that can be built: every check of its parts, and how each refusal is worded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import networkx as nx

from circuitsim.errors import CircuitError
from circuitsim.locality import Place
from circuitsim.parts import ACTIVATIONS, COMPARED, RECIRCULATES, Carries, LocalRule, Plasticity, Population, Projection

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
    _check_mirrors(circuit)
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
    for role in (*circuit.clamped, circuit.outputs):
        if role not in {p.name for p in circuit.populations}:
            _refuse(f"circuit {circuit.name}", f"input or output {role!r}", "one of its populations", "Name one.")
    if circuit.labels == circuit.inputs:
        _refuse(f"circuit {circuit.name}", f"labels in the input {circuit.labels}", "another one", "Add a population.")


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
        _check_borrowed(circuit, q)


def _check_borrowed(circuit: Circuit, q: Projection) -> None:
    label = f"projection {q.name}"
    if q.signs and not q.transports:
        _refuse(label, "signs of nothing", "transports, the projection whose signs it uses", "Name one.")
    if q.masked and not q.own:
        _refuse(label, f"a mask on the weights of {q.weights}", "weights of its own", "Mask that projection.")
    if q.transports is not None and q.shares is not None:
        _refuse(label, "weights transported and shared", "one or neither", "Remove one.")
    for kind, name in (("transports", q.transports), ("shares", q.shares)):
        if name is not None:
            _check_origin(circuit, label, kind, name, _shape(circuit, q))
            if q.bias and not q.own:
                _refuse(label, "a bias beside weights that are another's", "no bias", "Remove it.")


def _check_origin(circuit: Circuit, label: str, kind: str, name: str, shape: tuple[int, int]) -> None:
    """Whether the projection named has weights, in the shape (post, pre) that is wanted once they are transposed."""
    origin = next((p for p in circuit.projections if p.name == name), None)
    if origin is None or not origin.own:
        _refuse(label, f"{kind} {name!r}", "a projection with weights", "Name one.")
        return
    post, pre = _shape(circuit, origin)
    wanted = (post, pre) if kind == "shares" else (pre, post)
    if shape != wanted:
        turned = "" if kind == "shares" else " transposed"
        _refuse(label, f"shape {shape}", f"{wanted}, {name}{turned}", "Match the layers.")


def _shape(circuit: Circuit, q: Projection) -> tuple[int, int]:
    return circuit.population(q.target).size, circuit.population(q.source).size


def _check_exchanges(circuit: Circuit) -> None:
    names = {p.name for p in circuit.populations}
    for x in circuit.exchanges:
        label = f"exchange {x.source} -> {x.target}"
        if x.source not in names or x.target not in names:
            _refuse(label, "an unknown population", f"two of {sorted(names)}", "Add it or rename it.")
        if circuit.colocated(x.source, x.target) == x.remote:
            _refuse(
                label,
                "populations at one site" if x.remote else "populations at different sites",
                "different sites for a remote one" if x.remote else "colocated ones",
                "Set remote=False."
                if x.remote
                else "Give both one site, use a Projection, or declare it with remote=True.",
            )
        if circuit.population(x.source).size != circuit.population(x.target).size:
            _refuse(label, "populations of different size", "equal sizes, neuron by neuron", "Match the sizes.")
        if x.carries is Carries.SLOPE and circuit.population(x.source).activation == "softmax":
            _refuse(label, "the slope of a softmax", "an activation with a slope of its own", "Use another activation.")
        kind = f"the {x.carries.value} for {x.target}"
        if x.carries is Carries.INPUT:
            _check_input(circuit, label, x.target)
        elif x.carries not in RECIRCULATES and not circuit.population(x.target).feedback:
            _refuse(label, kind, "feedback neurons, which alone use it", "Make the target a feedback population.")
        if x.carries is Carries.MARGIN and (_without_slope(circuit, x.source) or circuit.population(x.source).size < 2):
            _refuse(label, f"the margin of {x.source}", "two or more neurons that sum their input", "Name such a one.")
        if x.carries is Carries.SLOPE and _without_slope(circuit, x.source):
            _refuse(label, f"the slope of {x.source}", "neurons that fire by their own activation", "Name such a one.")
        if x.carries in RECIRCULATES and not _recirculated(circuit, x.target):
            _refuse(
                label, kind, "one such exchange, into mixing neurons without projections", "Set mixes=True, keep one."
            )


def _check_input(circuit: Circuit, label: str, name: str) -> None:
    others = len(circuit.exchanged(name, Carries.INPUT)) > 1 or circuit.incoming[name] or name in circuit.clamped
    if others or circuit.population(name).feedback:
        _refuse(
            label, f"an input for {name}", "neurons that nothing else clamps, drives or compares", "Keep one of these."
        )


def _without_slope(circuit: Circuit, name: str) -> bool:
    taken = name in circuit.clamped or bool(circuit.exchanged(name, Carries.INPUT))
    return taken or circuit.population(name).feedback


def _recirculated(circuit: Circuit, name: str) -> bool:
    """Whether a population can take its input of later cycles from an exchange: from one, and from nothing else."""
    mixes = circuit.population(name).mixes and not circuit.population(name).feedback
    clamped = name == circuit.inputs or not circuit.incoming[name]
    return mixes and clamped and len(circuit.exchanged(name, *RECIRCULATES)) == 1


def _check_inputs(circuit: Circuit) -> None:
    for q in (q for name in circuit.clamped for q in circuit.incoming[name]):
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
        compares = [x.carries for x in circuit.exchanged(p.name, Carries.TARGET, *COMPARED)]
        slopes, incoming = circuit.exchanged(p.name, Carries.SLOPE), circuit.incoming[p.name]
        pairs = [sorted((Carries.TARGET, compared)) for compared in COMPARED]
        comparing = sorted(compares) in pairs and not slopes and not incoming
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
    seen: set[tuple[str, str]] = set()
    for learning in circuit.plasticity:
        label = f"plasticity of {learning.projection}"
        key = (learning.projection, learning.rule.name)
        if learning.projection not in projections or key in seen:
            _refuse(
                label,
                "an unknown projection or the same rule twice",
                "a projection of the circuit, each rule once",
                "Name one, or sum the rules.",
            )
        seen.add(key)
        q = projections[learning.projection]
        if not q.own:
            _refuse(label, f"weights that are {q.weights}'s", "a projection with weights of its own", "Remove it.")
        other = learning.bias_rule
        if other and other.name == learning.rule.name and _numbers(other) != _numbers(learning.rule):
            _refuse(label, f"two rules called {other.name}", "other names or equal parameters", "Rename one of them.")
        _check_memories(circuit, label, ((learning.pre, q.source), (learning.post, q.target)))
        _check_far(circuit, learning, _shape(circuit, q))


def _check_memories(circuit: Circuit, label: str, ends: Iterable[tuple[str, str]]) -> None:
    sizes = {p.name: p.size for p in circuit.populations}
    for neuron, end in ends:
        if not neuron:
            continue
        if neuron not in sizes or not circuit.colocated(neuron, end):
            _refuse(label, f"memory of {neuron!r}", f"a population colocated with {end}", "Move it there.")
        if sizes[neuron] != sizes[end]:
            _refuse(label, f"memory of {neuron}, size {sizes[neuron]}", f"size {sizes[end]}", "Match the sizes.")


def _check_far(circuit: Circuit, learning: Plasticity, shape: tuple[int, int]) -> None:
    """A rule that reads `far` and a plasticity that says which projection's weights that is: both or neither."""
    label = f"plasticity of {learning.projection}"
    laws = [law for law in (learning.rule, learning.bias_rule) if law is not None]
    reads = any(r.place is Place.REMOTE for law in laws for r in law.certificate.readings)
    if reads and learning.transports is None:
        _refuse(
            label,
            f"rule {learning.rule.name}, which reads `far`, a synapse elsewhere",
            "transports, the projection whose transposed weights that is",
            "Declare it in Plasticity(transports=...), or let the rule read pre, post and w alone.",
        )
    if learning.transports is not None:
        if not reads:
            _refuse(label, f"transports {learning.transports!r}", "a rule that reads `far`", "Remove transports.")
        _check_origin(circuit, label, "transports", learning.transports, shape)


def _check_mirrors(circuit: Circuit) -> None:
    mirrored = [mirror.projection for mirror in circuit.mirrors]
    names = {q.name: q for q in circuit.projections}
    for mirror in circuit.mirrors:
        label = f"mirror mode of {mirror.projection}"
        q = names.get(mirror.projection)
        if q is None or not q.own or mirrored.count(mirror.projection) > 1:
            _refuse(label, "no projection with weights, or the second mirror of one", "one mirror each", "Name one.")
            continue
        for p in circuit.plasticity:
            read = {name: end for name, end in ((p.pre, q.target), (p.post, q.source)) if p.mirror == q.name}
            for name, end in read.items():
                if name != end:
                    _refuse(
                        label,
                        f"a rule of {p.projection} that reads {name or 'its own ends'}",
                        f"pre={q.target!r} and post={q.source!r}: the answer and the noise",
                        "Only these fire in mirror mode.",
                    )
    for p in circuit.plasticity:
        if p.mirror and p.mirror not in mirrored:
            _refuse(f"plasticity of {p.projection}", f"mirror {p.mirror!r}", f"one of {mirrored}", "Add it to mirrors.")


def _numbers(rule: LocalRule) -> object:
    """The parameters that a simulator is given by the rule's name."""
    return getattr(rule, "free", {})


def _check_reachable(circuit: Circuit) -> None:
    reached = {name for start in circuit.clamped for name in (start, *nx.descendants(circuit.graph, start))}
    lost = {p.name for p in circuit.populations} - reached
    if lost:
        _refuse(
            f"circuit {circuit.name}",
            f"populations that no signal reaches: {sorted(lost)}",
            f"a path from {circuit.inputs} to each",
            "Add a projection or remove them.",
        )
