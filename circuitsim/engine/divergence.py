"""Divergence: changes that would make a weight, a velocity or a sum infinite, found before any of them is applied.

Kernels compare each increment with a limit, so small that weights below it stay finite for 2^40 presentations. Where it
is reached, and in each presentation in which weights may grow without increments, all that the update adds up is looked
at: increments, what is pending, velocities, and the weights after their decay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from circuitsim import phases
from circuitsim.circuit.weights import Own
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError, Diverged
from circuitsim.events import Event

STOP, DROP = "stop", "drop"
FAR = 2.0**40  # presentations that increments below the limit would need to make a weight infinite


class Reach(NamedTuple):
    """Bound of how far an update moves weights, in each replica: (replica,) of float64, or infinite.

    proposed : by increments, pending ones and velocities. decayed : the largest weight or bias after its decay.
    """

    proposed: np.ndarray
    decayed: np.ndarray


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
        self._largest = {name: self._largest_weight(name) for name in state.circuit.rules}
        self.limits: dict[str, np.ndarray] = {}
        self.update_limits()

    def update_limits(self) -> None:
        """Set each projection's limit of increments, (1,), from rates, decay and weights; kernels hold these arrays."""
        self._gains = {name: self._gain(name) for name in self._state.circuit.rules}
        self._state.to_host(self.limits.values())
        for name, gain in self._gains.items():
            limit = 0.0 if self._may_grow(name) else self._largest[name] / float(gain.max()) / FAR
            self.limits.setdefault(name, np.empty(1))[0] = limit

    def check(self, projection: str, event: Event, increments: np.ndarray) -> None:
        """Drop the replicas whose update would not be finite, or raise Diverged for the first."""
        reach = self._reach(projection, increments)
        finite = reach.proposed + reach.decayed < self._largest[projection]  # False for NaN
        lost = np.flatnonzero(self._state.alive & ~finite)
        if not lost.size:
            return
        if not self._drop:
            replica = int(lost[0])
            raise Diverged(self._message(projection, event, replica, reach), replica=replica)
        self._state.alive[lost] = False

    def _message(self, projection: str, event: Event, replica: int, reach: Reach) -> str:
        when = f"presentation {self._presentation()}"
        if reach.proposed[replica] < self._largest[projection]:
            decay = self._state.parameter(projection, "weight_decay")[replica]
            text = (
                f"the decay of {decay:g} gives weights that are not finite in {when}. Lower the decay: above 2 it grows"
            )
            return f"projection {projection}, replica {replica}: {text}."
        return (
            f"projection {projection}, replica {replica}: {phases.name(event)} at tick {event.tick} of "
            f"{when} gave values that are not finite. Lower lr, or set max_norm."
        )

    def _reach(self, projection: str, increments: np.ndarray) -> Reach:
        kept = self._state.persistent()

        def size(quantity: str) -> np.ndarray:
            array = kept.get(f"{projection}.{quantity}")
            return np.zeros(self._state.replicas) if array is None else _sizes(array)

        with np.errstate(over="ignore", invalid="ignore"):
            waiting = np.maximum(size("pending"), size("bias_pending"))
            moving = np.maximum(size("velocity"), size("bias_velocity")) * self._rate(projection)
            proposed = (_sizes(increments) + waiting) * self._gains[projection] + moving
            decayed = np.maximum(size("weight") * np.maximum(self._growth(projection), 1), size("bias"))
        return Reach(proposed, decayed)

    def _may_grow(self, projection: str) -> bool:
        """Return whether weights are near the largest that is safe, or grow by decay: then each update is looked at."""
        weight = self._state.tensors()[f"{projection}.weight"]
        near = (_sizes(weight) > self._largest[projection] / 2).any()
        return bool(near or (self._growth(projection) > 1).any())

    def _largest_weight(self, projection: str) -> float:
        """Return the largest weight that is safe: where norms are taken, its square must be finite too."""
        circuit, largest = self._state.circuit, float(np.finfo(self._state.dtype).max) / 8
        q = circuit.projection(projection)
        if not circuit.population(q.target).bounded and q.weights != Own(normalised=True):
            return largest
        return min(largest, float(np.sqrt(np.finfo(np.float64).max) / 2**32))

    def _gain(self, projection: str) -> np.ndarray:
        """Return the largest change of a velocity or weight that an increment of one can cause, (replica,)."""
        momentum = self._state.parameter(projection, "momentum")
        gain: np.ndarray = np.maximum(self._rate(projection), 1) / (1 - momentum).astype(np.float64)
        return gain

    def _rate(self, projection: str) -> np.ndarray:
        return np.maximum(*(self._state.parameter(projection, q).astype(np.float64) for q in ("lr", "lr_bias")))

    def _growth(self, projection: str) -> np.ndarray:
        """Return the factor by which decay alone changes the size of a weight, (replica,)."""
        return np.abs(1 - self._state.parameter(projection, "weight_decay").astype(np.float64))


def _sizes(array: np.ndarray) -> np.ndarray:
    """Return the largest number of each replica, (replica,) of float64."""
    found: np.ndarray = np.abs(array.reshape(len(array), -1)).max(axis=1).astype(np.float64)
    return found
