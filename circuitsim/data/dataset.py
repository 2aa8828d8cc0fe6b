"""Loaded data sets, and the last steps of every loader: cut to a limit, scale, freeze."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from circuitsim.arrays import freeze
from circuitsim.errors import DataError

Array = NDArray[Any]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples, one per row.

    Parameters
    ----------
    name : the name or path that it was loaded by.
    train, test : (examples, features), C-contiguous, float32 or float64; pixels lie in [0, 1].
    train_labels, test_labels : (examples,) int64 classes, or None where there are none.
    image_shape : (channels, rows, columns), whose product is the number of features, or None where rows are no images.
    train_targets, test_targets : (examples, targets) real numbers, or None where there are none.
    note : a remark on how the examples were taken, or "".

    The arrays that `load` gives are read-only.
    """

    name: str
    train: Array
    test: Array
    train_labels: Array | None
    test_labels: Array | None
    image_shape: ImageShape | None
    note: str = ""
    train_targets: Array | None = None
    test_targets: Array | None = None

    def __repr__(self) -> str:
        rows = f"{len(self.train)} training and {len(self.test)} test examples"
        return f"<Dataset {self.name}: {rows}, {self.features} features>"

    @property
    def features(self) -> int:
        """Values per example."""
        return int(self.train.shape[1])

    def answers(self, *, real: bool) -> tuple[Array | None, Array | None]:
        """Return what is known of the training and of the test examples: real-valued targets, or classes."""
        return (self.train_targets, self.test_targets) if real else (self.train_labels, self.test_labels)

    def splits(self, first: int | None = None, *, real: bool) -> Iterator[tuple[str, Array, Array | None]]:
        """Yield name, examples and answers of both splits; `first`: of so many training examples alone."""
        for name, x, known in zip(("train", "test"), (self.train, self.test), self.answers(real=real), strict=True):
            rows = slice(first if name == "train" else None)
            yield name, x[rows], None if known is None else known[rows]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows as they are stored (uint8 pixels or numbers), and their classes, or their real-valued targets."""

    rows: Array
    labels: Array | None
    targets: Array | None = None

    def part(self, chosen: slice | Array) -> Split:
        """Return some of the rows, with what is known of them."""
        known = (None if array is None else array[chosen] for array in (self.labels, self.targets))
        return Split(self.rows[chosen], *known)


class Limits(NamedTuple):
    """The most rows to take of each split; None takes all."""

    train: int | None = None
    test: int | None = None


class Raw(NamedTuple):
    """Result of a reader: both splits, cut to the limits, the shape of an image, and a remark or ""."""

    train: Split
    test: Split
    image_shape: ImageShape | None
    note: str = ""


def checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype` as a NumPy type; raise DataError unless it is float32 or float64."""
    remedy = "Ask for 'float32' or 'float64'."
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise DataError("dtype of a data set", got=repr(dtype), expected="float32 or float64", remedy=remedy) from None
    # np.dtype(None) is float64: a forgotten setting should not pick a precision.
    if dtype is None or kind not in (np.dtype("float32"), np.dtype("float64")):
        raise DataError("dtype of a data set", got=repr(dtype), expected="float32 or float64", remedy=remedy)
    return kind


def sorted_by_class(labels: Array | None) -> bool:
    """Return whether the examples of each class follow each other.

    >>> sorted_by_class(np.array([2, 2, 0, 0, 1])), sorted_by_class(np.array([0, 1, 0, 1]))
    (True, False)
    """
    if labels is None:
        return False
    classes = len(np.unique(labels))
    return bool(1 < classes < len(labels) and np.count_nonzero(labels[1:] != labels[:-1]) == classes - 1)


def rows_to_take(available: int, limit: int | None, what: str) -> int:
    """Number of rows to take of `available`; `what` names the limit in the error.

    >>> rows_to_take(10, None, "train_limit"), rows_to_take(10, 3, "train_limit")
    (10, 3)
    """
    if limit is None:
        return available
    expected = f"a whole number, at least 1 and at most {available}"
    if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or not 1 <= limit <= available:
        raise DataError(what, got=repr(limit), expected=expected, remedy="Leave the limit out to use every row.")
    return int(limit)


def cut(split: Split, limit: int | None, what: str) -> Split:
    """First rows of `split`."""
    n = rows_to_take(len(split.rows), limit, what)
    return split.part(slice(n))


def scaled(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Rows in `dtype`, C-contiguous: uint8 as pixels, v / 255 computed in `dtype`, other types as they are.

    >>> scaled(np.array([[0, 51, 255]], dtype=np.uint8), np.dtype("float64")).tolist()
    [[0.0, 0.2, 1.0]]
    """
    if rows.dtype == np.uint8:
        pixels: Array = np.divide(rows, dtype.type(255), dtype=dtype, order="C")
        return pixels
    return np.ascontiguousarray(rows, dtype=dtype)


def finished(name: str, raw: Raw, dtype: np.dtype[Any]) -> Dataset:
    """The data set that `raw` becomes, to be read only: who has taken it to a device may keep it there."""
    return Dataset(
        name,
        freeze(scaled(raw.train.rows, dtype)),
        freeze(scaled(raw.test.rows, dtype)),
        _classes(raw.train.labels),
        _classes(raw.test.labels),
        raw.image_shape,
        raw.note,
        _targets(raw.train.targets, dtype),
        _targets(raw.test.targets, dtype),
    )


def _classes(labels: Array | None) -> Array | None:
    return None if labels is None else freeze(np.ascontiguousarray(labels, dtype=np.int64))


def _targets(targets: Array | None, dtype: np.dtype[Any]) -> Array | None:
    return None if targets is None else freeze(np.ascontiguousarray(targets, dtype=dtype))
