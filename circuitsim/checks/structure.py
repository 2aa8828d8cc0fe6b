"""Populations, projections and exchanges: each well formed, in its place, and within reach of the input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import networkx as nx

from circuitsim.checks.common import check_origin, refuse, shape_of, whole
from circuitsim.parts import ACTIVATIONS, COMPARED, RECIRCULATES, TAKEN, Carries, Exchange, Population, Projection

if TYPE_CHECKING:
    from circuitsim.graph import Circuit


def check_names(circuit: Circuit) -> None:
    """Raise CircuitError for names that are missing or taken, and for sizes and activations that are none."""
    parts: Iterable[Population | Projection] = (*circuit.populations, *circuit.projections)
    seen: set[str] = set()
    for part in parts:
        if not isinstance(part.name, str) or not part.name:
            refuse(f"{type(part).__name__.lower()} of circuit {circuit.name}", repr(part.name), "a name", "Name it.")
        if part.name in seen:
            refuse(f"circuit {circuit.name}", f"two parts called {part.name!r}", "unique names", "Rename one of them.")
        seen.add(part.name)
    for p in circuit.populations:
        if not whole(p.size) or p.size < 1:
            refuse(f"population {p.name}", f"size {p.size!r}", "a whole number >= 1", "Give it at least one neuron.")
        if p.activation not in ACTIVATIONS:
            refuse(
                f"population {p.name}", f"activation {p.activation!r}", " ".join(ACTIVATIONS), "Choose one of these."
            )
    for role in (*circuit.clamped, circuit.outputs):
        if role not in {p.name for p in circuit.populations}:
            refuse(f"circuit {circuit.name}", f"input or output {role!r}", "one of its populations", "Name one.")
    if circuit.labels == circuit.inputs:
        refuse(f"circuit {circuit.name}", f"labels in the input {circuit.labels}", "another one", "Add a population.")


def check_projections(circuit: Circuit) -> None:
    """Raise CircuitError for a projection that leads nowhere, takes no time, or borrows what does not fit."""
    names = {p.name for p in circuit.populations}
    for q in circuit.projections:
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
        _check_borrowed(circuit, q)


def _check_borrowed(circuit: Circuit, q: Projection) -> None:
    label = f"projection {q.name}"
    if q.signs and not q.transports:
        refuse(label, "signs of nothing", "transports, the projection whose signs it uses", "Name one.")
    if q.refreshed and (not q.transports or q.signs):
        refuse(label, "weights that are taken over from nowhere", "transports without signs", "Name a projection.")
    if q.redrawn and not q.signs:
        refuse(label, "magnitudes that are redrawn", "signs, beside which they stand", "Set signs=True.")
    if q.masked and not q.own:
        refuse(label, f"a mask on the weights of {q.weights}", "weights of its own", "Mask that projection.")
    if q.transports is not None and q.shares is not None:
        refuse(label, "weights transported and shared", "one or neither", "Remove one.")
    for kind, name in (("transports", q.transports), ("shares", q.shares)):
        if name is not None:
            check_origin(circuit, label, kind, name, shape_of(circuit, q))
            if q.bias and not q.own:
                refuse(label, "a bias beside weights that are another's", "no bias", "Remove it.")


def check_exchanges(circuit: Circuit) -> None:
    """Raise CircuitError for an exchange between places, or of what a population cannot give or take."""
    names = {p.name for p in circuit.populations}
    for x in circuit.exchanges:
        label = f"exchange {x.source} -> {x.target}"
        if x.source not in names or x.target not in names:
            refuse(label, "an unknown population", f"two of {sorted(names)}", "Add it or rename it.")
        if circuit.colocated(x.source, x.target) == x.remote:
            refuse(
                label,
                "populations at one site" if x.remote else "populations at different sites",
                "different sites for a remote one" if x.remote else "colocated ones",
                "Set remote=False."
                if x.remote
                else "Give both one site, use a Projection, or declare it with remote=True.",
            )
        if circuit.population(x.source).size != circuit.population(x.target).size:
            refuse(label, "populations of different size", "equal sizes, neuron by neuron", "Match the sizes.")
        if x.carries is Carries.SLOPE and circuit.population(x.source).activation == "softmax":
            refuse(label, "the slope of a softmax", "an activation with a slope of its own", "Use another activation.")
        kind = f"the {x.carries.value} for {x.target}"
        if x.carries is Carries.INPUT:
            _check_input(circuit, label, x)
        elif x.carries not in RECIRCULATES and not _compares(circuit, x):
            refuse(label, kind, "feedback neurons, which alone use it", "Make the target a feedback population.")
        if not whole(x.turns) or x.turns < 1 or (x.turns > 1 and x.carries not in TAKEN):
            remedy = "Leave turns out, or give the cycles that a turn of the outer loop takes."
            refuse(label, f"turns {x.turns!r}, carrying {x.carries.value}", "1, or more for what goes around", remedy)
        if x.carries is Carries.MARGIN and (_without_slope(circuit, x.source) or circuit.population(x.source).size < 2):
            refuse(label, f"the margin of {x.source}", "two or more neurons that sum their input", "Name such a one.")
        if x.carries is Carries.SLOPE and _without_slope(circuit, x.source):
            refuse(label, f"the slope of {x.source}", "neurons that fire by their own activation", "Name such a one.")
        if x.carries in RECIRCULATES and not _recirculated(circuit, x.target):
            refuse(
                label, kind, "one such exchange, into mixing neurons without projections", "Set mixes=True, keep one."
            )


def _compares(circuit: Circuit, x: Exchange) -> bool:
    target = circuit.population(x.target)
    return target.feedback or (target.replaced and x.carries is Carries.TARGET)


def _check_input(circuit: Circuit, label: str, x: Exchange) -> None:
    name = x.target
    if x.turns > 1 and not circuit.population(name).mixes:
        refuse(label, "an input that returns, for neurons that do not mix", "mixing neurons", "Set mixes=True there.")
    others = len(circuit.exchanged(name, Carries.INPUT)) > 1 or circuit.incoming[name] or name in circuit.clamped
    if others or circuit.population(name).feedback:
        refuse(
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


def check_inputs(circuit: Circuit) -> None:
    """Raise CircuitError for a projection into neurons that are clamped."""
    for q in (q for name in circuit.clamped for q in circuit.incoming[name]):
        refuse(
            f"projection {q.name}",
            f"a way into the input {q.target}, which is clamped",
            "inputs that nothing projects to",
            "Close the loop with an Exchange from a population colocated with the input.",
        )


def check_replaced(circuit: Circuit) -> None:
    """Raise CircuitError for neurons and projections that cannot take part in feedback replacement."""
    for p in circuit.populations:
        targets = circuit.exchanged(p.name, Carries.TARGET)
        fed = any(q.feedback for q in circuit.incoming[p.name])
        if p.replaced and (p.feedback or p.mixes or p.name in circuit.clamped or fed == bool(targets)):
            refuse(
                f"replaced population {p.name}",
                f"{len(targets)} target(s) and {'some' if fed else 'no'} feedback projection(s)",
                "one target or feedback projections, in neurons that are neither clamped, mixing nor feedback neurons",
                "Give it what takes the place of its activity.",
            )
        if p.replaced and fed and p.activation == "softmax":
            refuse(f"replaced population {p.name}", "the slope of a softmax", "a slope of its own", "Use another one.")
    for q in circuit.projections:
        ends = circuit.population(q.source).replaced and circuit.population(q.target).replaced
        if q.feedback and (not ends or q.bias):
            refuse(
                f"projection {q.name}",
                "feedback with a bias, or between neurons that are not replaced",
                "replaced neurons at both ends, and no bias",
                "Set replaced=True there, or feedback=False here.",
            )


def check_feedback(circuit: Circuit) -> None:
    """Raise CircuitError for feedback neurons that neither compare nor gate, or do both."""
    for p in circuit.populations:
        if not p.feedback:
            continue
        compares = [x.carries for x in circuit.exchanged(p.name, Carries.TARGET, *COMPARED)]
        slopes, incoming = circuit.exchanged(p.name, Carries.SLOPE), circuit.incoming[p.name]
        pairs = [sorted((Carries.TARGET, compared)) for compared in COMPARED]
        comparing = sorted(compares) in pairs and not slopes and not incoming
        gating = not compares and len(slopes) == 1 and incoming
        if not (comparing or gating):
            refuse(
                f"feedback population {p.name}",
                f"{len(compares)} target(s) and actual(s), {len(slopes)} slope(s), {len(incoming)} projection(s)",
                "one target and one actual, or one slope and projections",
                "Give it what it compares, or what it gates.",
            )
        for q in incoming:
            if q.bias:
                refuse(f"projection {q.name}", "a bias of feedback neurons", "no bias", "Remove it.")


def check_reachable(circuit: Circuit) -> None:
    """Raise CircuitError for populations that no signal reaches."""
    reached = {name for start in circuit.clamped for name in (start, *nx.descendants(circuit.graph, start))}
    lost = {p.name for p in circuit.populations} - reached
    if lost:
        refuse(
            f"circuit {circuit.name}",
            f"populations that no signal reaches: {sorted(lost)}",
            f"a path from {circuit.inputs} to each",
            "Add a projection or remove them.",
        )
