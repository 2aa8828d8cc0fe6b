"""Timeline: the ticks that pass for a circuit, and the presentations that have been shown in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.engine.evidence import Evidence
from circuitsim.engine.plan import Plan
from circuitsim.engine.state import State


class Timeline:
    """The clock of a simulator. It sets the time that keyed randomness reads.

    Parameters
    ----------
    state : has a copy of the clock for kernels. evidence : learns when a presentation begins; or None.

    Attributes
    ----------
    tick : the tick at which the next presentation starts. presentations : how many have been shown.
    """

    def __init__(self, state: State, evidence: Evidence | None) -> None:
        self._state, self._evidence = state, evidence
        self.tick = self.presentations = 0
        self._mirrored: int | None = None  # number of the presentation that mirror mode follows

    @property
    def current(self) -> int:
        """Number of the presentation that is running, or that the running waves of mirror mode follow."""
        return self.presentations if self._mirrored is None else self._mirrored

    def running(self) -> np.errstate:
        """Set the clock of keyed randomness; return a context that leaves overflow to the divergence monitor."""
        self._state.set_clock(self.tick, self.presentations)
        if self._evidence is not None:
            self._evidence.begin(self.tick)
        return np.errstate(over="ignore", invalid="ignore", divide="ignore")

    def mirror(self, plans: Sequence[Plan], batch: int, passes: int, presentation: int) -> None:
        """Run waves of mirror mode after a presentation, and let their time pass."""
        self._mirrored = presentation
        try:
            for plan in [*plans] * passes:
                self._state.set_clock(self.tick, presentation)
                if self._evidence is not None:
                    self._evidence.start = self.tick
                plan.replay(np.zeros((1, batch), np.int64))  # noise belongs to no example
                self.tick += plan.schedule.duration
        finally:
            self._mirrored = None

    def memory(self) -> dict[str, np.ndarray]:
        """Return copies of the counters by name, for snapshots."""
        return {"tick": np.array([self.tick]), "presentations": np.array([self.presentations])}

    def go_to(self, memory: dict[str, np.ndarray]) -> None:
        """Go to the time of counters by name."""
        self.tick, self.presentations = int(memory["tick"][0]), int(memory["presentations"][0])
