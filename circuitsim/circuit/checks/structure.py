"""Checks of populations, projections and exchanges: form, place, and reach from the input."""

from __future__ import annotations

import math
from collections.abc import Iterable

from circuitsim.circuit.checks.common import check_origin, refuse, whole
from circuitsim.circuit.checks.synapses import LARGEST, check_connectivity
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.norms import Divisive, Norm
from circuitsim.circuit.parts import (
    ACTIVATIONS,
    COMPARED,
    RECIRCULATES,
    TAKEN,
    Carries,
    Combine,
    Exchange,
    Masks,
    Population,
    Projection,
)
from circuitsim.circuit.weights import Copied, Fixed, Own, Signs, Tied, Transposed, origin

RESERVED = ("data", "circuit")
"""Owners of arrays that belong to no part of a circuit."""


def check_names(graph: Graph) -> None:
    """Raise CircuitError for missing or duplicate names, and for unknown sizes and activations."""
    parts: Iterable[Population | Projection] = (*graph.populations, *graph.projections)
    seen: set[str] = set()
    for part in parts:
        if not isinstance(part.name, str) or not part.name:
            refuse(f"{type(part).__name__.lower()} of circuit {graph.name}", repr(part.name), "a name", "Name it.")
        if part.name in RESERVED:
            expected = f"another name than {' and '.join(RESERVED)}, which the engine's own arrays have"
            refuse(f"{type(part).__name__.lower()} {part.name}", repr(part.name), expected, "Rename it.")
        if part.name in seen:
            refuse(f"circuit {graph.name}", f"two parts called {part.name!r}", "unique names", "Rename one of them.")
        seen.add(part.name)
    for p in graph.populations:
        if not whole(p.size) or p.size < 1:
            refuse(f"population {p.name}", f"size {p.size!r}", "a whole number >= 1", "Give it at least one neuron.")
        if p.size > LARGEST:
            refuse(f"population {p.name}", f"{p.size:,} neurons", f"at most {LARGEST:,}", "Use fewer neurons.")
        if not all(whole(n) and n >= 1 for n in p.shape) or size_of(p.shape) != p.size:
            expected = f"whole numbers >= 1 whose product is the size, {p.size}"
            refuse(f"population {p.name}", f"shape {p.shape!r}", expected, "Leave out size or shape.")
        if not isinstance(p.combine, Combine):
            expected = ", ".join(map(str, Combine))
            refuse(f"population {p.name}", f"combine {p.combine!r}", expected, "Choose one of these.")
        if p.dropout:
            _check_dropout(graph, p)
        if p.norm is not None:
            _check_norm(graph, p)
        if p.activation not in ACTIVATIONS and not _of_ones_own(p.activation):
            expected = f"{' '.join(ACTIVATIONS)}, or what local_activation makes of a function"
            refuse(f"population {p.name}", f"activation {p.activation!r}", expected, "Choose one of these.")
    for role in (*graph.clamped, graph.outputs):
        if role not in {p.name for p in graph.populations}:
            refuse(f"circuit {graph.name}", f"input or output {role!r}", "one of its populations", "Name one.")
    if graph.real_targets and not graph.labels:
        refuse(f"circuit {graph.name}", "real_targets without labels", "labels too", "Name the population in labels.")
    if graph.real_targets and any(x.carries is Carries.MARGIN for x in graph.exchanges):
        refuse(f"circuit {graph.name}", "margins with real_targets", "classes", "Compare the output with its target.")
    if graph.labels == graph.inputs:
        refuse(f"circuit {graph.name}", f"labels in the input {graph.labels}", "another one", "Add a population.")


def _of_ones_own(activation: object) -> bool:
    """Return whether an activation has what a circuit uses of one's own; the engine looks at its code."""
    return not isinstance(activation, (str, type)) and isinstance(getattr(activation, "text", None), str)


def _check_dropout(graph: Graph, p: Population) -> None:
    taken = p.name in graph.clamped or bool(graph.exchanged(p.name, Carries.INPUT))
    label, plain = f"dropout of population {p.name}", not (p.mixes or p.feedback or p.replaced or taken)
    if not isinstance(p.dropout, (int, float)) or not 0 <= p.dropout < 1:
        refuse(label, repr(p.dropout), "a fraction from 0 to below 1", "Correct it.")
    if not plain:
        expected = "neurons that are neither clamped, mixing, replaced nor feedback neurons"
        refuse(label, "neurons of another kind", expected, "Drop out neurons of another layer.")


