"""A timetable recorded once, with all memory before and after every step, so that it can be run and disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array, Draw, MemoryBlocks, same_bits
from circuitsim.analysis.audits.permitted import Arrays, Ticks
from circuitsim.analysis.sandbox import opened, sandbox
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.events import Event
from circuitsim.locality import Key, Mode
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
        """Ticks at which this presentation wrote each activity, before each entry and after the last."""
        return written(self.circuit, self.arrays, self.entries)

    @cached_property
    def replicas(self) -> int:
        """Number of replicas."""
        return next(len(a) for (_, quantity, _), a in self.arrays.items() if quantity == "weight")

    def subject(self, index: int) -> str:
        """Return the name of the population or projection to which an entry happens."""
        return phases.subject(self.circuit, self.entries[index].event)

    def made(self, index: int) -> list[Key]:
        """Return the addresses that an entry declares to change, and those that it changed."""
        changed = (self.memory.keys[block][0] for block in self.changed(index))
        return list(dict.fromkeys([*self._declared(index), *changed]))

    def changed(self, index: int) -> list[int]:
        """Return the blocks of memory that an undisturbed entry changed."""
        pairs = enumerate(zip(self.at[index], self.at[index + 1], strict=True))
        return [block for block, (before, after) in pairs if before is not after]

    def undeclared(self, index: int) -> list[int]:
        """Return the blocks that an entry changed without declaring it."""
        declared = {self.memory.of[key] for key in self._declared(index)}
        return [block for block in self.changed(index) if block not in declared]

    def _declared(self, index: int) -> list[Key]:
        return [a.key for a in self.entries[index].accesses if a.mode is not Mode.READ and a.key in self.memory.of]

    def later(self, index: int) -> frozenset[Key]:
        """Return the activity that only later entries write, in blocks that this entry does not write."""
        fresh = {self.memory.of[key] for key in self.written[index + 1]}
        return frozenset(key for key in self.written[-1] if self.memory.of[key] not in fresh)

    def ticks(self, index: int, window: bool) -> Ticks:
        """Return when activity was written before an entry; with `window`, only activity within the window."""
        if not window:
            return self.written[index]
        now = self.entries[min(index, len(self.entries) - 1)].event.tick
        return {key: tick for key, tick in self.written[index].items() if now - tick <= self.schedule.window}


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
    if circuit.labels:
        below["data", "y", None] = circuit.population(circuit.labels).size
    below |= {key: _choices(circuit, key[0]) for key in arrays if key[1] == "winner"}
    labels: list[Key] = [(circuit.labels, "O", 0)] if circuit.labels else []
    memory = MemoryBlocks(arrays, below, random, labels)
    at = [memory.copy()]
    for step in part.bare:
        step()
        pairs = zip(memory.blocks, at[-1], strict=True)
        at.append([before if same_bits(now, before) else now.copy() for now, before in pairs])
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


def written(circuit: Circuit, arrays: Arrays, entries: Sequence[Entry]) -> list[dict[Key, int]]:
    """Return when each activity of this presentation was written, before each entry and after the last."""
    ticks: list[dict[Key, int]] = [{}]
    for entry in entries:
        fresh = {key: entry.event.tick for key in _written_by(circuit, entry.event) if key in arrays}
        ticks.append({**ticks[-1], **fresh})
    return ticks


def _written_by(circuit: Circuit, event: Event) -> list[Key]:
    if event.phase == phases.DELIVERY:
        return [(circuit.projections[event.which].target, "S", event.detail)]
    if event.phase not in FIRING:
        return []
    cycle = 0 if event.phase == phases.MIRROR else event.detail
    return [(circuit.populations[event.which].name, quantity, cycle) for quantity in OF_SIGNALS]
