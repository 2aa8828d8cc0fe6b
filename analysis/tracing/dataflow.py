"""What followed from what in the last presentation: its timetables as they ran, and who made what each event read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import NoReturn

from circuitsim.engine.evidence import Record
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import Access, Key, Mode
from circuitsim.timetable.schedule import Entry, Schedule


@dataclass(frozen=True)
class Segment:
    """One timetable as it ran: the presentation, or one wave of a mirror mode after it.

    schedule : the timetable. records : what happened, in order. first : the place of its first record among all of
    them. start : ticks since the first segment began. wave : None for the presentation, else the mirror mode's number.
    """

    schedule: Schedule
    records: tuple[Record, ...]
    first: int
    start: int
    wave: int | None

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What each record's event touches, in the order of the records."""
        known = {entry.event: entry for entry in self.schedule.entries}
        return tuple(known[record.event] for record in self.records)

    @cached_property
    def sources(self) -> tuple[dict[Key, tuple[int, ...]], ...]:
        """For each record, the records of this segment that made what it read, by the array's address."""
        return tuple(_sources(self.entries))

    @property
    def batch(self) -> int:
        """How many examples were shown."""
        return next(int(array.shape[1]) for r in self.records for key, array in r.made.items() if key[2] is not None)


def segments(simulator: Simulator, *, what: str) -> list[Segment]:
    """The last presentation's segments; `what` is told that there is no evidence of any.

    Raises
    ------
    CircuitError : the simulator records no evidence, or nothing has been presented.
    """
    if simulator.evidence is None:
        _refuse(what, "a simulator without evidence", "Make it with Simulator(..., evidence=True), and present() rows.")
    if not simulator.evidence.records:
        _refuse(what, "a simulator that has shown nothing yet", "Call use() with examples, then present() with rows.")
    return list(_split(simulator.schedules, simulator.evidence.records))


def cycle_of(entry: Entry) -> int | None:
    """The cycle that an event belongs to; None for what changes no activity."""
    return next((a.cycle for a in entry.accesses if a.mode is not Mode.READ and a.cycle is not None), None)


def spell(key: Key, subject: str = "") -> str:
    """An array's address as people write it, shorter where it is the subject's own."""
    owner, quantity, cycle = key
    return ("" if owner == subject else f"{owner}.") + quantity + ("" if cycle is None else f"({cycle})")


def _split(schedules: Sequence[Schedule], records: Sequence[Record]) -> Iterator[Segment]:
    """The presentation comes first, unless mirror mode ran alone; then the mirror modes take turns."""
    began = {schedule.entries[0].event: index for index, schedule in reversed(list(enumerate(schedules)))}
    first, start = 0, 0
    turns = count(began[records[0].event])
    while first < len(records):
        turn = next(turns)
        which = turn if turn < len(schedules) else 1 + (turn - 1) % (len(schedules) - 1)
        schedule = schedules[which]
        happened = tuple(records[first : first + len(schedule.entries)])
        yield Segment(schedule, happened, first, start, which - 1 if which else None)
        first, start = first + len(happened), start + schedule.duration


def _sources(entries: Sequence[Entry]) -> Iterator[dict[Key, tuple[int, ...]]]:
    made: dict[Key, tuple[int, ...]] = {}
    for index, entry in enumerate(entries):
        yield {
            a.key: found
            for a in entry.accesses
            if a.mode is not Mode.WRITE and (found := _of_others(a, entry, made.get(a.key, ()), entries))
        }
        for a in entry.accesses:
            if a.mode is not Mode.READ:
                made[a.key] = (*made.get(a.key, ()), index) if a.mode is Mode.ADD else (index,)


def _of_others(access: Access, entry: Entry, made: tuple[int, ...], entries: Sequence[Entry]) -> tuple[int, ...]:
    """Contributions of one phase to a sum commute: none of them follows from another."""
    if access.mode is not Mode.ADD:
        return made
    return tuple(index for index in made if entries[index].event.phase != entry.event.phase)


def _refuse(what: str, got: str, remedy: str) -> NoReturn:
    raise CircuitError(what, got=got, expected="the evidence of a presentation", remedy=remedy)