def _check_norm(graph: Graph, p: Population) -> None:
    taken = p.name in graph.clamped or bool(graph.exchanged(p.name, Carries.INPUT))
    label, plain = f"norm of population {p.name}", not (p.mixes or p.feedback or p.replaced or p.dropout or taken)
    if not isinstance(p.norm, Norm):
        refuse(label, repr(p.norm), "Online, Batch or Divisive", "Import one from circuitsim.circuit.norms.")
    if not plain or p.activation != "identity":
        expected = "linear neurons that are neither clamped, mixing, replaced, dropped out nor feedback neurons"
        refuse(label, "neurons of another kind", expected, "Let them project one to one to neurons that bend.")
    for name, value in vars(p.norm).items():
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
        share = name in ("forward", "backward", "decay")
        if not fits or (value >= 1 if share else value == 0):
            expected = "a number from 0 to below 1" if share else "a number above 0"
            refuse(label, f"{name}={value!r}", expected, "Correct it.")
    if isinstance(p.norm, Divisive) and (not isinstance(p.norm.groups, int) or p.size % p.norm.groups):
        refuse(label, f"{p.norm.groups} groups of {p.size} neurons", "groups of equal size", "Use another number.")


def check_projections(graph: Graph) -> None:
    """Raise CircuitError for a projection with unknown ends, no delay, or weights that do not fit."""
    names = {p.name for p in graph.populations}
    for q in graph.projections:
        for end in (q.source, q.target):
            if end not in names:
                refuse(f"projection {q.name}", f"population {end!r}", f"one of {sorted(names)}", "Add it or rename it.")
        if not whole(q.delay) or q.delay < 1:
            refuse(
                f"projection {q.name}",
                f"delay {q.delay!r}",
                "a whole number of ticks >= 1",
                "Use an Exchange between colocated populations for what happens within the tick.",
            )
        if not whole(q.lag) or (q.lag < 0 and not graph.population(q.target).feedback):
            expected = "a whole number of steps >= 0, below 0 into feedback neurons alone"
            refuse(f"projection {q.name}", f"lag {q.lag!r}", expected, "Correct it.")
        check_connectivity(graph, q)
        _check_weights(graph, q)


def _check_weights(graph: Graph, q: Projection) -> None:
    label = f"projection {q.name}"
    match q.weights:
        case Own(first=float(first)) if not math.isfinite(first):
            refuse(label, f"Own(first={first!r})", "a finite number, or None", "Correct it.")
        case Own() | Transposed() | Tied() | Signs() | Copied():
            pass
        case Fixed(value):
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                refuse(label, f"Fixed({value!r})", "a finite number", "Give the weight of each synapse.")
        case _:
            expected = "Own, Transposed, Tied, Signs, Copied or Fixed"
            refuse(label, f"weights={q.weights!r}", expected, "Import one from circuitsim.circuit.weights.")
    if q.masked and not q.has_tensor:
        refuse(label, f"a mask on the weights of {q.tensor_owner}", "weights of its own", "Mask that projection.")
    if q.masked and q.masks is Masks.SOURCE and q.connectivity.shared(*graph.ends(q.name)):
        got = "a mask on its source neurons, with weights that locations share"
        refuse(label, got, "a mask on the shared weights, or weights of their own at each location",
               "Set masks=Masks.SYNAPSE, or untie the layer.")  # fmt: skip
    name = origin(q.weights)
    if name is not None:
        check_origin(graph, label, q.weights, name, q)
        if q.bias and not q.has_tensor:
            refuse(label, f"a bias beside the weights of {name}", "no bias", "Remove it.")


def check_exchanges(graph: Graph) -> None:
    """Raise CircuitError for an exchange between sites, or of a value that its populations cannot give or take."""
    names = {p.name for p in graph.populations}
    for x in graph.exchanges:
        label = f"exchange {x.source} -> {x.target}"
        if x.source not in names or x.target not in names:
            refuse(label, "an unknown population", f"two of {sorted(names)}", "Add it or rename it.")
        if graph.colocated(x.source, x.target) == x.remote:
            refuse(
                label,
                "populations at one site" if x.remote else "populations at different sites",
                "different sites for a remote one" if x.remote else "colocated ones",
                "Set remote=False."
                if x.remote
                else "Give both one site, use a Projection, or declare it with remote=True.",
            )
        if graph.population(x.source).size != graph.population(x.target).size:
            refuse(label, "populations of different size", "equal sizes, neuron by neuron", "Match the sizes.")
        if x.carries is Carries.SLOPE and graph.population(x.source).activation == "softmax":
            refuse(label, "the slope of a softmax", "an activation with a slope of its own", "Use another activation.")
        kind = f"the {x.carries.value} for {x.target}"
        if x.carries is Carries.INPUT:
            _check_input(graph, label, x)
        elif x.carries not in RECIRCULATES and not _compares(graph, x):
            refuse(label, kind, "feedback neurons, which alone use it", "Make the target a feedback population.")
        if not whole(x.period) or x.period < 1 or (x.period > 1 and x.carries not in TAKEN):
            remedy = "Leave period out, or give the number of cycles that the outer loop takes."
            refuse(label, f"period {x.period!r}, carrying {x.carries.value}", "1, or more for what goes around", remedy)
        if x.carries is Carries.MARGIN and (_without_slope(graph, x.source) or graph.population(x.source).size < 2):
            refuse(label, f"the margin of {x.source}", "two or more neurons that sum their input", "Name such a one.")
        if x.carries is Carries.SLOPE and _without_slope(graph, x.source):
            refuse(label, f"the slope of {x.source}", "neurons that fire by their own activation", "Name such a one.")
        if x.carries in RECIRCULATES and not _recirculated(graph, x.target):
            refuse(
                label, kind, "one such exchange, into mixing neurons without projections", "Set mixes=True, keep one."
            )


