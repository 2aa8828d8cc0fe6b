"""From an experiment to findings in the words of the audit: who read which memory that is none of its business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.permitted import Arrival, Element, Neuron, Synapse, Ticks, physical
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Projection
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.timetable.schedule import Entry


@dataclass(frozen=True)
class Culprit:
    """Memory that changed what it must not.

    Parameters
    ----------
    key : its address; None: none at all, so something was kept out of sight from an earlier call.
    index : the one number of it that suffices; None where it takes several.
    shape : of the whole array.
    hidden : it made its difference in the course of a presentation, in no single event of it.
    changed : it was not read but changed, undeclared.
    """

    key: Key | None
    index: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()
    hidden: bool = False
    changed: bool = False


@dataclass(frozen=True)
class Reader:
    """Who read it: an element of an entry of the timetable; `held` and `later` are written by then, or after it."""

    entry: Entry
    element: Element
    held: Ticks
    later: frozenset[Key] = frozenset()


def findings(circuit: Circuit, reader: Reader, culprit: Culprit) -> list[Finding]:
    """One finding for each projection whose learning is concerned."""
    kind = kind_of(circuit, reader, culprit)
    found = attribution(circuit, reader, culprit, kind)
    rule = _rule(circuit, reader.entry)
    lag = None
    if culprit.key is not None and culprit.key in reader.held:
        lag = reader.entry.event.tick - reader.held[culprit.key]
    how = "changed undeclared by" if culprit.changed else "kept out of sight up to" if culprit.hidden else "by"
    read = f"{_spelled(culprit)}, {how} the {_event(circuit, reader.entry)}"
    return [Finding(k, name, rule, read, "remote", lag, REMEDIES[k]) for k, name in found]


def kind_of(circuit: Circuit, reader: Reader, culprit: Culprit) -> str:
    """The kind of the violation, as `audit.json` names it."""
    if culprit.key is None or culprit.hidden:
        return "time-window"
    owner, _, cycle = culprit.key
    if owner == "data":
        sites = [site for site, _ in reader.element.neurons(circuit)]
        return "lateral" if circuit.population(_clamped(circuit, culprit.key)).site in sites else "remote-target"
    if cycle is None:
        return _of_synapses(circuit, reader.element, culprit)
    return _of_activity(circuit, reader, culprit)


def attribution(circuit: Circuit, reader: Reader, culprit: Culprit, kind: str) -> list[tuple[str, str]]:
    """The projections that the audit names for it, as rows (kind, projection)."""
    element, event = reader.element, reader.entry.event
    if not isinstance(element, Neuron):
        backwards = _sent_backwards(circuit, element, culprit)
        return [("lateral", name) for name in backwards] or [(kind, element.projection)]
    if event.phase == phases.MIRROR:
        mirrored = circuit.mirrors[event.detail // 2].projection
        names = [p.projection for p in circuit.plasticity if p.mirror == mirrored]
    elif kind == "lateral" and not circuit.population(element.population).feedback:
        names = [q.name for q in circuit.incoming[element.population]]
    else:
        ends = {p.projection: p.post or circuit.projection(p.projection).target for p in circuit.plasticity}
        names = [name for name, post in ends.items() if post == element.population]
    return [(kind, name) for name in dict.fromkeys(names)] or [(kind, element.population)]


def _of_synapses(circuit: Circuit, element: Element, culprit: Culprit) -> str:
    assert culprit.key is not None
    owner = culprit.key[0]
    if owner not in {q.name for q in circuit.projections} or _elsewhere(element, culprit):
        return "lateral"  # another replica
    if isinstance(element, Neuron):
        return "lateral" if circuit.projection(owner).target == element.population else "weight-transport"
    q = circuit.projection(element.projection)
    if owner in (q.name, physical(circuit, q)):
        return "lateral"
    if owner == q.tied_to or (
        owner not in (q.transposed_from, _remote(circuit, element)) and _straight(element, culprit)
    ):
        return "weight-sharing"
    return "weight-transport"


def _of_activity(circuit: Circuit, reader: Reader, culprit: Culprit) -> str:
    assert culprit.key is not None
    element, owner = reader.element, culprit.key[0]
    site = circuit.population(owner).site
    neurons = element.neurons(circuit)
    if isinstance(element, Arrival) and circuit.population(circuit.projection(element.projection).source).site == site:
        neurons += [(site, number) for number in range(culprit.shape[-1])]
    if site not in [place for place, _ in neurons]:
        return _of_remote(circuit, element, owner)
    if culprit.index is None or _elsewhere(element, culprit) or (site, culprit.index[-1]) not in neurons:
        return "lateral"
    return "causality" if culprit.key in reader.later else "time-window"


def _of_remote(circuit: Circuit, element: Element, owner: str) -> str:
    """What comes from another site is a target where an exchange says so or where it is clamped, else an error."""
    ends = (owner, getattr(element, "population", ""))
    carried = [x.carries for x in circuit.exchanges if (x.source, x.target) == ends]
    target = Carries.TARGET in carried if carried else owner in circuit.clamped
    return "remote-target" if target else "remote-error"


def _elsewhere(element: Element, culprit: Culprit) -> bool:
    """Whether it is of another replica, or activity of another example."""
    if culprit.index is None:
        return False
    example = getattr(element, "example", None)
    signals = culprit.key is not None and culprit.key[2] is not None
    other = signals and example is not None and culprit.index[1] != example
    return other or (culprit.shape[0] > 1 and culprit.index[0] != element.replica)


def _straight(element: Element, culprit: Culprit) -> bool:
    """Whether it lies in the other projection's array where the reader lies in its own, not across."""
    if culprit.index is None:
        return False
    pre = element.pre if isinstance(element, Synapse) else None
    across = pre is None and culprit.index[-1] == element.post
    return culprit.index[1] == element.post and pre in (None, culprit.index[-1]) and not across


