"""Divergence: increments that are not finite, or that would make a weight so, found before any of them is applied."""

from __future__ import annotations

import numpy as np

from circuitsim import phases
from circuitsim.engine.state import State
from circuitsim.errors import Diverged
from circuitsim.events import Event


class Watch:
    """How large increments may be, and what becomes of a replica that exceeds it.

    Parameters
    ----------
    state : whose rates and momenta decide how far an increment reaches.
    drop : leave a replica that diverges as it was and go on with the others, instead of raising.
    """

    def __init__(self, state: State, *, drop: bool) -> None:
        self._state, self._drop = state, drop
        self._largest = np.finfo(state.dtype).max / 8
        self.limits: dict[str, np.ndarray] = {}
        self.note_rates()

    def note_rates(self) -> None:
        """Note by projection the limit that only increments reach which may not be applied; kernels watch it."""
        self._reach = {name: self._farthest(name) for name in self._state.circuit.rules}
        self._state.to_host(self.limits.values())
        for name, reach in self._reach.items():
            self.limits.setdefault(name, np.empty(1))[0] = float(self._largest) / float(reach.max())

    def look(self, projection: str, event: Event, increments: np.ndarray, presentation: int) -> None:
        """Find the replicas whose increments are too large; Diverged for the first, unless they are dropped."""
        sizes = np.abs(increments.reshape(self._state.replicas, -1)).max(axis=1) * self._reach[projection]
        finite = sizes < self._largest  # not so for what is not a number
        lost = np.flatnonzero(self._state.alive & ~finite)
        if not lost.size:
            return
        if not self._drop:
            raise Diverged(
                f"projection {projection}, replica {lost[0]}: {phases.name(event)} at tick {event.tick} of "
                f"presentation {presentation} gave values that are not finite. Lower lr, or set max_norm.",
                replica=int(lost[0]),
            )
        self._state.alive[lost] = False

    def _farthest(self, projection: str) -> np.ndarray:
        """How far an increment of one can take a velocity and with it a weight, (replica,)."""
        lr, lr_bias, momentum = (self._state.parameter(projection, q) for q in ("lr", "lr_bias", "momentum"))
        farthest: np.ndarray = np.maximum(np.maximum(lr, lr_bias), 1) / (1 - momentum).astype(np.float64)
        return farthest
