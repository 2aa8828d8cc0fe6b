"""Schedule: the timetable of one presentation, derived from a circuit's delays.

A run of the event queue that computes nothing (`causality.py`) gives the events. Events whose results nothing needs are
dropped, and the age of every reading is compared with the window. Pure: no arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.display import as_html
from circuitsim.errors import ScheduleError
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Access, Finding, Key, Mode, Reading, verdict
from circuitsim.phases import update
from circuitsim.phases.reading import NEURONS, learning_of, readings, step_of, traces_of
from circuitsim.timetable import overlap
from circuitsim.timetable.causality import unroll
from circuitsim.timetable.crossing import crossings
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.protocol import Protocol, Updates, active
from circuitsim.timetable.retention import check_retention, fired_before, last_firings, retentions


@dataclass(frozen=True)
class Row:
    """One reading of a rule at the tick `used`; its age is the number of ticks since it was written.

    owner : the population or projection that has the quantity.
    """

    projection: str
    rule: str
    reading: Reading
    age: int
    used: int
    owner: str


@dataclass(frozen=True)
class Schedule:
    """The timetable of one presentation.

    entries : the events in the order of their keys. window : ticks that neurons remember. rows : the age of each
    reading of a rule. length : ticks of a presentation. duration : ticks from one presentation's start to the next.
    """

    circuit: Circuit
    protocol: Protocol
    entries: tuple[Entry, ...]
    window: int
    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        return f"<Schedule of {self.circuit.name}: {len(self.entries)} events in {self.length} ticks>"

    def _repr_html_(self) -> str | None:
        return as_html("schedule", self)

    @property
    def duration(self) -> int:
        """Ticks from the start of a presentation to the start of the next one."""
        return self.length if self.protocol.interval is None else self.protocol.interval

    @cached_property
    def length(self) -> int:
        """Ticks of one presentation."""
        return overlap.length(self._lines)

    @cached_property
    def memories(self) -> int:
        """Number of examples of which a neuron holds the same quantity at once."""
        return overlap.memories(self._lines, self.duration)

    def shortest_interval(self, memories: int | None = None) -> int:
        """Return the fewest ticks between presentations if a neuron holds at most `memories` examples at once."""
        return overlap.shortest_interval(self.circuit, self._lines, memories)

    @cached_property
    def _lines(self) -> list[tuple[Event, tuple[Access, ...]]]:
        return [(e.event, e.accesses) for e in self.entries]

    @cached_property
    def retained(self) -> dict[Key, int]:
        """Ticks, below zero, at which neurons fired the activity of the presentation before that they retain."""
        return fired_before(self.circuit, self.entries, self.duration)

    @cached_property
    def windows(self) -> dict[str, int]:
        """Smallest window in ticks that the rules of each learning projection need."""
        found: dict[str, int] = {name: 0 for name, _ in active(self.circuit, self.protocol)}
        for row in self.rows:
            found[row.projection] = max(found[row.projection], row.age)
        return found

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Violations of locality in space or time."""
        ages = ((row.projection, row.rule, row.reading, row.age) for row in self.rows)
        wires = () if self.protocol.mirror else self.circuit.wires  # a wire is reported once
        return verdict(wires, ages, self.window)

    @cached_property
    def crossings(self) -> tuple[str, ...]:
        """Synapses that carry two signals in one tick, each in a sentence."""
        return crossings(self.circuit, self.entries)

    def table(self) -> list[tuple[str, ...]]:
        """Return printable rows, one for each event: tick, phase, subject, cycle, quantities read, quantities changed.

        Rates, coefficients and counters are left out; `entries` has all accesses.
        """
        return [
            (
                str(e.event.tick),
                phases.name(e.event),
                phases.subject(self.circuit, e.event),
                str(e.event.detail) if e.event.phase < phases.PLASTICITY else "",
                ", ".join(_spell(a) for a in e.accesses if a.mode is Mode.READ and _of_signals(a)),
                ", ".join(_spell(a) for a in e.accesses if a.mode is not Mode.READ and _of_signals(a)),
            )
            for e in self.entries
        ]


def make_schedules(circuit: Circuit, protocol: Protocol) -> tuple[Schedule, ...]:
    """Return the schedule of a presentation, followed by those of the mirror modes."""
    shared = Protocol(learn=protocol.learn, groups=protocol.groups, window=protocol.window)
    waves = (replace(shared, mirror=m.projection) for m in circuit.mirrors)
    return make_schedule(circuit, protocol), *(make_schedule(circuit, wave) for wave in waves)


def make_schedule(circuit: Circuit, protocol: Protocol) -> Schedule:
    """Derive the schedule of a presentation from the circuit's delays.

    Every event happens at the first tick at which all its causes have happened. A rule is evaluated at the first tick
    at which all its readings exist. Updates follow the last event.

    Parameters
    ----------
    circuit : the populations and projections, with their delays.
    protocol : the cycles of a presentation, its rules and its readouts.

    Raises
    ------
    ScheduleError : a population never fires in cycle 0, a rule reads a cycle that does not happen, or one older than
        the window; examples follow each other too fast; a group has no rules.
    """
    Circuit.check_untouched(circuit)
    _check_groups(circuit, protocol)
    check_retention(circuit, protocol)
    happened = unroll(circuit, protocol)
    _check_readouts(circuit, protocol, happened)
    last = last_firings(circuit, happened) if protocol.learn else []
    entries = _needed(circuit, {*protocol.readouts, *last}, happened)
    if protocol.learn:
        entries = _with_updates(circuit, protocol, entries)
        entries += retentions(circuit, last, entries[-1].event.tick if entries else 0)
    lines = [(e.event, e.accesses) for e in entries]
    overlap.hold_interval(circuit, protocol, lines)
    rows = _ages(circuit, entries, fired_before(circuit, entries, protocol.interval or overlap.length(lines)))
    needed = max((row.age for row in rows), default=0)
    window = needed if protocol.window is None else protocol.window
    _hold_window(circuit, rows, window)
    return Schedule(circuit, protocol, tuple(entries), window, tuple(rows))


