"""Notes of arrays after a call: a copy of a small one, checksums by row and by column of a large one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from circuitsim.analysis.audits.memory import Array, differing

LARGE = 20_000  # elements of an array of which no copy is kept


@dataclass(frozen=True)
class Prints:
    """Checksums of an array (replica, row, column): of each row, and of each column."""

    rows: Array
    columns: Array


Noted = Array | Prints


def noted(array: Array) -> Noted:
    """Return a copy of a small array, and the checksums of a large one of three dimensions."""
    if array.size <= LARGE or array.ndim != 3 or array.dtype.kind != "f":
        return array.copy()
    bits = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").astype(np.uint64)
    rows, columns = (_coefficients(number) for number in array.shape[1:])
    return Prints((bits * columns).sum(axis=2), (bits * rows[:, None]).sum(axis=1))


def parted(now: Noted, was: Noted, tested: Array) -> bool:
    """Tell if two arrays differ in a tested element; of large ones tested rows or columns must be whole."""
    if isinstance(now, Prints) or isinstance(was, Prints):
        first, second = (one if isinstance(one, Prints) else _prints(one) for one in (now, was))
        rows, columns = tested.all(axis=2), tested.all(axis=1)
        return bool((rows & (first.rows != second.rows)).any() or (columns & (first.columns != second.columns)).any())
    return bool((tested & differing(now, was)).any())


def _prints(array: Array) -> Prints:
    found = noted(array)
    assert isinstance(found, Prints)
    return found


@lru_cache(16)
def _coefficients(count: int) -> Array:
    """Return odd random factors: a change of one element always changes its sum."""
    return np.random.default_rng(count).integers(0, 2**63, count, np.uint64) * np.uint64(2) + np.uint64(1)
