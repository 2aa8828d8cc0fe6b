"""A timetable recorded once, with all memory before and after every step, so that it can be run and disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array, Comparison, Draw, MemoryBlocks
from circuitsim.analysis.audits.scene import Arrays, Scene, Ticks, parameter_keys
from circuitsim.analysis.sandbox import opened, sandbox
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Key, Mode
from circuitsim.lowering.links import links
from circuitsim.phases import FIRING
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.schedule import Schedule

OF_SIGNALS = ("S", "O", "E", "slope", "normal", "winner")


@dataclass(frozen=True)
class Recording:
    """One timetable, laid open. `at[k]` is all memory before entry k, `at[-1]` after the last; never change it."""

    schedule: Schedule
    part: BoundPlan
    memory: MemoryBlocks
    at: Sequence[Sequence[Array]]

    @property
    def circuit(self) -> Circuit:
        """The circuit that runs."""
        return self.schedule.circuit

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The timetable's entries."""
        return self.part.entries

    @cached_property
    def arrays(self) -> dict[Key, Array]:
        """All memory by address, the row numbers included."""
        return {**self.part.arrays, ("data", "rows", None): self.part.rows}

    @cached_property
    def written(self) -> list[dict[Key, int]]:
        """Ticks at which each activity was written, before each entry and after the last; below 0 if it is retained."""
        return written(self.circuit, self.arrays, self.entries, self.schedule.retained)

    @cached_property
    def replicas(self) -> int:
        """Number of replicas."""
        return next(len(a) for (_, quantity, _), a in self.arrays.items() if quantity == "weight")

    def subject(self, index: int) -> str:
        """Return the name of the population or projection to which an entry happens."""
        return phases.subject(self.circuit, self.entries[index].event)

    @cached_property
    def made(self) -> list[list[Key]]:
        """The addresses that each entry declares to change, and those that it changed."""
        pairs = enumerate(self.changed)
        changed = ((k, [self.memory.keys[block][0] for block in blocks]) for k, blocks in pairs)
        return [list(dict.fromkeys([*self._declared(k), *keys])) for k, keys in changed]

    @cached_property
    def makes(self) -> list[list[int]]:
        """The blocks in which these lie."""
        return [list(dict.fromkeys(self.memory.of[key] for key in keys)) for keys in self.made]

    @cached_property
    def changed(self) -> list[list[int]]:
        """The blocks of memory that each undisturbed entry changed."""
        steps = (enumerate(zip(before, after, strict=True)) for before, after in pairwise(self.at))
        return [[block for block, (first, then) in step if first is not then] for step in steps]

    def undeclared(self, index: int) -> list[int]:
        """Return the blocks that an entry changed without declaring it."""
        declared = {self.memory.of[key] for key in self._declared(index)}
        return [block for block in self.changed[index] if block not in declared]

    def _declared(self, index: int) -> list[Key]:
        return [a.key for a in self.entries[index].accesses if a.mode is not Mode.READ and a.key in self.memory.of]

    def later(self, index: int) -> frozenset[Key]:
        """Return the activity that only later entries write, in blocks that this entry does not write."""
        fresh = {self.memory.of[key] for key in self.written[index + 1]}
        return frozenset(key for key in self.written[-1] if self.memory.of[key] not in fresh)

    def scene(self, index: int, *, window: bool, arrays: Arrays | None = None) -> Scene:
        """Return the scene before an entry; with `window`, only activity within the window is held."""
        found = self.arrays if arrays is None else arrays
        return Scene(self.circuit, found, self.ticks(index, window=window), self._constant)

    @cached_property
    def _constant(self) -> tuple[Key, ...]:
        return parameter_keys(self.arrays)

    @cached_property
    def constant(self) -> list[int]:
        """The blocks of parameters."""
        return [self.memory.of[key] for key in self._constant]

    def ticks(self, index: int, window: bool) -> Ticks:
        """Return when activity was written before an entry; with `window`, only activity within the window."""
        if not window:
            return self.written[index]
        return {key: tick for key, tick in self.written[index].items() if self.holds(key, index)}

    def holds(self, key: Key, index: int) -> bool:
        """Tell if an activity is held before an entry: written, and within the window."""
        tick = self.written[index].get(key)
        return tick is not None and self._now(index) - tick <= self.schedule.window

    @cached_property
    def aged(self) -> list[list[int]]:
        """The blocks of activity that no longer is within the window, before each entry and after the last."""
        found = [list[int]()]
        for index, before in enumerate(self.written[:-1]):
            oldest, now = (self._now(k) - self.schedule.window for k in (index, index + 1))
            found.append([self.memory.of[key] for key, tick in before.items() if oldest <= tick < now])
        return found

    def _now(self, index: int) -> int:
        return self.entries[min(index, len(self.entries) - 1)].event.tick


