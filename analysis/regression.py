"""Performance measures of circuits with real-valued targets, for all replicas at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


def regression_errors(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Compare the outputs with the targets, each (replica,).

    mse : squared error, mean over examples and targets.
    r2 : 1 - sum (T - O)^2 / sum (T - mean T)^2, the means over examples, the sums over all; NaN for constant targets.

    Parameters
    ----------
    x, y : examples (example, feature) and their targets (example, target).
    """
    squares = np.zeros(simulator.state.replicas)
    for part, outputs, _ in simulator.outputs(x):
        difference = (outputs.astype(np.float64) - y[part]).reshape(len(outputs), -1)
        squares += np.einsum("rk,rk->r", difference, difference)
    spread = float(((y - y.mean(axis=0, dtype=np.float64)) ** 2).sum())
    return {"mse": squares / y.size, "r2": 1 - squares / spread if spread > 0 else np.full_like(squares, np.nan)}