def check_handover(old: Schedule | None, new: Schedule) -> None:
    """Raise ScheduleError if a rule would read the last activity under another protocol later than the window allows.

    Parameters
    ----------
    old, new : the timetables of the presentation before, None if there was none, and of those that follow.
    """
    if old is None:
        return
    retained = {key[0]: tick for key, tick in old.retained.items()}
    rows = [row for row in new.rows if row.reading.cycle == BEFORE]
    if rows and not old.protocol.learn:
        raise ScheduleError(
            f"rule {rows[0].rule} of projection {rows[0].projection}",
            got=f"{rows[0].reading.place.value}.at({BEFORE}) after a presentation that does not teach",
            expected="presentations that teach, in which neurons retain their activity",
            remedy="Show examples without learning by `observe`, which takes no time.",
        )
    _hold_window(new.circuit, [replace(r, age=r.used - retained[r.owner]) for r in rows], new.window)


def _check_groups(circuit: Circuit, protocol: Protocol) -> None:
    known = sorted({p.group for p in circuit.plasticity})
    for group in protocol.groups or ():
        if group not in known:
            raise ScheduleError(
                f"group {group!r} of rules",
                got=f"no rule of circuit {circuit.name} in it",
                expected=f"one of {', '.join(map(repr, known))}",
                remedy="Correct Protocol.groups, or put a Plasticity into the group.",
            )


def _check_readouts(circuit: Circuit, protocol: Protocol, happened: list[Event]) -> None:
    made = {a.key for event in happened for a in phases.accesses(circuit, event) if a.mode is not Mode.READ}
    for key in protocol.readouts:
        if key not in made:
            raise ScheduleError(
                f"readout {key}",
                got="a quantity that nothing makes",
                expected=f"(population, O, E, S or slope, cycle), one that happens in circuit {circuit.name}",
                remedy="Correct it, or recirculate more often.",
            )


def _needed(circuit: Circuit, needed: set[Key], happened: list[Event]) -> list[Entry]:
    """Drop the events whose results no later event, rule, or reader after the presentation needs."""
    kept: list[Entry] = []
    for event in reversed(happened):
        touched = phases.accesses(circuit, event)
        rule = event.phase in (phases.PLASTICITY, phases.UPDATE)
        made = [a for a in touched if a.mode is not Mode.READ and (rule or a.key in needed)]
        if made:
            read = [a for a in touched if a.mode is Mode.READ or a.mode is Mode.ADD]
            needed.update(a.key for a in read)
            kept.append(Entry(event, tuple(a for a in touched if a in read or a in made)))
    return kept[::-1]


def _with_updates(circuit: Circuit, protocol: Protocol, entries: list[Entry]) -> list[Entry]:
    """Append the updates after the last event, in the order of their keys, then the bounds."""
    last = entries[-1].event.tick if entries else 0
    # of a clocked protocol's rules some may run at no step: their increments are of another protocol
    learning = sorted({e.event.which for e in entries if e.event.phase == phases.PLASTICITY})
    detail = update.AT_LAST if protocol.updates is Updates.EITHER else update.CERTAIN
    left = learning if protocol.updates is not Updates.AT_ONCE else []
    events = [Event(last, phases.UPDATE, index, detail) for index in left]
    bounded = [index for index, p in enumerate(circuit.populations) if p.bounded and not protocol.mirror]
    events += [Event(last, phases.BOUND, index) for index in bounded]
    return entries + [Entry(event, phases.accesses(circuit, event)) for event in events]


def _ages(circuit: Circuit, entries: list[Entry], retained: Mapping[Key, int]) -> list[Row]:
    written, rows = dict(retained), []
    for entry in entries:
        now = entry.event.tick
        if entry.event.phase in (phases.TRACE, phases.PLASTICITY):
            name = circuit.projections[entry.event.which].name
            learning = learning_of(circuit, entry.event)
            rules = traces_of(circuit, learning) if entry.event.phase == phases.TRACE else None
            for rule, reading, key in readings(circuit, learning, step_of(circuit, entry.event), rules):
                at = written[key] if reading.place in NEURONS else now
                rows.append(Row(name, rule, reading, now - at, now, key[0]))
        written.update({a.key: now for a in entry.accesses if a.mode is Mode.WRITE})
    return list(dict.fromkeys(rows))


def _hold_window(circuit: Circuit, rows: list[Row], window: int) -> None:
    for row in sorted(rows, key=lambda r: -r.age):
        if row.age > window:
            raise ScheduleError(
                f"rule {row.rule} of projection {row.projection}",
                got=f"{row.reading.place.value}.at({row.reading.cycle}), {row.age} ticks old when it is read",
                expected=f"nothing older than the window of {window} ticks of circuit {circuit.name}",
                remedy=f"Set the window to {row.age} or more, or shorten the delays.",
            )


def _of_signals(access: Access) -> bool:
    return access.cycle is not None or access.quantity in ("x", "weight", "bias", "increment")


def _spell(access: Access) -> str:
    cycle = "" if access.cycle is None else f"({access.cycle})"
    return f"{access.owner}.{access.quantity}{cycle}"
