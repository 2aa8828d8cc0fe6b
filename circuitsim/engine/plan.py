"""Lowers a schedule to a plan: a list of kernels bound to the arrays that their events declared, replayed as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from circuitsim import phases
from circuitsim.engine.activity import Activity
from circuitsim.engine.evidence import Evidence
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access, Key, Mode
from circuitsim.timetable.schedule import Entry, Schedule

Report = Callable[[str, Event, np.ndarray], None]


@dataclass(frozen=True)
class Anatomy:
    """A presentation laid open, for audits alone: they must be able to change what no phase may touch.

    entries : the timetable. steps : what each entry does, in the same order, hooks included. arrays : all memory by
    address, writable; addresses that share memory map to the same array. rows : the numbers of the examples shown,
    (1 or replica, batch), to be filled.
    """

    entries: tuple[Entry, ...]
    steps: tuple[phases.Step, ...]
    arrays: dict[Key, np.ndarray]
    rows: np.ndarray


class Plan:
    """A presentation's bound kernels, one for each event of the schedule, for any batch up to a capacity.

    Parameters
    ----------
    schedule : the timetable.
    state : the weights and parameters.
    kernels : the backend.
    capacity : the largest batch.
    shared : whether all replicas are shown the same data.
    report : called with a projection, its event and its increments where they may reach the projection's limit.
    limit : of a projection's increments, (1,), which may change.
    hooks : the user's own code between phases.
    evidence : where to record what happens; None records nothing and adds no step.
    """

    def __init__(
        self,
        schedule: Schedule,
        state: State,
        kernels: ModuleType,
        *,
        capacity: int,
        shared: bool,
        report: Report,
        limit: Callable[[str], np.ndarray],
        hooks: Sequence[Hook] = (),
        evidence: Evidence | None = None,
    ) -> None:
        self.schedule, self._state, self._kernels, self._report, self._limit = schedule, state, kernels, report, limit
        self._hooks, self._evidence = _placed(hooks, schedule), evidence
        keys = [a.key for e in schedule.entries for a in e.accesses if _of_activity(a)]
        keys += list(schedule.protocol.readouts)
        clamped: list[Key] = [] if schedule.protocol.mirror else [(n, "O", 0) for n in schedule.circuit.clamped]
        self.activity = Activity(
            state, keys, capacity, same=_shared_memory(schedule, state), shared=clamped if shared else []
        )
        self._rows = np.zeros((1 if shared else state.replicas, capacity), np.int64)
        self._bound: dict[int, tuple[np.ndarray, list[phases.Step], phases.Step]] = {}
        self._x: np.ndarray | None = None
        self._y: np.ndarray | None = None

    def use(self, x: np.ndarray, y: np.ndarray | None = None) -> None:
        """Take the examples (example, feature), and their classes, that rows will refer to."""
        self._kernels.to_host(array for array in (x, y) if array is not None)
        self._x, self._y = x, y
        self.unbind()

    def unbind(self) -> None:
        """Forget the bound steps: they are bound anew when next needed."""
        self._bound.clear()

    def run(self, rows: np.ndarray) -> None:
        """Show one batch, rows (1 or replica, batch), and do everything the schedule says."""
        batch = rows.shape[-1]
        if batch not in self._bound:
            self.bound(batch)
        target, _, presentation = self._bound[batch]
        self._kernels.to_host((target,))
        target[...] = rows
        presentation()

    def repeats(self, batch: int) -> bool:
        """Whether presentations of a batch size can follow each other with no step between that only Python can do."""
        self.bound(batch)
        return hasattr(self._bound[batch][2], "repeat")

    def run_each(self, course: np.ndarray, reached: Callable[[int], None]) -> None:
        """Show batches one after the other, (presentation, 1 or replica, batch); tell how many are done."""
        rows, _, presentation = self._bound[course.shape[-1]]
        presentation.repeat(rows, course, reached)  # type: ignore[attr-defined]

    def bound(self, batch: int) -> tuple[np.ndarray, list[phases.Step]]:
        """The rows' array and the steps for a batch size, in the order of the schedule's entries."""
        if batch not in self._bound:
            rows = np.zeros((self._rows.shape[0], batch), np.int64)
            seen: set[Key] = set()
            steps = [self._bind(entry, rows, seen) for entry in self.schedule.entries]
            presentation = self._kernels.fuse(steps, self._kept(batch))
            if self._evidence is not None:
                pairs = zip(self.schedule.entries, steps, strict=True)
                steps = [self._recorded(entry, step, rows) for entry, step in pairs]
            for index, hooks in self._hooks.items():
                steps[index] = in_turn([steps[index], self._hooked(hooks)])
            if self._hooks or self._evidence is not None:
                presentation = self._kernels.fuse(steps)
            self._bound[batch] = rows, steps, presentation
        return self._bound[batch][:2]

    def _kept(self, batch: int) -> list[np.ndarray]:
        """What others look at after a presentation: all that outlives it, and what is read out of it."""
        return [
            *self._state.arrays().values(),
            *(self.activity.array(k, batch) for k in self.schedule.protocol.readouts),
        ]

    def _hooked(self, hooks: Sequence[Hook]) -> phases.Step:
        tensors = Tensors(self._state.tensors())

        def user_code() -> None:
            for hook in hooks:
                hook.function(tensors)

        return self._kernels.on_host(user_code, tensors.values())  # type: ignore[no-any-return]

    def anatomy(self, batch: int) -> Anatomy:
        """Everything of a presentation of that many examples, writable."""
        rows, steps = self.bound(batch)
        arrays = {**self._state.arrays(), **self.activity.arrays(batch)}
        arrays |= {("data", n, None): a for n, a in (("x", self._x), ("y", self._y)) if a is not None}
        return Anatomy(self.schedule.entries, tuple(steps), arrays, rows)

    def _bind(self, entry: Entry, rows: np.ndarray, seen: set[Key]) -> phases.Step:
        circuit, event = self.schedule.circuit, entry.event
        views: dict[Key, np.ndarray] = {}
        first = True
        for access in entry.accesses:
            array = self._view(access, rows)
            if array is not None:
                views[access.key] = array
            if access.mode is not Mode.READ and event.phase in (phases.DELIVERY, phases.PLASTICITY):
                first = access.key not in seen
                seen.add(access.key)
        name = phases.subject(circuit, event)
        limit = self._limit(name) if event.phase == phases.PLASTICITY else np.zeros(1)
        binding = phases.Binding(
            circuit,
            event,
            self._kernels,
            views,
            first,
            lambda increments: self._report(name, event, increments),
            limit,
            self._state.alive,
        )
        return phases.PHASES[event.phase].bind(binding)  # type: ignore[no-any-return]

    def _recorded(self, entry: Entry, step: phases.Step, rows: np.ndarray) -> phases.Step:
        assert self._evidence is not None
        event, found = entry.event, {a.key: self._view(a, rows) for a in entry.accesses}
        views = {key: view for key, view in found.items() if view is not None}
        name = phases.subject(self.schedule.circuit, event)
        return self._evidence.recorded(step, event, name, phases.name(event), entry.accesses, views)

    def _view(self, access: Access, rows: np.ndarray) -> np.ndarray | None:
        if access.key == ("data", "rows", None):
            return _read_only(rows)
        if access.owner == "data":
            data = self._x if access.quantity == "x" else self._y
            assert data is not None, "use() comes before run()"
            return _read_only(data)
        if _of_activity(access):
            return self.activity.view(access, rows.shape[-1])
        return self._state.view(access)


def _placed(hooks: Sequence[Hook], schedule: Schedule) -> dict[int, list[Hook]]:
    """The hooks that follow each entry: the last one of its phase and tick."""
    names = [module.NAME for module in phases.PHASES]
    placed: dict[int, list[Hook]] = {}
    for hook in hooks:
        if hook.after not in names:
            raise CircuitError(
                f"hook {hook.name}",
                got=f"after={hook.after!r}",
                expected=f"one of {', '.join(names)}",
                remedy="Name the phase that it follows.",
            )
        last = {e.event[:2]: index for index, e in enumerate(schedule.entries) if phases.name(e.event) == hook.after}
        for index in last.values():
            placed.setdefault(index, []).append(hook)
    return placed


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _of_activity(access: Access) -> bool:
    return access.cycle is not None


def _shared_memory(schedule: Schedule, state: State) -> dict[Key, Key]:
    """Which addresses can share memory: what is emitted and remembered alike, and an input with what comes of it.

    A neuron's summed input S is not needed once it has fired (unless it is read out), so it lies where the activity
    will; and where a neuron emits what it remembers the two are one array.
    """
    same: dict[Key, Key] = {}
    read = {a.key for e in schedule.entries for a in e.accesses if a.mode is Mode.READ} | {*schedule.protocol.readouts}
    for entry in schedule.entries:
        written = {a.quantity: a.key for a in entry.accesses if a.mode is Mode.WRITE and _of_activity(a)}
        subject = phases.subject(schedule.circuit, entry.event)
        if "E" in written and "O" in written and _alike(state, subject):
            same[written["E"]] = written["O"]
        summed = next((a.key for a in entry.accesses if a.mode is Mode.ADD and a.quantity == "S"), None)
        first = entry.event.phase == phases.FORWARD and entry.event.detail == 0
        if first and (taken := schedule.circuit.taken(subject, 0)):
            # compartments of one neuron, which has one memory of what it fired
            origin: Key = (taken.source, "O", 0)
            same[subject, "O", 0] = same.get(origin, origin)
        fires = entry.event.phase in (phases.FORWARD, phases.RECIRCULATION)
        becomes = written.get("O") or written.get("E")
        if fires and summed and becomes and summed not in read:
            same[summed] = becomes
    return same


def _alike(state: State, population: str) -> bool:
    return bool((state.parameter(population, "emits") == state.parameter(population, "remembers")).all())
