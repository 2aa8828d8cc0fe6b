"""Evidence of a presentation: for each event the arrays it read, their ages, the arrays it made, and its duration.

It is recorded if a simulator is made with `evidence=True`; otherwise a plan has no recording step. `analysis/` judges
the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np

from circuitsim.events import Event
from circuitsim.locality import BEFORE, Access, Key, Mode

Step = Callable[[], None]


@dataclass(frozen=True)
class Record:
    """One event that happened.

    Parameters
    ----------
    event, subject, phase : the event, the name of its population or projection, and the name of its phase.
    read : every array that it declared to read, with its age in ticks; None if no event has written it yet.
    before, made : copies of the arrays that it changed, before and after.
    began, ended : wall-clock nanoseconds.
    """

    event: Event
    subject: str
    phase: str
    read: tuple[tuple[Access, int | None], ...]
    before: Mapping[Key, np.ndarray]
    made: Mapping[Key, np.ndarray]
    began: int
    ended: int


@dataclass
class Evidence:
    """Records of the last presentation, in the order of its events.

    `start` is the tick at which it began. Ages count ticks since an array was last written, in any presentation.
    """

    records: list[Record] = field(default_factory=list)
    start: int = 0
    _written: dict[Key, int] = field(default_factory=dict)

    def begin(self, tick: int) -> None:
        """Forget the records; the next presentation starts at a tick."""
        self.records, self.start = [], tick

    def recorded(
        self,
        step: Step,
        event: Event,
        subject: str,
        phase: str,
        accesses: tuple[Access, ...],
        views: Mapping[Key, np.ndarray],
    ) -> Step:
        """Return an event's step, extended by its record."""
        changed = [a.key for a in accesses if a.mode is not Mode.READ and a.key in views]

        def observed() -> None:
            now = self.start + event.tick
            read = tuple((a, self._age(a.key, now)) for a in accesses if a.mode is not Mode.WRITE)
            before = {key: views[key].copy() for key in changed}
            began = perf_counter_ns()
            step()
            ended = perf_counter_ns()
            made = {key: views[key].copy() for key in changed}
            self._written.update(dict.fromkeys(changed, now))
            if retained := [key for key in changed if key[2] == BEFORE]:  # as old as the activity that it is
                source = next(a.key for a in accesses if a.mode is Mode.READ and a.cycle is not None)
                self._written.update(dict.fromkeys(retained, self._written.get(source, now)))
            self.records.append(Record(event, subject, phase, read, before, made, began, ended))

        return observed

    def _age(self, key: Key, now: int) -> int | None:
        return now - self._written[key] if key in self._written else None
