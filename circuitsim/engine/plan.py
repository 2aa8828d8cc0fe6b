"""Lower a schedule to a plan: kernels bound to the arrays that their events declare, replayed at each presentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np

from circuitsim import phases
from circuitsim.engine.activity import Activity, shared_memory
from circuitsim.engine.divergence import DivergenceMonitor
from circuitsim.engine.evidence import Evidence
from circuitsim.engine.hooks import Hook, Tensors, call_hooks, hooks_by_entry
from circuitsim.engine.state import State
from circuitsim.engine.views import guarded
from circuitsim.errors import CircuitError
from circuitsim.kernels import in_turn
from circuitsim.locality import BEFORE, Access, Key, Mode
from circuitsim.phases.mirror import NOISE_OF
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.schedule import Schedule

SUMMING = (phases.DELIVERY, phases.TRACE, phases.PLASTICITY)
"""Phases that add to what others of a presentation have made: the first of them begins anew."""


@dataclass(frozen=True)
class BoundPlan:
    """A plan bound for one batch size.

    entries : the timetable. steps : one for each entry, hooks included. bare : the same without hooks and evidence.
    rows : numbers of the examples to show, (1 or replica, batch), to be filled. run : all steps, fused by the backend.
    arrays : all memory by address, writable, for audits alone; addresses that share memory map to the same array.
    """

    entries: tuple[Entry, ...]
    steps: tuple[phases.Step, ...]
    bare: tuple[phases.Step, ...]
    rows: np.ndarray
    run: phases.Step
    arrays: Mapping[Key, np.ndarray] = field(default_factory=dict)


class Plan:
    """The bound kernels of a schedule, one for each event, for any batch up to a capacity.

    Parameters
    ----------
    state : weights and parameters. kernels : the backend. monitor : checks increments that may exceed their limit.
    schedule : the timetable.
    capacity : the largest batch. shared : whether all replicas are shown the same data.
    hooks : the user's code between phases.
    evidence : where to record what happens; None records nothing and adds no step.
    """

    def __init__(
        self,
        state: State,
        kernels: ModuleType,
        monitor: DivergenceMonitor,
        schedule: Schedule,
        *,
        capacity: int,
        shared: bool,
        hooks: Sequence[Hook] = (),
        evidence: Evidence | None = None,
    ) -> None:
        self.schedule, self._state, self._kernels, self._monitor = schedule, state, kernels, monitor
        self._hooks, self._evidence = hooks_by_entry(hooks, schedule), evidence
        keys = [a.key for e in schedule.entries for a in e.accesses if a.cycle not in (None, BEFORE)]
        keys += list(schedule.protocol.readouts)
        steps = schedule.protocol.last + 1 if shared and not schedule.protocol.mirror else 0
        clamped: list[Key] = [(n, "O", step) for n in schedule.circuit.clamped for step in range(steps)]
        self.activity = Activity(state, keys, capacity, same=shared_memory(schedule, state), shared=clamped)
        sets = 1 if shared and not schedule.protocol.mirror else state.replicas
        self.largest = sets, capacity  # shape of the rows of the largest batch
        self._bound: dict[int, BoundPlan] = {}
        self.x: np.ndarray | None = None
        self.y: np.ndarray | None = None

    def use(self, x: np.ndarray, y: np.ndarray | None = None) -> None:
        """Take the examples (example, feature), and their classes, that rows refer to."""
        self._kernels.to_host(array for array in (x, y) if array is not None)
        self.x, self.y = x, y
        self.unbind()

    def unbind(self) -> None:
        """Forget the bound steps; they are bound anew when next needed."""
        self._bound.clear()

    def replay(self, rows: np.ndarray) -> None:
        """Show one batch, rows (batch,) or (1 or replica, batch), and run all steps."""
        bound = self.bound(rows.shape[-1])
        self._kernels.to_host((bound.rows,))
        bound.rows[...] = rows
        bound.run()

    def repeats(self, batch: int) -> bool:
        """Return whether batches of this size can follow each other without Python between them."""
        return hasattr(self.bound(batch).run, "repeat")

    def replay_each(self, batches: np.ndarray, ended: Callable[[int], None]) -> None:
        """Show a batch sequence, each of it as `replay` takes it; `ended` is told how many are done so far."""
        bound = self.bound(batches.shape[-1])
        sets = batches.reshape(len(batches), -1, batches.shape[-1])
        rows = np.array(np.broadcast_to(sets, (len(batches), *bound.rows.shape)), np.int64, order="C")
        bound.run.repeat(bound.rows, rows, ended)  # type: ignore[attr-defined]

    def bound(self, batch: int) -> BoundPlan:
        """Return the steps for a batch size, bound when first asked for."""
        if batch not in self._bound:
            rows = np.zeros((self.largest[0], batch), np.int64)
            seen: set[Key] = set()
            entries = self.schedule.entries
            steps = [self._bind(entry, rows, seen) for entry in entries]
            bare = tuple(steps)
            run = self._kernels.fuse(steps, self._kept(batch))
            if self._evidence is not None:
                steps = [self._recorded(entry, step, rows) for entry, step in zip(entries, steps, strict=True)]
            for index, hooks in self._hooks.items():
                steps[index] = in_turn([steps[index], self._hooked(hooks)])
            if self._hooks or self._evidence is not None:
                run = self._kernels.fuse(steps)
            self._bound[batch] = BoundPlan(entries, tuple(steps), bare, rows, run)
        return self._bound[batch]

    def opened(self, batch: int) -> BoundPlan:
        """Return the steps for a batch size with all memory, writable: for audits alone."""
        bound = self.bound(batch)
        mirrored = self.schedule.protocol.mirror
        shown = f"{NOISE_OF}{self.schedule.circuit.projection(mirrored).source}" if mirrored else "x"
        data = {("data", n, None): a for n, a in ((shown, self.x), ("y", self.y)) if a is not None}
        lasting = self._state.arrays()
        lasting |= {key: array[:, :batch] for key, array in lasting.items() if key[2] == BEFORE}
        return replace(bound, arrays=lasting | self.activity.arrays(batch) | data)

    def readout(self, key: Key, batch: int) -> np.ndarray:
        """Return a quantity that the schedule keeps, as the last presentation left it; CircuitError for others."""
        kept = self.schedule.protocol.readouts
        if key not in kept:
            raise CircuitError(
                f"probe {key}",
                got="a quantity that is not kept",
                expected=f"one of {sorted(map(str, kept))}",
                remedy="Name it in Simulator(probes=...).",
            )
        return self.activity.read(key, batch)

    def _kept(self, batch: int) -> list[np.ndarray]:
        """Return the arrays read after a presentation: the state's, and the readouts."""
        readouts = [self.activity.array(key, batch) for key in self.schedule.protocol.readouts]
        return [*self._state.arrays().values(), *readouts]

    def _hooked(self, hooks: Sequence[Hook]) -> phases.Step:
        tensors = Tensors(self._state.writable())

        def user_code() -> None:
            call_hooks(hooks, tensors, self._state.acts)

        return self._kernels.on_host(user_code, tensors.values())  # type: ignore[no-any-return]

    def _bind(self, entry: Entry, rows: np.ndarray, seen: set[Key]) -> phases.Step:
        circuit, event = self.schedule.circuit, entry.event
        views: dict[Key, np.ndarray] = {}
        first = True
        for access in entry.accesses:
            array = self.view(access, rows)
            if array is not None:
                views[access.key] = array
            adding = event.phase in SUMMING and access.mode is not Mode.READ
            if adding or (event.phase == phases.FORWARD and access.mode is Mode.ADD):
                first = access.key not in seen
                seen.add(access.key)
        name = phases.subject(circuit, event)
        limit = self._monitor.limits[name] if event.phase == phases.PLASTICITY else np.zeros(1)
        binding = phases.Binding(
            circuit,
            event,
            self._kernels,
            views,
            first,
            lambda increments: self._monitor.check(name, event, increments),
            limit,
            self._state.alive,
            self.schedule.protocol.learn,
        )
        return phases.PHASES[event.phase].bind(binding)  # type: ignore[no-any-return]

    def _recorded(self, entry: Entry, step: phases.Step, rows: np.ndarray) -> phases.Step:
        assert self._evidence is not None
        event, found = entry.event, {a.key: self.view(a, rows) for a in entry.accesses}
        views = {key: view for key, view in found.items() if view is not None}
        name = phases.subject(self.schedule.circuit, event)
        return self._evidence.recorded(step, event, name, phases.name(event), entry.accesses, views)

    def view(self, access: Access, rows: np.ndarray) -> np.ndarray | None:
        """Return the array behind an access, guarded by its mode; None for a velocity that no replica has."""
        if access.owner == "data":
            data = {"rows": rows, "y": self.y}.get(access.quantity, self.x)  # else examples, or noise from outside
            assert data is not None, "use() comes before the first presentation"
            return guarded(data, Mode.READ)
        if access.cycle not in (None, BEFORE):
            return self.activity.view(access, rows.shape[-1])
        found = self._state.view(access)
        return found[:, : rows.shape[-1]] if found is not None and access.cycle == BEFORE else found
