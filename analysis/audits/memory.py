"""All memory of a presentation as blocks that an intervention copies, scrambles and restores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.locality import Key

Array = np.ndarray
Index = tuple[Any, ...]
Piece = tuple[Key, Index]  # part of the array at an address
Where = Mapping[int, Array | None]  # blocks to scramble: flat positions, or None for the whole block
SLACK = 4096  # number of different offsets into the pool of noise


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
        largest = max(block.size for block in floats)
        self._pool = random.uniform(-1, 1, largest + SLACK).astype(floats[0].dtype)

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

    def hold(self, pieces: Iterable[Piece], values: Sequence[Array]) -> None:
        """Write these values into these pieces only."""
        for key, index in pieces:
            self.blocks[self.of[key]][index] = values[self.of[key]][index]

    def read(self, pieces: Iterable[Piece]) -> list[Array]:
        """Copy these pieces."""
        return [np.array(self.blocks[self.of[key]][index]) for key, index in pieces]

    def write(self, pieces: Iterable[Piece], values: Iterable[Array]) -> None:
        """Write what `read` returned back into these pieces."""
        for (key, index), value in zip(pieces, values, strict=True):
            self.blocks[self.of[key]][index] = value

    def scramble(self, where: Where) -> None:
        """Write random values of ordinary size into these blocks or positions."""
        for block, positions in where.items():
            noise, held = self._noise(block), self.blocks[block]
            if positions is None:
                held[...] = noise
            else:
                held.reshape(-1)[positions] = noise.reshape(-1)[positions]

    def _noise(self, number: int) -> Array:
        (_, quantity, cycle), block = self.keys[number][0], self.blocks[number]
        if block.dtype.kind in "iu":
            return self._random.integers(0, self._below[self.keys[number][0]], block.shape)
        if self._one_hot.intersection(self.keys[number]) and self._random.random() < 0.5:
            picked = self._random.integers(0, block.shape[-1], block.shape[:-1])
            return np.asarray(np.eye(block.shape[-1], dtype=block.dtype)[picked])
        if block.dtype.kind == "b":
            return self._random.random(block.shape) < 0.5
        if cycle is None and block.ndim == 1:  # a parameter of each replica: zero and infinity stay
            return np.asarray(block * self._random.uniform(0.5, 1.5, block.shape))
        begin = int(self._random.integers(SLACK))
        drawn = self._pool[begin : begin + block.size].reshape(block.shape)
        # keeps sums over a layer near one, where no activation saturates
        return drawn / np.sqrt(block.dtype.type(block.shape[-1])) if quantity == "weight" else drawn


def same_bits(first: Array, second: Array) -> bool:
    """Tell if two arrays of one dtype and shape hold the same bits; NaN equals itself, 0 and -0 differ."""
    return bool(np.array_equal(_bits(first), _bits(second)))


def differences(first: Array, second: Array) -> Array:
    """Return the indices at which two arrays of one dtype and shape differ in a bit, one row each."""
    return np.argwhere(_bits(first) != _bits(second))


def _bits(array: Array) -> Array:
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
