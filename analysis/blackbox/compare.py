"""Comparison of two runs: which weights changed differently, beyond rounding."""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.blackbox.program import Arrays, Program, Run, State

EXACT = 64  # roundings allowed where both runs should compute the same bits
LOOSE = 2e3  # and where contributions that cancel were added,
FLOOR = 1e-10  # relatively, at least


def relaxed(eps: float) -> float:
    """Return the relative difference that rounding explains where contributions cancel."""
    return max(LOOSE * eps, FLOOR)


class Comparison:
    """Compares runs of one program.

    `common_factor` is set once the audit knows that one number scales all updates (a clipped gradient norm). Changes
    of an update along itself and along its weights are then no further finding. `own` names the weights whose updates
    are no sum over examples for reasons of their own neuron; a bound on a neuron's synapses is one.
    """

    def __init__(self, program: Program) -> None:
        self._eps, self._rounding = program.eps, program.rounding
        self.common_factor = False
        self.own: set[str] = set()

    def differing(
        self, name: str, before: Run, after: Run, where: np.ndarray | None = None, *, loose: bool = False
    ) -> np.ndarray:
        """Return the mask of compared entries of one weight array whose changes differ in any call.

        Parameters
        ----------
        where : entries to compare; their own weights must be equal in both runs. loose : see `LOOSE`.
        """
        return self._differing(name, before, after, where, loose)

    def differing_within_rows(
        self, name: str, before: Run, after: Run, where: np.ndarray, *, loose: bool = False
    ) -> np.ndarray:
        """Return the same mask, but permit each neuron of `own` to scale its synapses and their updates."""
        found = self.differing(name, before, after, where, loose=loose)
        if name not in self.own or found.ndim == 1:
            return found
        for row in np.flatnonzero(found.any(axis=1)):
            only = np.zeros_like(found)
            only[row] = where[row]
            found[row] = self._differing(name, before, after, only, loose, factor=True)[row]
        return found

    def _differing(
        self, name: str, before: Run, after: Run, where: np.ndarray | None, loose: bool, factor: bool = False
    ) -> np.ndarray:
        chosen = np.ones(before.state.weights[name].shape, bool) if where is None else where
        found = np.zeros(chosen.shape, bool)
        if not chosen.any():
            return found
        for first, second in zip(before.calls, after.calls, strict=True):
            old, new = first[name][chosen], second[name][chosen]
            if factor or self.common_factor:
                new = new - fitted(new, old, before.state.weights[name][chosen])
                old = np.zeros_like(old)
            scale = max(_largest(first[name]), _largest(second[name]))
            every = max(_largest(change) for change in first.values())
            limit = max(self.limit(name, before.state, scale, loose), EXACT * self._eps[name] * every)
            found[chosen] |= np.abs(new - old) > limit
        return found

    def rounding(self, name: str, state: State, updates: list[Arrays]) -> float:
        """Return the rounding error that an entry of one weight array's updates may have."""
        scale = max(_largest(update[name]) for update in updates)
        every = max(_largest(change) for update in updates for change in update.values())
        own = _largest(state.weights[name]) if self._rounding else 0.0
        return self._eps[name] * (8 * scale + every + own)

    def limit(self, name: str, state: State, scale: float, loose: bool) -> float:
        """Return the difference of two changes of that scale that rounding explains."""
        own = 4 * self._eps[name] * _largest(state.weights[name]) if self._rounding else 0.0
        return (relaxed(self._eps[name]) if loose else EXACT * self._eps[name]) * scale + own


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))


def fitted(new: np.ndarray, *explained: np.ndarray) -> np.ndarray:
    """Return the part of `new` that is a sum of multiples of the others."""
    basis = np.stack([np.asarray(one, np.float64) for one in explained], axis=1)
    scale = np.linalg.norm(basis, axis=0)
    basis = basis / np.where(scale > 0, scale, 1.0)
    fitted: np.ndarray = basis @ np.linalg.lstsq(basis, new, rcond=None)[0]
    return fitted
