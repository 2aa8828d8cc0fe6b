"""Presentations that overlap: several plans of one timetable, each with memories of its own, advanced in step.

The plans' events are run in the order of their keys, tick by tick, the older example's time being ahead of the younger
one's by a multiple of the interval. How many examples a neuron really has to remember is the timetable's to say
(`overlap.py`); that each plan has all memories is a matter of the simulation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuitsim.engine.plan import Plan
from circuitsim.timetable.schedule import Schedule


class Pipeline:
    """As many plans as there are presentations under way at once.

    Parameters
    ----------
    make : makes a plan. schedule : the timetable, with an interval.
    """

    def __init__(self, make: Callable[[], Plan], schedule: Schedule) -> None:
        interval = schedule.duration
        self.plans = [make() for _ in range(-(-schedule.length // interval))]
        order = [(divmod(e.event.tick, interval), e.event, i) for i, e in enumerate(schedule.entries)]
        # within an interval by tick and event; of two equal ones the older example's first
        order.sort(key=lambda row: (row[0][1], row[1].phase, row[1].which, row[1].detail, -row[0][0]))
        self._order = [(age, index) for (age, _), _, index in order]
        self._now = 0  # intervals that have passed
        self._entered = [-len(self.plans)] * len(self.plans)  # when each plan's presentation did
        self._rows = [np.zeros((1, 1), np.int64)] * len(self.plans)
        self._number = [0] * len(self.plans)
        self.number = 0  # of the presentation whose event it is, as given to `run`

    @property
    def left(self) -> int:
        """Intervals until all that is under way has left."""
        return max(0, max(self._entered) + len(self.plans) - self._now)

    def run(self, rows: np.ndarray, number: int) -> None:
        """Let a batch enter, and do what happens until the next one can."""
        slot = self._now % len(self.plans)
        self._entered[slot], self._number[slot], self._rows[slot] = self._now, number, np.atleast_2d(rows).copy()
        self.advance()

    def advance(self) -> None:
        """Do what happens in one interval."""
        under_way = {}
        for slot, plan in enumerate(self.plans):
            if self._now - self._entered[slot] < len(self.plans):
                shown, steps = plan.bound(self._rows[slot].shape[-1])
                shown[...] = self._rows[slot]
                under_way[self._now - self._entered[slot]] = self._number[slot], steps
        for age, index in self._order:
            if age in under_way:
                self.number, steps = under_way[age]
                steps[index]()
        self._now += 1

    def snapshot(self) -> dict[str, np.ndarray]:
        """What is under way: counters, and for each plan its rows and its memories."""
        found = {"counters": np.array([self._entered, self._number]), "now": np.array([self._now])}
        for slot, plan in enumerate(self.plans):
            found[f"{slot}.rows"] = self._rows[slot].copy()
            found |= {f"{slot}.{name}": array.copy() for name, array in plan.activity.memory().items()}
        return found

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Go back to a snapshot."""
        self._now = int(snapshot["now"][0])
        self._entered, self._number = snapshot["counters"].tolist()
        for slot, plan in enumerate(self.plans):
            self._rows[slot] = snapshot[f"{slot}.rows"].copy()
            for name, array in plan.activity.memory().items():
                array[...] = snapshot[f"{slot}.{name}"]
