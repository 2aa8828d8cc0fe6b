"""Presenters: the ways to run the steps of presentations. A simulator chooses one for its protocol.

`Replay` replays the plan; `ThroughQueue` runs the same steps event by event; `Pipeline` overlaps presentations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.engine.plan import Plan
from circuitsim.errors import CircuitError
from circuitsim.events import Event
from circuitsim.timetable.causality import unroll
from circuitsim.timetable.protocol import Updates
from circuitsim.timetable.schedule import Schedule

Order = Callable[[list[Event]], Sequence[Event]]
Ended = Callable[[int], None]  # called with the number of presentations that have ended so far


def make_presenter(schedule: Schedule, make_plan: Callable[[Schedule], Plan], order: Order | None) -> Replay:
    """Return the presenter that a schedule and an order of simultaneous events ask for."""
    if schedule.protocol.interval is not None:
        return Pipeline(schedule, make_plan)
    plan = make_plan(schedule)
    return Replay(plan) if order is None else ThroughQueue(plan, order)


def check_overlapping(schedule: Schedule, unsupported: Mapping[str, Any]) -> None:
    """Raise CircuitError if presentations overlap and something is asked for that they do not support."""
    circuit, protocol = schedule.circuit, schedule.protocol
    everything = {
        "mirror modes": circuit.mirrors,
        **unsupported,
        "probes": protocol.readouts,
        "dropout that lasts several cycles": protocol.cycles and any(p.dropout for p in circuit.populations),
        "updates by a coin": protocol.updates is Updates.EITHER,
    }
    for name in (name for name, asked in everything.items() if asked and protocol.interval is not None):
        raise CircuitError(
            f"presentations that overlap, one every {protocol.interval} ticks",
            got=name,
            expected="presentations alone",
            remedy=f"Leave {name} out, or let presentations follow each other: interval=None.",
        )


class Replay:
    """Replay the plan: a whole batch sequence at once where no step between needs Python.

    Attributes
    ----------
    plans : the plans that it runs. under_way : intervals until all presentations have left.
    """

    under_way = 0

    def __init__(self, plan: Plan) -> None:
        self.plans = [plan]

    def repeats(self, batch: int) -> bool:
        """Return whether `present` takes several batches of this size at once."""
        return self.plans[0].repeats(batch)

    def present(self, batches: np.ndarray, number: int, ended: Ended) -> None:
        """Show batches, (presentation, batch) or (presentation, 1 or replica, batch); `number` is that of the first."""
        if len(batches) > 1:
            self.plans[0].replay_each(batches, ended)
        else:
            self.plans[0].replay(batches[0])
            ended(1)

    def presentation(self, latest: int) -> int:
        """Return the number of the presentation whose event is running, given that of the latest."""
        return latest

    def advance(self) -> None:
        """Advance by one interval in which nothing enters."""

    def memory(self, batch: int) -> dict[str, np.ndarray]:
        """Return by name the arrays that a checkpoint needs: the readouts; the next presentation makes the rest."""
        activity, readouts = self.plans[0].activity, self.plans[0].schedule.protocol.readouts
        return {".".join(map(str, key)): activity.read(key, batch) for key in readouts}


class ThroughQueue(Replay):
    """Run the steps of the plan from the event queue, one by one."""

    def __init__(self, plan: Plan, order: Order) -> None:
        super().__init__(plan)
        self._order = order

    def repeats(self, batch: int) -> bool:
        """Return False: batches are shown one by one."""
        return False

    def present(self, batches: np.ndarray, number: int, ended: Ended) -> None:
        """Show a batch sequence of length one."""
        (plan,) = self.plans
        bound = plan.bound(batches.shape[-1])
        bound.rows[...] = batches[0]
        steps = {entry.event: step for entry, step in zip(bound.entries, bound.steps, strict=True)}
        schedule = plan.schedule
        unroll(schedule.circuit, schedule.protocol, lambda event: steps.pop(event, _nothing)(), self._order)
        for step in steps.values():  # updates after the last event, and bounds
            step()
        ended(1)


class Pipeline(Replay):
    """Overlap presentations: several plans of one timetable, each with its own memory, advanced in step.

    Events run in the order of their keys, tick by tick; an older example's time is ahead of a younger one's by a
    multiple of the interval. The timetable (`overlap.py`) says how many examples a neuron has to remember; that every
    plan has all memories is a matter of the simulation.

    Parameters
    ----------
    schedule : the timetable, with an interval. make_plan : returns a plan of it.
    """

    def __init__(self, schedule: Schedule, make_plan: Callable[[Schedule], Plan]) -> None:
        interval = schedule.duration
        self.plans = [make_plan(schedule) for _ in range(-(-schedule.length // interval))]
        order = [(divmod(e.event.tick, interval), e.event, i) for i, e in enumerate(schedule.entries)]
        # within an interval by tick and event; of two equal ones the older example's first
        order.sort(key=lambda row: (row[0][1], row[1].phase, row[1].which, row[1].detail, -row[0][0]))
        self._order = [(age, index) for (age, _), _, index in order]
        count = len(self.plans)
        self._now = np.zeros(1, np.int64)  # intervals that have passed
        self._entered = np.full(count, -count)  # the interval in which each plan's presentation entered
        self._number = np.zeros(count, np.int64)  # and the number of that presentation
        self._size = np.zeros(count, np.int64)  # and its batch size
        self._rows = np.zeros((count, *self.plans[0].largest), np.int64)
        self._running = 0  # number of the presentation whose event is running

    @property
    def under_way(self) -> int:  # type: ignore[override]
        """Intervals until all presentations have left."""
        return max(0, int(self._entered.max()) + len(self.plans) - int(self._now[0]))

    def repeats(self, batch: int) -> bool:
        """Return False: batches enter one by one."""
        return False

    def present(self, batches: np.ndarray, number: int, ended: Ended) -> None:
        """Present the batch of a sequence of length one, and run all events until the next one can enter."""
        slot, size = self._now[0] % len(self.plans), batches.shape[-1]
        self._entered[slot], self._number[slot], self._size[slot] = self._now[0], number, size
        self._rows[slot, :, :size] = batches[0]
        self.advance()
        ended(1)

    def advance(self) -> None:
        """Run what happens in one interval."""
        under_way = {}
        for slot, plan in enumerate(self.plans):
            age = self._now[0] - self._entered[slot]
            if age < len(self.plans):
                bound = plan.bound(int(self._size[slot]))
                bound.rows[...] = self._rows[slot, :, : self._size[slot]]
                under_way[age] = int(self._number[slot]), bound.steps
        for age, index in self._order:
            if age in under_way:
                self._running, steps = under_way[age]
                steps[index]()
        self._now += 1

    def presentation(self, latest: int) -> int:
        """Return the number of the presentation whose event is running."""
        return self._running

    def memory(self, batch: int) -> dict[str, np.ndarray]:
        """Return by name the arrays that a checkpoint needs: counters, and each plan's rows and memory."""
        found: dict[str, np.ndarray] = {"now": self._now, "entered": self._entered, "number": self._number}
        found |= {"size": self._size, "rows": self._rows}
        for slot, plan in enumerate(self.plans):
            found |= {f"{slot}.{name}": array for name, array in plan.activity.memory().items()}
        return found


def _nothing() -> None:
    """Stand for an event that the schedule dropped because nothing needs it."""
