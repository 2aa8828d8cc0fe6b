"""States to run a step from: those given, and others drawn at several scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from circuitsim.analysis.blackbox.program import Arrays, State
from circuitsim.analysis.blackbox.wiring import Wiring

SCALES = ((1.0, 1.0), (3.0, 3.0), (0.3, 10.0), (1.0, 0.1))
"""Scales of weights and of data, one pair a random state."""


class Draws:
    """Random weights and examples like the given ones."""

    def __init__(self, wiring: Wiring, given: State, random: np.random.Generator) -> None:
        self._wiring, self._given, self._random = wiring, given, random
        self._spread = {name: self._deviation(name, w) for name, w in given.weights.items()}

    def states(self, runs: int) -> Iterator[tuple[float, float, State]]:
        """Yield (scale of weights, scale of data, state) for `runs` random states."""
        for run in range(runs):
            scale, data = SCALES[run % len(SCALES)]
            weights = {name: self.weight(name, scale) for name in self._given.weights}
            yield scale, data, State(weights, self.examples(data))

    def with_usual_labels(self, state: State) -> State:
        """Return the state with labels in the range of the given ones."""
        return state.with_batch(**{key: self.entry(key) for key in self._wiring.labels})

    def weight(self, name: str, scale: float = 1.0) -> np.ndarray:
        """Return random weights with the deviation of the given ones."""
        like = self._given.weights[name]
        return (scale * self._spread[name] * self._random.standard_normal(like.shape)).astype(like.dtype)

    def examples(self, scale: float = 1.0) -> Arrays:
        """Return a batch of examples whose features are taken from given examples, each from another."""
        return {key: self.entry(key, scale) for key in self._given.batch}

    def entry(self, key: str, scale: float = 1.0) -> np.ndarray:
        """Return new examples of one batch entry, in the range of the given ones times the scale.

        Inputs take each feature from another example, labels are taken whole or, if they are numbers of classes, drawn.
        Noise is added to both, but zeros of inputs stay zeros.
        """
        given = self._given.batch[key]
        if key in self._wiring.labels:
            size = self._wiring.sizes[self._wiring.labels[key]]
            if given.dtype.kind in "iu":
                numbers = given.ndim == 1 and given.min() >= 0 and given.max() < size
                found = self._random.integers(0, size, given.shape) if numbers else self._random.permutation(given)
                return np.asarray(found, given.dtype)
            return self._noisy(self._random.permutation(given), given, scale, np.ones(given.shape, bool))
        mixed = self._random.permuted(given.reshape(len(given), -1), axis=0).reshape(given.shape)
        return self._noisy(mixed, given, scale, mixed != 0)

    def _noisy(self, values: np.ndarray, given: np.ndarray, scale: float, where: np.ndarray) -> np.ndarray:
        low, high, spread = given.min(), given.max(), float(given.std()) or 1.0
        noise = 0.1 * spread * self._random.standard_normal(values.shape) * where
        limited = np.clip(values + noise, low, high) if low < high else values + noise
        return np.asarray(scale * limited, given.dtype)

    def _deviation(self, name: str, weight: np.ndarray) -> float:
        spread = float(np.abs(weight).mean()) * 1.25 if weight.size else 0.0
        return spread or (0.1 if weight.ndim == 1 else 1.0 / np.sqrt(weight.shape[1]))
