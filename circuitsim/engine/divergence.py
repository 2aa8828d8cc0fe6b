"""Divergence: increments that are not finite, or that would make a weight so, found before any of them is applied."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuitsim import phases
from circuitsim.engine.state import State
from circuitsim.errors import Diverged
from circuitsim.events import Event


class DivergenceMonitor:
    """Limits of increments by projection, and the check of those that may exceed them.

    Parameters
    ----------
    state : its rates and momenta decide how far an increment moves a weight.
    drop : leave a replica that diverges as it was and go on with the others, instead of raising.
    presentation : returns the number of the presentation in progress, for the message.
    """

    def __init__(self, state: State, *, drop: bool, presentation: Callable[[], int]) -> None:
        self._state, self._drop, self._presentation = state, drop, presentation
        self._largest = np.finfo(state.dtype).max / 8
        self.limits: dict[str, np.ndarray] = {}
        self.update_limits()

    def update_limits(self) -> None:
        """Set each projection's limit, (1,), from its rates and momentum; kernels hold these arrays."""
        self._gains = {name: self._gain(name) for name in self._state.circuit.rules}
        self._state.to_host(self.limits.values())
        for name, gain in self._gains.items():
            self.limits.setdefault(name, np.empty(1))[0] = float(self._largest) / float(gain.max())

    def check(self, projection: str, event: Event, increments: np.ndarray) -> None:
        """Drop the replicas whose increments are too large, or raise Diverged for the first."""
        sizes = np.abs(increments.reshape(self._state.replicas, -1)).max(axis=1) * self._gains[projection]
        finite = sizes < self._largest  # False for NaN
        lost = np.flatnonzero(self._state.alive & ~finite)
        if not lost.size:
            return
        if not self._drop:
            raise Diverged(
                f"projection {projection}, replica {lost[0]}: {phases.name(event)} at tick {event.tick} of "
                f"presentation {self._presentation()} gave values that are not finite. Lower lr, or set max_norm.",
                replica=int(lost[0]),
            )
        self._state.alive[lost] = False

    def _gain(self, projection: str) -> np.ndarray:
        """Return the largest change of a velocity or weight that an increment of one can cause, (replica,)."""
        lr, lr_bias, momentum = (self._state.parameter(projection, q) for q in ("lr", "lr_bias", "momentum"))
        gain: np.ndarray = np.maximum(np.maximum(lr, lr_bias), 1) / (1 - momentum).astype(np.float64)
        return gain
