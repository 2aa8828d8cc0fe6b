"""Performance measures of an autoencoder, for all replicas at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


def reconstruction_errors(simulator: Simulator, x: np.ndarray, *, logistic: bool) -> dict[str, np.ndarray]:
    """Compare the outputs with the inputs, each (replica,).

    mse : squared error, mean over examples and units.
    bce : cross-entropy of logistic outputs, summed over units, mean over examples.
    """
    squares, entropy = np.zeros(simulator.state.replicas), np.zeros(simulator.state.replicas)
    for part, outputs, logits in simulator.outputs(x):
        difference = (outputs - x[part]).reshape(len(outputs), -1)
        squares += np.einsum("rk,rk->r", difference, difference)
        if logistic:
            entropy += cross_entropy(logits, x[part])
    found = {"mse": squares / x.size}
    return found | {"bce": entropy / len(x)} if logistic else found


def cross_entropy(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Sum max(s, 0) - s t + log(1 + exp(-|s|)) over examples and units; finite for every finite s."""
    terms = np.abs(logits)
    np.negative(terms, out=terms)
    np.exp(terms, out=terms)
    terms += 1
    np.log(terms, out=terms)
    terms += np.maximum(logits, 0)
    terms -= logits * target
    total: np.ndarray = terms.sum(axis=(1, 2), dtype=np.float64)
    return total
