"""Operands of compiled kernels: an array, and the part of it that each thread reads or writes."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from circuitsim.kernels.cpu.threads import thread_count

Array = np.ndarray


class SplitBy(Enum):
    """The axis along which threads share a kernel's work."""

    NEURONS = "neurons"
    EXAMPLES = "examples"
    REPLICAS = "replicas"


@dataclass(frozen=True)
class Operand:
    """An array that a kernel works on, and how a thread uses it.

    Parameters
    ----------
    axis : axis of the neurons that threads share; None: every thread uses all of them.
    examples : axis of the examples that threads share; None: every thread uses all of them.
    written : True if the kernel changes the array.
    private : True if each thread works on an element of the first axis of its own.
    """

    array: Array
    axis: int | None
    examples: int | None = None
    written: bool = False
    private: bool = False

    def layout(self, by: SplitBy) -> tuple[int, ...] | None:
        """Return address, length and stride of the shared axis: equal layouts give a thread equal parts; None: all."""
        axis = {SplitBy.NEURONS: self.axis, SplitBy.EXAMPLES: self.examples, SplitBy.REPLICAS: 0}[by]
        if axis is None or (by is SplitBy.REPLICAS and self.axis is None and self.array.shape[0] == 1):
            return None
        return self.array.ctypes.data, self.array.shape[axis], self.array.strides[axis]

    def conflicts(self, other: Operand) -> bool:
        """Return True if one of the two operands writes memory that the other uses."""
        if self.private and other.private:
            return False
        return (self.written or other.written) and np.may_share_memory(self.array, other.array)


def read_all(array: Array) -> Operand:
    """Operand that every thread reads completely."""
    return Operand(array, None)


def read_examples(array: Array) -> Operand:
    """Activity of which a thread reads all neurons of its own examples."""
    return Operand(array, None, 1)


def read_part(array: Array, axis: int = 2, *, examples: int | None = 1) -> Operand:
    """Operand of which a thread reads its own neurons, or the rows of the weights into them."""
    return Operand(array, axis, examples if axis == 2 else None)


def write_part(array: Array, axis: int = 2, *, examples: int | None = 1) -> Operand:
    """Operand of which a thread writes its own part."""
    return Operand(array, axis, examples if axis == 2 else None, written=True)


def workspace(dtype: np.dtype[Any], *shape: int) -> Operand:
    """Operand of memory in which each thread writes down intermediate values of its own; it begins on a cache line.

    The system gives the memory when it is first written to: ops of a program have one workspace together instead.
    """
    count = thread_count() * math.prod(shape)
    pages = mmap.mmap(-1, max(count * dtype.itemsize, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    array = np.frombuffer(pages, dtype, count).reshape(-1, *shape)
    return Operand(array, None, written=True, private=True)


def root(array: Array) -> Array:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
