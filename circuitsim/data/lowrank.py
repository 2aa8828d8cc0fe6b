"""Linear data of low rank, for networks whose optimum is known.

    X = U V,    V (r x d) and U (n x r) with independent entries from N(0, 1)

Reference: Baldi & Sadowski, "Learning in the machine: recirculation is random backpropagation", Neural Networks 108
(2018), section 7.1, with d = 100 and r = 20. It draws a new U for each mini-batch; here U has a fixed number of rows,
so that epochs and a test set mean what they mean elsewhere. The draw is always the same: V, U of the training rows, U
of the test rows.
"""

from __future__ import annotations

import numpy as np

from circuitsim.data.dataset import Array, Limits, Raw, Split, rows_to_take

FEATURES = 100
RANK = 20
TRAIN, TEST = 60_000, 10_000
_BLOCK = 1_000


def read(name: str, limits: Limits) -> Raw:
    """The first rows of both splits, float64; a limit changes how many rows there are, never their values."""
    generator = np.random.Generator(np.random.Philox(key=0))
    v = generator.standard_normal((RANK, FEATURES))
    u, u_test = generator.standard_normal((TRAIN, RANK)), generator.standard_normal((TEST, RANK))
    n = rows_to_take(TRAIN, limits.train, f"train_limit of data set '{name}'")
    m = rows_to_take(TEST, limits.test, f"test_limit of data set '{name}'")
    return Raw(Split(product(u[:n], v), None), Split(product(u_test[:m], v), None), None)


def product(u: Array, v: Array) -> Array:
    """U V, summed in the order of the rank index.

    A BLAS product rounds by machine and by number of rows; this sum is the same everywhere.

    >>> product(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    x = np.zeros((len(u), v.shape[1]))
    for start in range(0, len(u), _BLOCK):  # a block stays in the processor's cache over all terms of the sum
        block = x[start : start + _BLOCK]
        for k in range(len(v)):
            block += u[start : start + _BLOCK, k, None] * v[k]
    return x
