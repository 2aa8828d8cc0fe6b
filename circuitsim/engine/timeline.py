"""Timeline: the ticks that pass for a circuit, and the presentations that have been shown in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.engine.evidence import Evidence
from circuitsim.engine.noise import GivenNoise, refuse_missing
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
    passes : how many passes of mirror mode have been run. noise : from outside, for these; or None.
    """

    def __init__(self, state: State, evidence: Evidence | None) -> None:
        self._state, self._evidence = state, evidence
        self.tick = self.presentations = self.passes = 0
        self.noise: GivenNoise | None = None
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
            for _ in range(passes if plans else 0):
                rows = self._rows(plans, batch)
                for plan in plans:
                    self._state.set_clock(self.tick, presentation)
                    if self._evidence is not None:
                        self._evidence.start = self.tick
                    plan.replay(rows)
                    self.tick += plan.schedule.duration
                self.passes += 1
        finally:
            self._mirrored = None

    def heard(self, plans: list[Plan]) -> list[Plan]:
        """Return waves of mirror mode, once they read the noise from outside that there is."""
        if self.noise is not None:
            self.noise.share(plans)
        return plans

    def _rows(self, plans: Sequence[Plan], batch: int) -> np.ndarray:
        """Return the rows of a pass: those of given noise, or zeros, since drawn noise belongs to no example."""
        if self.noise is None:
            refuse_missing(self._state.circuit)
            return np.zeros((1, batch), np.int64)
        return self.noise.rows(self.passes, batch)

    def memory(self) -> dict[str, np.ndarray]:
        """Return copies of the counters by name, for snapshots."""
        counters = {"tick": self.tick, "presentations": self.presentations, "passes": self.passes}
        return {name: np.array([value]) for name, value in counters.items()}

    def go_to(self, memory: dict[str, np.ndarray]) -> None:
        """Go to the time of counters by name."""
        self.tick, self.presentations, self.passes = (int(memory[k][0]) for k in ("tick", "presentations", "passes"))
