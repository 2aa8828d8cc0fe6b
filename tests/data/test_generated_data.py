"""Data sets that need no files: scikit-learn's digits and random vectors of low rank."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from circuitsim.data import load
from circuitsim.data.lowrank import product
from circuitsim.errors import DataError


def test_digits() -> None:
    data = load("digits", "float64")
    rows, labels = load_digits(return_X_y=True)
    assert data.train.shape == (1437, 64) and data.test.shape == (360, 64) and data.image_shape == (1, 8, 8)
    assert np.array_equal(np.vstack([data.train, data.test]), rows / 16)
    assert data.train_labels is not None and data.test_labels is not None
    assert np.array_equal(np.concatenate([data.train_labels, data.test_labels]), labels)
    assert data.train.min() == 0 and data.train.max() == 1 and data.train_labels.dtype == np.int64


def test_lowrank() -> None:
    data = load("lowrank", "float64")
    assert data.train.shape == (60_000, 100) and data.test.shape == (10_000, 100)
    assert data.train_labels is None and data.test_labels is None and data.image_shape is None
    assert np.linalg.matrix_rank(data.train[:500]) == 20
    # Both splits are made by one V: together they still span 20 dimensions.
    assert np.linalg.matrix_rank(np.vstack([data.train[:100], data.test[:100]])) == 20
    assert abs(data.train.mean()) < 0.05 and 15 < data.train.var() < 25  # r terms of variance 1


def test_lowrank_is_always_the_same_draw() -> None:
    data, short = load("lowrank"), load("lowrank", train_limit=1234, test_limit=5)
    assert np.array_equal(data.train[:1234], short.train) and np.array_equal(data.test[:5], short.test)
    assert data.train.dtype == np.float32 and data.train.flags.c_contiguous
    first, last = float(data.train[0, 0]), float(data.test[-1, -1])
    assert (first, last) == pytest.approx((8.751309, -10.233415), rel=1e-6)


def test_lowrank_against_the_plain_product() -> None:
    generator = np.random.Generator(np.random.Philox(key=0))
    v, u = generator.standard_normal((20, 100)), generator.standard_normal((70_000, 20))
    data = load("lowrank", "float64")
    assert np.allclose(data.train, u[:60_000] @ v) and np.allclose(data.test, u[60_000:] @ v)


def test_product() -> None:
    random = np.random.default_rng(0)
    u, v = random.standard_normal((2500, 7)), random.standard_normal((7, 11))
    assert np.allclose(product(u, v), u @ v)


@pytest.mark.parametrize(("name", "rows", "test_rows"), [("digits", 1437, 360), ("lowrank", 60_000, 10_000)])
def test_limits_are_checked(name: str, rows: int, test_rows: int) -> None:
    with pytest.raises(DataError, match=f"train_limit of data set '{name}': got {rows + 1}; .* at most {rows}"):
        load(name, train_limit=rows + 1)
    with pytest.raises(DataError, match=f"test_limit of data set '{name}': got 0; .* at most {test_rows}"):
        load(name, test_limit=0)
