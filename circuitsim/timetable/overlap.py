"""Overlapping presentations: the intervals that a timetable allows, and the number of examples that neurons then hold.

A presentation starts every `interval` ticks. A neuron cannot fire for two examples in one tick, and a value of one
example must not be overwritten by the next before its last use. Pure: no arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from circuitsim import phases
from circuitsim.circuit.checks.common import whole
from circuitsim.circuit.circuit import Circuit
from circuitsim.errors import ScheduleError
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Access, Key, Mode
from circuitsim.phases import FIRING
from circuitsim.timetable.protocol import Protocol

Entries = Sequence[tuple[Event, tuple[Access, ...]]]
OF_SYNAPSES = ("increment", "bias_increment")


@dataclass(frozen=True)
class Life:
    """Lifetime of one value of a presentation: its address, the event that makes it, the last event that uses it."""

    key: Key
    made: Event
    used: Event

    def live_examples(self, interval: int) -> int:
        """Return the number of examples whose values exist at once."""
        held = 1
        while self.made._replace(tick=self.made.tick + held * interval) < self.used:
            held += 1
        return held


def lives(entries: Entries) -> list[Life]:
    """Return the lifetimes of the neurons' values and the synapses' increments that a presentation makes."""
    made: dict[Key, Event] = {}
    used: dict[Key, Event] = {}
    for event, accesses in entries:
        for access in accesses:
            if access.cycle is None and access.quantity not in OF_SYNAPSES:
                continue
            if access.mode is not Mode.READ:
                made.setdefault(access.key, event)
            used[access.key] = event
    return [Life(key, first, used[key]) for key, first in made.items()]


def memories(entries: Entries, interval: int) -> int:
    """Return the largest number of examples of which a neuron holds the same quantity at once."""
    return max((life.live_examples(interval) for life in lives(entries) if life.key[2] is not None), default=1)


def length(entries: Entries) -> int:
    """Return the ticks from the first event of a presentation to its last, both included."""
    return entries[-1][0].tick + 1 if entries else 1


def hold_interval(circuit: Circuit, protocol: Protocol, entries: Entries) -> None:
    """Raise ScheduleError if presentations at the protocol's interval disturb each other."""
    interval = protocol.interval
    limits = (("interval", interval, 1), ("memories", protocol.memories, 1), ("labelled", protocol.labelled, 0))
    for name, value, least in limits:
        if value is not None and (not whole(value) or value < least):
            expected = f"a whole number >= {least}"
            raise ScheduleError(f"{name} of a protocol", got=repr(value), expected=expected, remedy="Correct it.")
    for got, expected in _firing_together(circuit, entries, length(entries)):
        remedy = "Give the loops delays with which they do not meet."
        raise ScheduleError(f"presentation to circuit {circuit.name}", got=got, expected=expected, remedy=remedy)
    if interval is None:
        return
    for got, expected in _obstacles(circuit, entries, interval, protocol.memories):
        fits = shortest_interval(circuit, entries, protocol.memories, beyond=interval)
        raise ScheduleError(
            f"presentation interval of {interval} ticks",
            got=got,
            expected=expected,
            remedy=f"Present every {fits} ticks"
            + (", or let neurons remember more examples." if "remembers" in got else ".")
            + (" Updates at once free the increments earlier." if "increments" in got else ""),
        )


def shortest_interval(circuit: Circuit, entries: Entries, most: int | None = None, beyond: int = 0) -> int:
    """Return the smallest interval above `beyond` if a neuron holds at most `most` examples (None: any number).

    A longer interval may fail: a neuron's second firing can coincide with its first firing for the next example.
    """
    return next(interval for interval in count(beyond + 1) if not any(_obstacles(circuit, entries, interval, most)))


def _obstacles(circuit: Circuit, entries: Entries, interval: int, most: int | None) -> Iterator[tuple[str, str]]:
    """Yield each obstacle to an interval, with what is expected in its place."""
    yield from _firing_together(circuit, entries, interval)
    read = [access for _, accesses in entries for access in accesses if access.cycle == BEFORE]
    if read and interval < length(entries):
        what = f"a rule that reads {read[0].owner} at cycle {BEFORE}, the presentation before, which has not ended"
        yield what, f"at least {length(entries)} ticks, a presentation"
    for life in lives(entries):
        held = life.live_examples(interval)
        owner, quantity, cycle = life.key
        if cycle is None and held > 1:
            yield f"increments of {owner} that wait for their update until the next ones come", "an update before that"
        elif most is not None and held > most:
            what = f"{owner}, which remembers {quantity}({cycle}) of {held} examples at once"
            yield what, f"no more than {most}"


def _firing_together(circuit: Circuit, entries: Entries, interval: int) -> Iterator[tuple[str, str]]:
    fired: dict[tuple[str, int], Event] = {}
    for event, _ in entries:
        if event.phase in FIRING:
            name = phases.subject(circuit, event)
            other = fired.setdefault((name, event.tick % interval), event)
            # replaced neurons turn to the feedback signal as soon as they have fired
            turns = event.phase == phases.REPLACEMENT and other.tick == event.tick
            if other != event and not turns:
                what = f"{name}, which fires in cycle {other.detail} and in cycle {event.detail} in the same tick"
                yield what, "neurons that fire once in a tick"
