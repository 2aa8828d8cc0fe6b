"""All memory of a presentation as blocks that an audit copies, draws at random, mixes and compares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from circuitsim.locality import Key

Array = np.ndarray
Index = tuple[Any, ...]
Piece = tuple[Key, Index]  # part of the array at an address
Where = Mapping[int, Array | None]  # blocks to change: flat positions in C order, or None for the whole block
SLACK = 4096  # number of different offsets into a pool of noise
LITTLE = 65536  # bytes of a block that is copied to be compared with others


class Draw(Enum):
    """Sizes of random values: thresholds and silent neurons hide some dependences from some of them."""

    ORDINARY = (1.0, 1.0, 0.0, 0.0)
    ROUGH = (1.0, 1.0, 0.2, 0.1)  # exact zeros, and some values that are large
    LARGE = (8.0, 4.0, 0.1, 0.0)
    SMALL = (0.05, 0.1, 0.0, 0.0)

    @property
    def of_weights(self) -> float:
        """Factor of weights; 1 keeps sums over a layer near one, where no activation saturates."""
        return self.value[0]

    @property
    def of_signals(self) -> float:
        """Factor of all else."""
        return self.value[1]


class MemoryBlocks:
    """The arrays of a presentation; arrays that share memory are one block.

    Parameters
    ----------
    arrays : all arrays by address.
    below : exclusive upper bound of the random values, for arrays of whole numbers.
    random : source of random values.
    one_hot : arrays with one neuron at 1 for each example and the others at 0; half of their random values are so too.
    """

    def __init__(
        self,
        arrays: Mapping[Key, Array],
        below: Mapping[Key, int],
        random: np.random.Generator,
        one_hot: Iterable[Key] = (),
    ) -> None:
        groups: dict[int, list[Key]] = {}
        for key, array in arrays.items():
            if key[0] != "circuit" and array.size:  # seeds, clock and living replicas are given, not remembered
                groups.setdefault(array.ctypes.data, []).append(key)
        self.keys = tuple(tuple(group) for group in groups.values())
        self.blocks = tuple(arrays[group[0]] for group in self.keys)
        self.of = {key: block for block, group in enumerate(self.keys) for key in group}
        self._below, self._random, self._one_hot = below, random, frozenset(one_hot)
        floats = [block for block in self.blocks if block.dtype.kind == "f"]
        self._largest, self._dtype = max(block.size for block in floats), floats[0].dtype
        self._pools: dict[tuple[float, float], Array] = {}

    @property
    def everything(self) -> Where:
        """Every block, whole."""
        return dict.fromkeys(range(len(self.blocks)))

    def copy(self) -> list[Array]:
        """Copy all blocks."""
        return [block.copy() for block in self.blocks]

    def load(self, values: Sequence[Array]) -> None:
        """Write these values into all blocks."""
        for block, value in zip(self.blocks, values, strict=True):
            block[...] = value

    def draw(self, size: Draw, unlike: Sequence[Array] | None = None) -> list[Array]:
        """Return random values for all blocks; whole numbers and truth values differ from those of `unlike`."""
        return [self.drawn(k, size, None if unlike is None else unlike[k]) for k in range(len(self.blocks))]

    def drawn(self, number: int, size: Draw = Draw.ORDINARY, unlike: Array | None = None) -> Array:
        """Return random values for one block."""
        (owner, quantity, cycle), block = self.keys[number][0], self.blocks[number]
        if block.dtype.kind in "iu":
            return self._whole(number, unlike)
        if block.dtype.kind == "b":
            return self._random.random(block.shape) < 0.5 if unlike is None else ~unlike
        if self._one_hot.intersection(self.keys[number]) and self._random.random() < 0.5:
            return self._indicators(block, unlike)
        if cycle is None and block.ndim == 1 and owner != "hook":  # a parameter of each replica: zero and infinity stay
            return np.asarray(block * self._random.uniform(0.5, 1.5, block.shape).astype(block.dtype))
        values = self._values(block, size).astype(block.dtype, copy=False)
        if quantity == "variance":
            return np.asarray(np.abs(values))
        # keeps sums over a layer near one, where no activation saturates
        scale = size.of_weights / np.sqrt(block.shape[-1]) if quantity == "weight" else size.of_signals
        return values if scale == 1 else values * block.dtype.type(scale)

    def _whole(self, number: int, unlike: Array | None) -> Array:
        below, shape = self._below[self.keys[number][0]], self.blocks[number].shape
        if unlike is None or below < 2:
            return self._random.integers(0, below, shape)
        return (unlike + self._random.integers(1, below, shape)) % below

    def _indicators(self, block: Array, unlike: Array | None) -> Array:
        classes = block.shape[-1]
        picked = self._random.integers(0, classes, block.shape[:-1])
        if unlike is not None and classes > 1:
            picked = (unlike.argmax(axis=-1) + self._random.integers(1, classes, block.shape[:-1])) % classes
        return np.asarray(np.eye(classes, dtype=block.dtype)[picked])

    def _values(self, block: Array, size: Draw) -> Array:
        """Return part of a pool of noise, from a random offset."""
        zeros, large = size.value[2:]
        if (zeros, large) not in self._pools:
            pool = self._random.uniform(-1, 1, self._largest + SLACK)
            chance = self._random.random(len(pool))
            pool[chance < zeros] = 0
            pool[chance > 1 - large] *= 20
            self._pools[zeros, large] = pool.astype(self._dtype)
        begin = int(self._random.integers(SLACK))
        return self._pools[zeros, large][begin : begin + block.size].reshape(block.shape)


class Comparison:
    """All memory beside what it held; small blocks are compared together, which costs little for each.

    Parameters
    ----------
    memory : the blocks. values : what they are compared with.
    """

    def __init__(self, memory: MemoryBlocks, values: Sequence[Array]) -> None:
        self._blocks, self._values = memory.blocks, list(values)
        together = [block.nbytes <= LITTLE and block.flags.c_contiguous for block in self._blocks]
        self._small = [k for k, small in enumerate(together) if small]
        self._large = [k for k, small in enumerate(together) if not small]
        self._views = [_bytes_of(self._blocks[k]) for k in self._small]
        self._ends = np.cumsum([view.size for view in self._views])
        self._place = {k: int(end) - self._blocks[k].nbytes for k, end in zip(self._small, self._ends, strict=True)}
        self._bytes = _joined([_bytes_of(self._values[k]) for k in self._small])

    def expect(self, number: int, value: Array) -> None:
        """Compare a block with another value from now on."""
        self._values[number] = value
        if number in self._place:
            begin = self._place[number]
            self._bytes[begin : begin + value.nbytes] = _bytes_of(value)

    def differing(self, large: Collection[int] | None = None) -> list[int]:
        """Return the blocks that hold other bits than expected, in order; `large`: of large blocks look at these."""
        places = np.flatnonzero(_joined(self._views) != self._bytes)
        found = [self._small[k] for k in np.unique(np.searchsorted(self._ends, places, side="right"))]
        chosen = self._large if large is None else [k for k in self._large if k in large]
        return sorted([*found, *(k for k in chosen if not same_bits(self._blocks[k], self._values[k]))])


def _bytes_of(array: Array) -> Array:
    """Return the bytes of an array in C order: of its own memory, if that is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def same_bits(first: Array, second: Array) -> bool:
    """Tell if two arrays of one dtype and shape hold the same bits; NaN equals itself, 0 and -0 differ."""
    return bool(np.array_equal(_bits(first), _bits(second)))


def differing(first: Array, second: Array) -> Array:
    """Mark the elements at which two arrays of one dtype and shape differ in a bit."""
    return np.asarray(_bits(first) != _bits(second))


def differences(first: Array, second: Array) -> Array:
    """Return the indices at which two arrays of one dtype and shape differ in a bit, one row each."""
    return np.argwhere(differing(first, second))


def _bits(array: Array) -> Array:
    if array.dtype.kind == "b":
        return array
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