@contextmanager
def recordings(simulator: Simulator, rows: Any, random: np.random.Generator) -> Iterator[tuple[Recording, ...]]:
    """Record a presentation of these examples and a wave of each mirror mode; arguments are those of `sandbox`."""
    with sandbox(simulator, rows) as parts:
        pairs = zip(simulator.schedules, parts, strict=True)
        yield tuple(recorded(schedule, part, random) for schedule, part in pairs if part.entries)


def recorded(schedule: Schedule, part: BoundPlan, random: np.random.Generator) -> Recording:
    """Run a timetable once, undisturbed, and keep all memory before and after every step."""
    if _COUNT in part.arrays:
        part.arrays[_COUNT][...] = 0  # periodic events happen in presentation 0
    arrays = {**part.arrays, ("data", "rows", None): part.rows}
    circuit = schedule.circuit
    data = next((a for key, a in part.arrays.items() if key[0] == "data" and key[1] != "y"), None)
    below: dict[Key, int] = {("data", "rows", None): 1 if data is None else len(data)}
    classes = bool(circuit.labels) and not circuit.real_targets
    if classes:
        below["data", "y", None] = circuit.population(circuit.labels).size
    below |= {key: _choices(circuit, key[0]) for key in arrays if key[1] == "winner"}
    labels: list[Key] = [(circuit.labels, "O", 0)] if classes else []
    memory = MemoryBlocks(arrays, below, random, labels)
    at = [memory.copy()]
    comparison = Comparison(memory, at[0])
    for step in part.bare:
        step()
        after = list(at[-1])
        for block in comparison.differing():
            after[block] = memory.blocks[block].copy()
            comparison.expect(block, after[block])
        at.append(after)
    return Recording(schedule, part, memory, at)


def _choices(circuit: Circuit, pool: str) -> int:
    """Return one more than the largest number by which a pooling neuron remembers which synapses won."""
    (q,) = circuit.incoming[pool]
    found = links(circuit, q)
    taps = int(found.taps.max()) + 1
    return 1 << taps if found.ties == "all" else taps


def rebound(simulator: Simulator, recordings: Sequence[Recording]) -> Iterator[tuple[Recording, BoundPlan]]:
    """Yield each recording with the same timetable bound anew while memory held something else.

    A step that copied memory when it was bound holds another copy now.
    """
    for recording in recordings:
        recording.memory.load(recording.memory.draw(Draw.ORDINARY))
    simulator.unbind()
    yield from _paired(simulator, recordings, slice(None))


def singly(simulator: Simulator, recordings: Sequence[Recording]) -> Iterator[tuple[Recording, BoundPlan]]:
    """Yield each recording with the same timetable for presentations of one example."""
    yield from _paired(simulator, recordings, slice(1))


_COUNT = ("circuit", "presentation", None)


def _paired(
    simulator: Simulator, recordings: Sequence[Recording], examples: slice
) -> Iterator[tuple[Recording, BoundPlan]]:
    if recordings:
        parts = opened(simulator, recordings[0].part.rows[:, examples].shape[-1])
        yield from zip(recordings, (part for part in parts if part.entries), strict=True)


def written(
    circuit: Circuit, arrays: Arrays, entries: Sequence[Entry], retained: Mapping[Key, int]
) -> list[dict[Key, int]]:
    """Return when each activity was written, before each entry and after the last.

    Parameters
    ----------
    retained : when that of the presentation before was.
    """
    ticks = [dict(retained)]
    for entry in entries:
        fresh = {key: entry.event.tick for key in _written_by(circuit, entry.event) if key in arrays}
        ticks.append({**ticks[-1], **fresh})
    return ticks


def _written_by(circuit: Circuit, event: Event) -> list[Key]:
    if event.phase == phases.DELIVERY:
        return [(circuit.projections[event.which].target, "S", event.detail)]
    if event.phase == phases.RETENTION:
        return [(circuit.populations[event.which].name, "O", BEFORE)]
    if event.phase not in FIRING:
        return []
    cycle = 0 if event.phase == phases.MIRROR else event.detail
    return [(circuit.populations[event.which].name, quantity, cycle) for quantity in OF_SIGNALS]


def firing(recording: Recording, population: str, cycle: int) -> int:
    """Return the number of the entry at which a population fires in a cycle."""
    index = recording.circuit.index[population]
    for k, entry in enumerate(recording.entries):
        event = entry.event
        if event.phase in FIRING and (event.which, event.detail) == (index, cycle):
            return k
    raise CircuitError(
        f"light-cone of population {population} in cycle {cycle}",
        got="an activity that the timetable does not have",
        expected="one that a rule or a readout needs",
        remedy="Choose another population or cycle.",
    )
