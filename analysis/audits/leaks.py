"""Turn the result of an experiment into findings: who read which memory that locality forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.permitted import ARRIVAL, NEURON, SYNAPSE, Element
from circuitsim.analysis.audits.scene import Ticks, physical
from circuitsim.analysis.tracing.dataflow import address_text
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Projection
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.phases.mirror import NOISE_OF
from circuitsim.phases.reading import learning_of
from circuitsim.timetable.entry import Entry


@dataclass(frozen=True)
class Leak:
    """Memory that changed a result that must not depend on it.

    Parameters
    ----------
    key : its address; None: a value from an earlier call that lies in no array of the simulator.
    index : one element that suffices; None where several are needed.
    shape : of the whole array.
    hidden : the effect shows over a whole presentation, and in none of its events.
    changed : the memory was not read but written, undeclared.
    """

    key: Key | None
    index: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()
    hidden: bool = False
    changed: bool = False


@dataclass(frozen=True)
class Reader:
    """The element of an entry that reads.

    Parameters
    ----------
    held : activity written by then. later : activity written afterwards. count : number of elements that read alike;
        0: unknown.
    """

    entry: Entry
    element: Element
    held: Ticks
    later: frozenset[Key] = frozenset()
    count: int = 0


def findings(circuit: Circuit, reader: Reader, leak: Leak) -> list[Finding]:
    """Return one finding for each projection whose learning is affected."""
    kind = kind_of(circuit, reader, leak)
    found = attribution(circuit, reader, leak, kind)
    rule = _rule(circuit, reader.entry)
    lag = None
    if leak.key is not None and leak.key in reader.held:
        lag = reader.entry.event.tick - reader.held[leak.key]
    how = "changed undeclared by" if leak.changed else "through hidden memory, up to" if leak.hidden else "by"
    read = f"{_spelled(leak)}, {how} the {_event(circuit, reader.entry)}{_changed(reader)}"
    return [Finding(k, name, rule, read, "remote", lag, REMEDIES[k]) for k, name in found]


def kind_of(circuit: Circuit, reader: Reader, leak: Leak) -> str:
    """Return the kind of the violation, as in `audit.json`."""
    if leak.key is None or leak.hidden:
        return "time-window"
    owner, _, cycle = leak.key
    if owner == "data":
        sites = [site for site, _ in reader.element.neurons]
        return "lateral" if circuit.population(_clamped(circuit, leak.key)).site in sites else "remote-target"
    if cycle is None:
        return _of_synapses(circuit, reader.element, leak)
    return _of_activity(circuit, reader, leak)


def attribution(circuit: Circuit, reader: Reader, leak: Leak, kind: str) -> list[tuple[str, str]]:
    """Return the affected projections as pairs (kind, projection)."""
    element, event = reader.element, reader.entry.event
    if element.kind != NEURON:
        backwards = _sent_backwards(circuit, element, leak)
        return [("lateral", name) for name in backwards] or [(kind, element.owner)]
    if event.phase == phases.MIRROR:
        mirrored = circuit.mirrors[event.detail // 2].projection
        names = [p.projection for p in circuit.plasticity if p.mirror == mirrored]
    elif kind == "lateral" and not circuit.population(element.owner).feedback:
        names = [q.name for q in circuit.incoming[element.owner]]
    else:
        ends = {p.projection: p.post or circuit.projection(p.projection).target for p in circuit.plasticity}
        names = [name for name, post in ends.items() if post == element.owner]
    return [(kind, name) for name in dict.fromkeys(names)] or [(kind, element.owner)]


def _of_synapses(circuit: Circuit, element: Element, leak: Leak) -> str:
    assert leak.key is not None
    owner = leak.key[0]
    if owner not in {q.name for q in circuit.projections} or _elsewhere(element, leak):
        return "lateral"  # another replica
    if element.kind == NEURON:
        return "lateral" if circuit.projection(owner).target == element.owner else "weight-transport"
    q = circuit.projection(element.owner)
    if owner in (q.name, physical(circuit, q)):
        return "lateral"
    if leak.key[1] not in ("weight", "bias", "mask") and not _transposed(element, leak):
        return "lateral"  # what other synapses are about to learn, and no weight
    if owner == q.tied_to or (owner not in (q.transposed_from, _remote(circuit, element)) and _straight(element, leak)):
        return "weight-sharing"
    return "weight-transport"


def _of_activity(circuit: Circuit, reader: Reader, leak: Leak) -> str:
    assert leak.key is not None
    element, owner = reader.element, leak.key[0]
    site = circuit.population(owner).site
    if site not in [place for place, _ in element.neurons]:
        thirds = [p.third for p in circuit.plasticity if p.projection == element.owner]
        return "third-factor" if owner in thirds else _of_remote(circuit, element, owner)
    if leak.index is None or _elsewhere(element, leak) or (site, leak.index[-1]) not in element.neurons:
        return "lateral"
    return "causality" if leak.key in reader.later else "time-window"


def _of_remote(circuit: Circuit, element: Element, owner: str) -> str:
    """Classify a signal from another site: a target where an exchange carries one or it is clamped, else an error."""
    ends = (owner, element.owner)
    carried = [x.carries for x in circuit.exchanges if (x.source, x.target) == ends]
    target = Carries.TARGET in carried if carried else owner in circuit.clamped
    return "remote-target" if target else "remote-error"


def _elsewhere(element: Element, leak: Leak) -> bool:
    """Tell if a leak is of another replica, or activity of another example."""
    if leak.index is None:
        return False
    signals = leak.key is not None and leak.key[2] is not None
    other = signals and element.example is not None and leak.index[1] != element.example
    return other or (leak.shape[0] > 1 and leak.index[0] != element.replica)


def _straight(element: Element, leak: Leak) -> bool:
    """Tell if a leak has the same indices in its array as the reader in its own, not transposed ones."""
    if leak.index is None:
        return False
    own = leak.index[1:]
    return own == element.index or (len(element.index) == 1 and own[0] == element.index[0] != own[-1])


def _transposed(element: Element, leak: Leak) -> bool:
    return leak.index is not None and len(element.index) > 1 and leak.index[1:] == element.index[::-1]


def _sent_backwards(circuit: Circuit, element: Element, leak: Leak) -> list[str]:
    """Return the projection whose rule reads, through this arrival, what its own synapses carry backwards, if any.

    No weight is copied elsewhere: a presynaptic neuron sums over its outgoing synapses.
    """
    origin = circuit.projection(element.owner).transposed_from
    if element.kind != ARRIVAL or leak.key != (origin, "weight", None):
        return []
    end = circuit.projection(element.owner).target
    return [origin] if origin and any(end in (p.pre, p.post) for p in circuit.rules.get(origin, ())) else []


def _remote(circuit: Circuit, element: Element) -> str | None:
    """Return the projection whose transposed weights a synapse's rules read."""
    if element.kind != SYNAPSE:
        return None
    return next((p.transposed_from for p in circuit.rules.get(element.owner, ()) if p.transposed_from), None)