def _compares(graph: Graph, x: Exchange) -> bool:
    target = graph.population(x.target)
    return target.feedback or (target.replaced and x.carries is Carries.TARGET)


def _check_input(graph: Graph, label: str, x: Exchange) -> None:
    name = x.target
    if x.period > 1 and not graph.population(name).mixes:
        refuse(label, "an input that returns, for neurons that do not mix", "mixing neurons", "Set mixes=True there.")
    others = len(graph.exchanged(name, Carries.INPUT)) > 1 or graph.incoming[name] or name in graph.clamped
    if others or graph.population(name).feedback:
        refuse(
            label, f"an input for {name}", "neurons that nothing else clamps, drives or compares", "Keep one of these."
        )


def _without_slope(graph: Graph, name: str) -> bool:
    taken = name in graph.clamped or bool(graph.exchanged(name, Carries.INPUT))
    return taken or graph.population(name).feedback


def _recirculated(graph: Graph, name: str) -> bool:
    """Return whether one exchange, and nothing else, can give a population its input of later cycles."""
    mixes = graph.population(name).mixes and not graph.population(name).feedback
    clamped = name == graph.inputs or not graph.incoming[name]
    return mixes and clamped and len(graph.exchanged(name, *RECIRCULATES)) == 1


def check_inputs(graph: Graph) -> None:
    """Raise CircuitError for a projection into clamped neurons."""
    for q in (q for name in graph.clamped for q in graph.incoming[name]):
        refuse(
            f"projection {q.name}",
            f"a way into the input {q.target}, which is clamped",
            "inputs that nothing projects to",
            "Close the loop with an Exchange from a population colocated with the input.",
        )


def check_replaced(graph: Graph) -> None:
    """Raise CircuitError for neurons and projections that cannot take part in feedback replacement."""
    for p in graph.populations:
        targets = graph.exchanged(p.name, Carries.TARGET)
        fed = any(q.feedback for q in graph.incoming[p.name])
        if p.replaced and (p.feedback or p.mixes or p.name in graph.clamped or fed == bool(targets)):
            refuse(
                f"replaced population {p.name}",
                f"{len(targets)} target(s) and {'some' if fed else 'no'} feedback projection(s)",
                "one target or feedback projections, in neurons that are neither clamped, mixing nor feedback neurons",
                "Give it what takes the place of its activity.",
            )
        if p.replaced and fed and p.activation == "softmax":
            refuse(f"replaced population {p.name}", "the slope of a softmax", "a slope of its own", "Use another one.")
    for q in graph.projections:
        ends = graph.population(q.source).replaced and graph.population(q.target).replaced
        if q.feedback and (not ends or q.bias):
            refuse(
                f"projection {q.name}",
                "feedback with a bias, or between neurons that are not replaced",
                "replaced neurons at both ends, and no bias",
                "Set replaced=True there, or feedback=False here.",
            )


def check_feedback(graph: Graph) -> None:
    """Raise CircuitError for feedback neurons that neither compare nor gate, or do both."""
    for p in graph.populations:
        if not p.feedback:
            continue
        compares = [x.carries for x in graph.exchanged(p.name, Carries.TARGET, *COMPARED)]
        slopes, incoming = graph.exchanged(p.name, Carries.SLOPE), graph.incoming[p.name]
        pairs = [sorted((Carries.TARGET, compared)) for compared in COMPARED]
        comparing = sorted(compares) in pairs and not slopes and not incoming
        gating = not compares and len(slopes) <= 1 and incoming
        if not (comparing or gating):
            refuse(
                f"feedback population {p.name}",
                f"{len(compares)} target(s) and actual(s), {len(slopes)} slope(s), {len(incoming)} projection(s)",
                "one target and one actual, or projections and at most one slope",
                "Give it what it compares, or what it gates.",
            )
        for q in incoming:
            if q.bias:
                refuse(f"projection {q.name}", "a bias of feedback neurons", "no bias", "Remove it.")


def check_reachable(graph: Graph) -> None:
    """Raise CircuitError for populations that no signal reaches."""
    import networkx as nx  # here: it takes longer to import than a command to start

    reached = {name for start in graph.clamped for name in (start, *nx.descendants(graph.graph, start))}
    lost = {p.name for p in graph.populations} - reached
    if lost:
        refuse(
            f"circuit {graph.name}",
            f"populations that no signal reaches: {sorted(lost)}",
            f"a path from {graph.inputs} to each",
            "Add a projection or remove them.",
        )