def _sent_backwards(circuit: Circuit, element: Arrival | Synapse, culprit: Culprit) -> list[str]:
    """The projection whose rule gets from this arrival what its own synapses would carry backwards, if one does.

    Then no weight is copied elsewhere: a presynaptic neuron sums over the synapses that it is presynaptic to.
    """
    origin = circuit.projection(element.projection).transposed_from
    if not isinstance(element, Arrival) or culprit.key != (origin, "weight", None):
        return []
    end = circuit.projection(element.projection).target
    return [origin] if origin and any(end in (p.pre, p.post) for p in circuit.rules.get(origin, ())) else []


def _remote(circuit: Circuit, element: Arrival | Synapse) -> str | None:
    """The projection whose transposed weights a synapse's rules read."""
    if isinstance(element, Arrival):
        return None
    return next((p.transposed_from for p in circuit.rules.get(element.projection, ()) if p.transposed_from), None)


def _clamped(circuit: Circuit, key: Key) -> str:
    return circuit.labels if key[1] == "y" else circuit.inputs


def _rule(circuit: Circuit, entry: Entry) -> str:
    if entry.event.phase != phases.PLASTICITY:
        return ""
    return circuit.rules[_projection(circuit, entry).name][entry.event.detail].rule.name


def _projection(circuit: Circuit, entry: Entry) -> Projection:
    return circuit.projections[entry.event.which]


def _event(circuit: Circuit, entry: Entry) -> str:
    event = entry.event
    return f"{phases.name(event)} of {phases.subject(circuit, event)} at tick {event.tick}"


def _spelled(culprit: Culprit) -> str:
    if culprit.key is None:
        return "something kept out of sight from an earlier call"
    owner, quantity, cycle = culprit.key
    what = f"{owner}.{quantity}" + ("" if cycle is None else f"({cycle})")
    if culprit.index is None:
        return f"several numbers of {what}"
    if owner == "data" or len(culprit.index) == 1:
        return f"{what}[{', '.join(map(str, culprit.index))}]"
    names: Sequence[str] = ("replica", "example", "neuron") if cycle is not None else ("replica", "post", "pre")
    return f"{what}, " + ", ".join(f"{n} {i}" for n, i in zip(names, culprit.index, strict=False))


def shaped(key: Key, array: Array, position: int | None) -> Culprit:
    """The culprit at a flat position of an array; None: at several."""
    index = None if position is None else tuple(int(i) for i in np.unravel_index(position, array.shape))
    return Culprit(key, index, array.shape)
