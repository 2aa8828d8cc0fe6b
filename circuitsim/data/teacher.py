"""Real-valued targets that a random network gives to random inputs, for regression.

    y = W2 tanh(W1 x),    x uniform from -1 to 1, W1 and W2 normal with variance 9 / n_in and 1 / n_in

The draw is always the same: W1, W2, x of the training rows, x of the test rows.
"""

from __future__ import annotations

import numpy as np

from circuitsim.data.dataset import Array, Limits, Raw, Split, rows_to_take
from circuitsim.data.lowrank import product

FEATURES, HIDDEN, TARGETS = 16, 32, 4
TRAIN, TEST = 10_000, 2_000


def read(name: str, limits: Limits) -> Raw:
    """The first rows of both splits, float64; a limit changes how many rows there are, never their values."""
    generator = np.random.Generator(np.random.Philox(key=1))
    w1 = generator.standard_normal((FEATURES, HIDDEN)) * 3 / np.sqrt(FEATURES)
    w2 = generator.standard_normal((HIDDEN, TARGETS)) / np.sqrt(HIDDEN)
    x, x_test = (generator.uniform(-1, 1, (count, FEATURES)) for count in (TRAIN, TEST))
    n = rows_to_take(TRAIN, limits.train, f"train_limit of data set '{name}'")
    m = rows_to_take(TEST, limits.test, f"test_limit of data set '{name}'")
    return Raw(_split(x[:n], w1, w2), _split(x_test[:m], w1, w2), None)


def _split(x: Array, w1: Array, w2: Array) -> Split:
    return Split(x, None, product(np.tanh(product(x, w1)), w2))
