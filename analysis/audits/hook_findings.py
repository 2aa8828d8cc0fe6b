"""Names of what a hook carries: the kind of a finding, what was read, how wide it is and how old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuitsim.analysis.audits.hook_memory import NUMBERS, name_of
from circuitsim.analysis.audits.permitted import SYNAPSE, Element
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.hooks import Hook
from circuitsim.locality import REMEDIES, Finding, Key

EARLIER = "of an earlier call"


@dataclass(frozen=True)
class Source:
    """An array on which what a hook changes depends.

    Parameters
    ----------
    block : its number. keys : its addresses. index : an element that suffices; None where several are needed.
    age : calls between reading and use; None: more than are looked at.
    """

    block: int
    keys: tuple[Key, ...]
    index: tuple[int, ...] | None
    age: int | None

    @property
    def key(self) -> Key:
        """The address by which it is named: activity rather than the summed input in the same memory."""
        return sorted(self.keys, key=lambda key: key[1] in ("S", "slope"))[0]


def scalar(circuit: Circuit, element: Element | None, source: Source) -> bool:
    """Tell if a source is elsewhere, so that a single number of it that reaches many synapses is a third factor."""
    return element is not None and kind_of(circuit, element, source) != "lateral"


def kind_of(circuit: Circuit, element: Element, source: Source) -> str:
    """Return the kind of the violation, as in `audit.json`."""
    owner, _, cycle = source.key
    if owner in ("data", "hook"):
        return "remote-error" if source.key == NUMBERS else "remote-target"
    if cycle is not None:
        return _of_activity(circuit, element, source)
    projections = {q.name: q for q in circuit.projections}
    if owner not in projections:
        return "lateral"  # another replica's parameter
    own = projections.get(element.owner)
    if projections[owner].target == (own.target if own else element.owner):
        return "lateral"
    if element.kind != SYNAPSE or source.index is None:
        return "weight-transport"
    if source.index[0] != element.replica and len(source.index) > 1:
        return "lateral"
    same, turned = source.index[1:] == element.index, source.index[1:] == element.index[::-1]
    return "weight-sharing" if same and not (turned and len(element.index) > 1) else "weight-transport"


def _of_activity(circuit: Circuit, element: Element, source: Source) -> str:
    population = source.key[0]
    if circuit.population(population).site in [site for site, _ in element.neurons]:
        return "lateral"
    return "remote-target" if population == circuit.labels else "remote-error"


def named(
    circuit: Circuit,
    hook: Hook,
    rule: str,
    keys: Sequence[Key],
    element: Element | None,
    sources: Sequence[Source],
    width: int,
    when: tuple[int, int],
) -> Finding:
    """Return the finding about one array that a hook changes.

    Parameters
    ----------
    rule : the hook and its line. keys : the addresses of the array. element : one that differs.
    sources : what it depends on; none: something that is in no array. width : 1 for one number from several sources.
    when : the first call in which it shows, and the number of calls.
    """
    call = "" if not when[0] else f", in call {when[0] + 1:,} of {when[1]:,}"
    target = _projection(circuit, keys[0], element, "")
    if not sources:
        read = "a random number of no seed, a clock, or a thread: two equal calls differ"
        return _finding("time-window", target, rule, read + call)
    names = " and ".join(dict.fromkeys(name_of(source.key) for source in sources))
    ages = [source.age for source in sources]
    old = "older" if None in ages else f"{max(a for a in ages if a is not None)} calls old"
    if width == 1 and sources[0].key == NUMBERS:
        names = f"{names} (width 1)"
    elif width == 1:
        names = f"one number from elsewhere (width 1, {old}), made from {names}"
    elif ages != [0]:
        names = f"{names} {EARLIER}"
    assert element is not None
    kind = kind_of(circuit, element, sources[0])
    if width == 1:
        kind = "third-factor" if hook.third_factor else "remote-error"
        names += f", declared as {hook.third_factor}" if hook.third_factor else ""
    return _finding(kind, _projection(circuit, keys[0], element, kind), rule, names + call)


def _finding(kind: str, projection: str, rule: str, read: str) -> Finding:
    return Finding(kind, projection, rule, read, "remote", None, REMEDIES[kind])


def _projection(circuit: Circuit, key: Key, element: Element | None, kind: str) -> str:
    """Return the projection whose learning is affected: the array's own, or one of the neurons' synapses."""
    if key[2] is None:
        return circuit.inputs if key[0] == "data" else key[0]
    if kind == "lateral" and not circuit.population(key[0]).feedback:
        names = [q.name for q in circuit.incoming[key[0]]]
    else:
        names = [
            p.projection for p in circuit.plasticity if key[0] == (p.post or circuit.projection(p.projection).target)
        ]
    return next(iter(names), key[0])
