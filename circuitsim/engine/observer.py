"""Observation without learning: examples are shown in slices, and chosen quantities are read."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from circuitsim.engine.divergence import DivergenceMonitor
from circuitsim.engine.inputs import taken_data
from circuitsim.engine.plan import Plan
from circuitsim.engine.state import State
from circuitsim.locality import Key
from circuitsim.timetable.protocol import Clock, Protocol
from circuitsim.timetable.schedule import make_schedule

EVALUATION_NUMBERS = 400_000  # of the largest layer in one slice, all replicas together: fits a core's cache


class Observer:
    """Plans of presentations that teach nothing, one for each set of quantities, made when first asked for."""

    def __init__(self, state: State, kernels: ModuleType, monitor: DivergenceMonitor) -> None:
        self._state, self._kernels, self._monitor = state, kernels, monitor
        self.clock: Clock | None = None  # of the presentations that teach
        self._plans: dict[tuple[Clock | None, tuple[Key, ...]], Plan] = {}
        self._checked: list[weakref.ref[np.ndarray]] = []

    def observe(
        self, keys: Sequence[Key], x: np.ndarray, y: np.ndarray | None
    ) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """Show examples and yield each slice with the quantities of these addresses, as `Simulator.observe` does."""
        plan = self._plan(tuple(keys))
        labelled = any(a.key == ("data", "y", None) for entry in plan.schedule.entries for a in entry.accesses)
        plan.use(*self._taken(x, y, labelled=labelled))
        size, count = plan.activity.capacity, len(plan.x)  # type: ignore[arg-type]
        with np.errstate(over="ignore", invalid="ignore"):
            for begin in range(0, count, size):
                part = slice(begin, min(begin + size, count))
                plan.replay(np.arange(part.start, part.stop)[None])
                yield part, [plan.readout(key, part.stop - part.start).copy() for key in keys]

    def _taken(self, x: np.ndarray, y: np.ndarray | None, *, labelled: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Check examples; of arrays that nobody can change, such as data sets, once."""
        if not labelled and any(one() is x for one in self._checked):
            return x, None
        taken = taken_data(self._state.circuit, x, y, self._state.dtype, labelled=labelled)
        if taken[0] is x:
            self._checked = [one for one in self._checked if one() is not None] + [weakref.ref(x)]
        return taken

    def _plan(self, keys: tuple[Key, ...]) -> Plan:
        if (self.clock, keys) not in self._plans:
            circuit = self._state.circuit
            widest = max(p.size for p in circuit.populations)
            self._plans[self.clock, keys] = Plan(
                self._state,
                self._kernels,
                self._monitor,
                make_schedule(circuit, Protocol(learn=False, readouts=keys, clock=self.clock)),
                capacity=max(1, EVALUATION_NUMBERS // (widest * self._state.replicas)),
                shared=True,
            )
        return self._plans[self.clock, keys]
