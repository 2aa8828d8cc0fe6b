"""Divergence: increments that are not finite, or that would make a weight so, found before any of them is applied."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuitsim import phases
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError, Diverged
from circuitsim.events import Event

STOP, DROP = "stop", "drop"


class DivergenceMonitor:
    """Limits of increments by projection, and the check of those that may exceed them.

    Parameters
    ----------
    state : its rates and momenta decide how far an increment moves a weight.
    on_divergence : "drop" leaves a replica that diverges as it was and goes on with the others; "stop" raises.
    presentation : returns the number of the presentation in progress, for the message.
    """

    def __init__(self, state: State, *, on_divergence: str, presentation: Callable[[], int]) -> None:
        if on_divergence not in (STOP, DROP):
            raise CircuitError(
                f"on_divergence of circuit {state.circuit.name}",
                got=repr(on_divergence),
                expected=f"{STOP} or {DROP}",
                remedy="Choose one of these.",
            )
        self._state, self._drop, self._presentation = state, on_divergence == DROP, presentation
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
