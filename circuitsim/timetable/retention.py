"""Retention: what rules that read `at(-1)` need of a timetable: last firings, the ages of these, and what is refused.

Pure: no arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.errors import ScheduleError
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Key, Mode, Reading
from circuitsim.phases.reading import retained, rules_of
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.protocol import Protocol


def check_retention(circuit: Circuit, protocol: Protocol) -> None:
    """Raise ScheduleError for a rule that reads `at(-1)` where that is no activity of a presentation before.

    In a clocked circuit `at(k)` counts steps. In one with mirror mode neurons fire noise between presentations.
    """
    found = next(_readers(circuit), None) if protocol.learn and (protocol.clock or circuit.mirrors) else None
    if found is None:
        return
    projection, rule, reading = found
    what = "a clock" if protocol.clock else f"mirror mode of projection {circuit.mirrors[0].projection}"
    expected = "at(k) of a step, k >= 0" if protocol.clock else "neurons that are silent between presentations"
    remedy = "Read an earlier step" if protocol.clock else "Remove the mirror mode, whose noise such neurons fire last"
    raise ScheduleError(
        f"rule {rule} of projection {projection}",
        got=f"{reading.place.value}.at({BEFORE}), the presentation before, and {what}",
        expected=expected,
        remedy=f"{remedy}, or let the rule read cycles >= 0.",
    )


def _readers(circuit: Circuit) -> Iterator[tuple[str, str, Reading]]:
    for name, rules in circuit.rules.items():
        for learning in rules:
            for _, rule in rules_of(circuit, learning):
                yield from ((name, rule.name, r) for r in rule.certificate.readings if r.cycle == BEFORE)


def last_firings(circuit: Circuit, happened: Sequence[Event]) -> list[Key]:
    """Return the address of the last activity of each population that retains it, in the circuit's order."""
    last: dict[str, int] = {}
    made = (a for event in happened for a in phases.accesses(circuit, event) if a.mode is not Mode.READ)
    for owner, quantity, cycle in (a.key for a in made):
        if quantity == "O" and cycle is not None:
            last[owner] = max(cycle, last.get(owner, cycle))
    return [(name, "O", last[name]) for name in retained(circuit)]


def retentions(circuit: Circuit, last: Iterable[Key], tick: int) -> list[Entry]:
    """Return the events in which populations retain their last activity, at the end of a presentation."""
    events = [Event(tick, phases.RETENTION, circuit.index[name], cycle) for name, _, cycle in last if cycle is not None]
    return [Entry(event, phases.accesses(circuit, event)) for event in events]


def fired_before(circuit: Circuit, entries: Iterable[Entry], duration: int) -> dict[Key, int]:
    """Return the ticks, below zero, at which neurons fired what they retain, if presentations follow without a gap."""
    fired: dict[Key, int] = {}
    found: dict[Key, int] = {}
    for entry in entries:
        event = entry.event
        fired.update({a.key: event.tick for a in entry.accesses if a.mode is Mode.WRITE})
        if event.phase == phases.RETENTION:
            name = circuit.populations[event.which].name
            found[name, "O", BEFORE] = fired[name, "O", event.detail] - duration
    return found
