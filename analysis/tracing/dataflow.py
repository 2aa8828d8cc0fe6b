"""Dataflow of a presentation: its timetables as they ran, and the events that made what each event read."""

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
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.schedule import Schedule


@dataclass(frozen=True)
class Segment:
    """One timetable as it ran: the presentation, or one wave of a mirror mode after it.

    schedule : the timetable. records : its events, in order. first : the number of its first record among all records.
    start : ticks since the first segment began. wave : None for the presentation, else the mirror mode's number.
    """

    schedule: Schedule
    records: tuple[Record, ...]
    first: int
    start: int
    wave: int | None

    @cached_property
    def sources(self) -> tuple[dict[Key, tuple[int, ...]], ...]:
        """The records of this segment that made what each record read, by the array's address."""
        known = {entry.event: entry for entry in self.schedule.entries}
        return tuple(sources([known[record.event] for record in self.records]))

    @property
    def batch(self) -> int:
        """Number of examples shown."""
        return next(int(array.shape[1]) for r in self.records for key, array in r.made.items() if key[2] is not None)


def segments(simulator: Simulator, *, what: str) -> list[Segment]:
    """Return the last presentation's segments; `what` names, in an error, the result that needs them.

    Raises
    ------
    CircuitError : the simulator records no evidence, or nothing has been presented.
    """
    if simulator.evidence is None:
        _refuse(what, "a simulator without evidence", "Make it with Simulator(..., evidence=True), and present() rows.")
    if not simulator.evidence.records:
        _refuse(what, "a simulator that has presented nothing", "Call use() with examples, then present() with rows.")
    return list(_split(simulator.schedules, simulator.evidence.records))


def cycle_of(record: Record) -> int | None:
    """Return the cycle of the activity that an event changed; None where it changed none."""
    return next((cycle for _, _, cycle in record.made if cycle is not None), None)


def address_text(key: Key, subject: str = "") -> str:
    """Write an array's address as owner.quantity(cycle), without the owner where it is the subject."""
    owner, quantity, cycle = key
    return ("" if owner == subject else f"{owner}.") + quantity + ("" if cycle is None else f"({cycle})")


def sources(entries: Sequence[Entry]) -> Iterator[dict[Key, tuple[int, ...]]]:
    """Yield, for each entry, the numbers of the earlier entries that made what it reads, by address."""
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


def _split(schedules: Sequence[Schedule], records: Sequence[Record]) -> Iterator[Segment]:
    """Split the records: first the presentation, unless mirror mode ran alone, then the mirror modes in turn."""
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


def _of_others(access: Access, entry: Entry, made: tuple[int, ...], entries: Sequence[Entry]) -> tuple[int, ...]:
    """Drop contributions of the same phase to a sum: they commute, so none follows from another."""
    if access.mode is not Mode.ADD:
        return made
    return tuple(index for index in made if entries[index].event.phase != entry.event.phase)


def _refuse(what: str, got: str, remedy: str) -> NoReturn:
    raise CircuitError(what, got=got, expected="the evidence of a presentation", remedy=remedy)
