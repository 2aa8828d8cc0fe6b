"""A presentation or a wave of mirror mode as an experiment needs it: recorded once, then run and interfered with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from circuitsim.analysis.audits.memory import Array, Memory, same_bits
from circuitsim.analysis.audits.permitted import Ticks, written
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import Key, Mode
from circuitsim.timetable.schedule import Entry, Schedule


@dataclass(frozen=True)
class Stage:
    """One timetable laid open. `at[k]` is all memory before entry k, `at[-1]` after the last; never change it."""

    schedule: Schedule
    part: BoundPlan
    memory: Memory
    at: Sequence[Sequence[Array]]

    @property
    def circuit(self) -> Circuit:
        """What was built."""
        return self.schedule.circuit

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The timetable."""
        return self.part.entries

    @cached_property
    def arrays(self) -> dict[Key, Array]:
        """All memory by address, the numbers of the examples included."""
        return {**self.part.arrays, ("data", "rows", None): self.part.rows}

    @cached_property
    def written(self) -> list[dict[Key, int]]:
        """Before each entry and after the last: which activity this presentation has written, and when."""
        return written(self.circuit, self.arrays, self.entries)

    @cached_property
    def replicas(self) -> int:
        """How many replicas there are."""
        return next(len(a) for (_, quantity, _), a in self.arrays.items() if quantity == "weight")

    def made(self, index: int) -> list[Key]:
        """The addresses that an entry declared to make, and those that it changed."""
        return list(
            dict.fromkeys([*self._declared(index), *(self.memory.keys[block][0] for block in self.changed(index))])
        )

    def changed(self, index: int) -> list[int]:
        """The blocks of memory that an entry changed when nothing interfered."""
        pairs = enumerate(zip(self.at[index], self.at[index + 1], strict=True))
        return [block for block, (before, after) in pairs if before is not after]

    def undeclared(self, index: int) -> list[int]:
        """The blocks that an entry changed without declaring it."""
        declared = {self.memory.of[key] for key in self._declared(index)}
        return [block for block in self.changed(index) if block not in declared]

    def _declared(self, index: int) -> list[Key]:
        return [a.key for a in self.entries[index].accesses if a.mode is not Mode.READ and a.key in self.memory.of]

    def later(self, index: int) -> frozenset[Key]:
        """What later entries are the first to write; memory that this one writes too is only what it finds there."""
        fresh = {self.memory.of[key] for key in self.written[index + 1]}
        return frozenset(key for key in self.written[-1] if self.memory.of[key] not in fresh)

    def ticks(self, index: int, window: bool) -> Ticks:
        """What is written before an entry and, if wanted, no older than the window."""
        if not window:
            return self.written[index]
        now = self.entries[min(index, len(self.entries) - 1)].event.tick
        return {key: tick for key, tick in self.written[index].items() if now - tick <= self.schedule.window}


def recorded(schedule: Schedule, part: BoundPlan, random: np.random.Generator) -> Stage:
    """Run a timetable once, undisturbed, and keep what memory held before and after every step."""
    arrays = {**part.arrays, ("data", "rows", None): part.rows}
    circuit, data = schedule.circuit, part.arrays.get(("data", "x", None))
    below: dict[Key, int] = {("data", "rows", None): 1 if data is None else len(data)}
    if circuit.labels:
        below["data", "y", None] = circuit.population(circuit.labels).size
    labels: list[Key] = [(circuit.labels, "O", 0)] if circuit.labels else []
    memory = Memory(arrays, below, random, labels)
    at = [memory.copy()]
    for step in part.steps:
        step()
        pairs = zip(memory.blocks, at[-1], strict=True)
        at.append([before if same_bits(now, before) else now.copy() for now, before in pairs])
    return Stage(schedule, part, memory, at)


@contextmanager
def stages(simulator: Simulator, rows: Any, random: np.random.Generator) -> Iterator[tuple[Stage, ...]]:
    """A presentation of these examples and a wave of each mirror mode, on copies of the examples.

    All memory, the queue, the data and the evidence are as before, to the bit, when the context ends.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    rows = np.asarray(rows)
    _refuse(simulator, rows, simulator.examples)
    parts, kept = _parts(simulator, rows), simulator.snapshot()
    before = [_saved(part) for part in parts]
    x, y = parts[0].arrays["data", "x", None], parts[0].arrays.get(("data", "y", None))
    shown = np.broadcast_to(rows, parts[0].rows.shape).reshape(-1)
    evidence = {name: copy(value) for name, value in vars(simulator.evidence).items()} if simulator.evidence else {}
    try:
        simulator.use(x[shown], None if y is None else y[shown])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # as in a presentation
            yield tuple(_opened(simulator, rows, random))
    finally:
        simulator.use(x, y)
        simulator.restore(kept)
        for part, arrays in zip(_parts(simulator, rows), before, strict=True):
            for key, values in arrays.items():
                part.arrays[key][...] = values
        if simulator.evidence:
            vars(simulator.evidence).update(evidence)


def rebound(simulator: Simulator, opened: Sequence[Stage]) -> Iterator[tuple[Stage, BoundPlan]]:
    """The same timetables with steps bound anew, while memory held something else.

    A step that took a copy when it was bound has another one now.
    """
    for stage in opened:
        stage.memory.load(stage.at[0])
        stage.memory.scramble(stage.memory.everything)
    simulator.unbind()
    for stage, part in zip(opened, _again(simulator, opened, slice(None)), strict=True):
        part.rows[...] = np.arange(part.rows.size).reshape(part.rows.shape)
        yield stage, part


def singly(simulator: Simulator, opened: Sequence[Stage]) -> Iterator[tuple[Stage, BoundPlan]]:
    """The same timetables for presentations of one example each."""
    yield from zip(opened, _again(simulator, opened, slice(1)), strict=True)


_COUNT = ("circuit", "presentation", None)


def _opened(simulator: Simulator, rows: Array, random: np.random.Generator) -> Iterator[Stage]:
    for schedule, part in zip(simulator.schedules, _parts(simulator, rows), strict=True):
        if len(part.entries):
            if _COUNT in part.arrays:
                part.arrays[_COUNT][...] = 0  # when all that happens every so often does
            part.rows[...] = np.arange(part.rows.size).reshape(part.rows.shape)
            yield recorded(schedule, part, random)


def _parts(simulator: Simulator, rows: Array) -> list[BoundPlan]:
    mirrors = (None, *range(len(simulator.schedules) - 1))
    return [simulator.bound_plan(rows.shape[-1], mirror) for mirror in mirrors]


def _again(simulator: Simulator, opened: Sequence[Stage], examples: slice) -> list[BoundPlan]:
    """The timetables that are opened, for some of the examples."""
    if not opened:
        return []
    return [part for part in _parts(simulator, opened[0].part.rows[:, examples]) if part.entries]


def _saved(part: BoundPlan) -> dict[Key, Array]:
    """All memory that is the simulator's own; the examples are never written to."""
    return {key: array.copy() for key, array in part.arrays.items() if key[0] != "data"}


def _refuse(simulator: Simulator, rows: Array, examples: int) -> None:
    count = rows.shape[-1] if rows.ndim else 0
    fits = rows.dtype.kind in "iu" and 1 <= count <= simulator.batch
    if not fits or rows.min() < 0 or rows.max() >= examples:
        raise CircuitError(
            f"rows of an intervention in circuit {simulator.circuit.name}",
            got=f"{rows.dtype} of shape {rows.shape}, of {examples} examples in use",
            expected=f"1 to {simulator.batch} whole numbers of existing examples",
            remedy="Name examples that are in use, no more of them than the simulator's batch.",
        )
