"""Figures of merit of an autoencoder, for all replicas at once."""

from __future__ import annotations

import numpy as np

from circuitsim.simulator import Simulator


def mse(simulator: Simulator, x: np.ndarray) -> np.ndarray:
    """Mean squared error of the reconstruction over examples and units, (replica,)."""
    total = 0.0
    for part, outputs in simulator.outputs(x):
        difference = outputs - x[part]
        flat = difference.reshape(len(outputs), -1)
        total = total + np.einsum("rk,rk->r", flat, flat, dtype=np.float64)
    return np.asarray(total / x.size)


def reconstruction_errors(simulator: Simulator, x: np.ndarray, *, logistic: bool) -> dict[str, np.ndarray]:
    """`mse`, and for logistic outputs `bce`: the cross-entropy summed over units, averaged over examples.

    bce = sum_i max(s_i, 0) - s_i t_i + log(1 + exp(-|s_i|)), from the logits s: finite wherever s is.
    """
    found = {"mse": mse(simulator, x)}
    if logistic:
        total = np.zeros(simulator.state.replicas)
        for part, logits in simulator.outputs(x, logits=True):
            small = np.abs(logits)
            np.negative(small, out=small)
            np.exp(small, out=small)
            small += 1
            np.log(small, out=small)
            small += np.maximum(logits, 0)
            total += small.sum(axis=(1, 2), dtype=np.float64)
            total -= np.einsum("rbi,bi->r", logits, x[part], dtype=np.float64)
        found["bce"] = total / len(x)
    return found