def _clamped(circuit: Circuit, key: Key) -> str:
    if key[1].startswith(NOISE_OF):
        return key[1].removeprefix(NOISE_OF)
    return circuit.labels if key[1] == "y" else circuit.inputs


def _rule(circuit: Circuit, entry: Entry) -> str:
    if entry.event.phase != phases.PLASTICITY:
        return ""
    return learning_of(circuit, entry.event).rule.name


def _projection(circuit: Circuit, entry: Entry) -> Projection:
    return circuit.projections[entry.event.which]


def _event(circuit: Circuit, entry: Entry) -> str:
    event = entry.event
    return f"{phases.name(event)} of {phases.subject(circuit, event)} at tick {event.tick}"


def _changed(reader: Reader) -> str:
    """Say which element differs, and how many others."""
    element, others = reader.element, reader.count - 1
    if others < 0:
        return ""
    number = ", ".join(map(str, element.index))
    what = f"neuron {number}" if element.kind != SYNAPSE else f"synapse [{number}]" if len(element.index) > 1 else ""
    what = (what or f"bias [{number}]") + ("" if element.example is None else f" in example {element.example}")
    return f"; it changes {what} " + (f"and {others:,} other" + "s" * (others > 1) if others else "alone")


def _spelled(leak: Leak) -> str:
    if leak.key is None:
        return "a hidden value from an earlier call"
    owner, _, cycle = leak.key
    what = address_text(leak.key)
    if leak.index is None:
        return f"several elements of {what}"
    if owner == "data" or len(leak.index) == 1:
        return f"{what}[{', '.join(map(str, leak.index))}]"
    names: Sequence[str] = ("replica", "example", "neuron") if cycle is not None else ("replica", "post", "pre")
    return f"{what}, " + ", ".join(f"{n} {i}" for n, i in zip(names, leak.index, strict=False))


def leak_at(key: Key, array: Array, position: int | None) -> Leak:
    """Make the leak at a flat position of an array; None: at several positions."""
    index = None if position is None else tuple(int(i) for i in np.unravel_index(position, array.shape))
    return Leak(key, index, array.shape)
