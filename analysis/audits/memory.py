"""All memory of a presentation as blocks, to be copied, scrambled and held: what an intervention does to a circuit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.locality import Key

Array = np.ndarray
Index = tuple[Any, ...]
Piece = tuple[Key, Index]  # part of the array at an address
Where = Mapping[int, Array | None]  # blocks to scramble, each whole or at flat positions
SLACK = 4096  # how far apart two readings of the pool of noise may begin


class Memory:
    """The arrays of a bound plan, those that share memory counted once.

    Parameters
    ----------
    arrays : all arrays by address.
    below : for arrays of whole numbers, the number that random values stay below.
    random : where random values come from.
    chosen : arrays in which one neuron of each example is 1 and the others 0: half of the random ones are so too.
    """

    def __init__(
        self,
        arrays: Mapping[Key, Array],
        below: Mapping[Key, int],
        random: np.random.Generator,
        chosen: Iterable[Key] = (),
    ) -> None:
        groups: dict[int, list[Key]] = {}
        for key, array in arrays.items():
            if key[0] != "circuit" and array.size:  # seeds, clock and the living are given, not remembered
                groups.setdefault(array.ctypes.data, []).append(key)
        self.keys = tuple(tuple(group) for group in groups.values())
        self.blocks = tuple(arrays[group[0]] for group in self.keys)
        self.of = {key: block for block, group in enumerate(self.keys) for key in group}
        self._below, self._random, self._chosen = below, random, frozenset(chosen)
        floats = [block for block in self.blocks if block.dtype.kind == "f"]
        largest = max(block.size for block in floats)
        self._pool = random.uniform(-1, 1, largest + SLACK).astype(floats[0].dtype)

    @property
    def everything(self) -> Where:
        """Every block, whole."""
        return dict.fromkeys(range(len(self.blocks)))

    def copy(self) -> list[Array]:
        """What all blocks hold now."""
        return [block.copy() for block in self.blocks]

    def load(self, values: Sequence[Array]) -> None:
        """Let all blocks hold these values."""
        for block, value in zip(self.blocks, values, strict=True):
            block[...] = value

    def hold(self, pieces: Iterable[Piece], values: Sequence[Array]) -> None:
        """Let only these pieces hold these values."""
        for key, index in pieces:
            self.blocks[self.of[key]][index] = values[self.of[key]][index]

    def read(self, pieces: Iterable[Piece]) -> list[Array]:
        """What these pieces hold, copied."""
        return [np.array(self.blocks[self.of[key]][index]) for key, index in pieces]

    def write(self, pieces: Iterable[Piece], values: Iterable[Array]) -> None:
        """Let these pieces hold what `read` found."""
        for (key, index), value in zip(pieces, values, strict=True):
            self.blocks[self.of[key]][index] = value

    def scramble(self, where: Where) -> None:
        """Put random values of ordinary size into these blocks, or into these positions of them."""
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
        if self._chosen.intersection(self.keys[number]) and self._random.random() < 0.5:  # else as any other
            picked = self._random.integers(0, block.shape[-1], block.shape[:-1])
            return np.asarray(np.eye(block.shape[-1], dtype=block.dtype)[picked])
        if block.dtype.kind == "b":
            return self._random.random(block.shape) < 0.5
        if cycle is None and block.ndim == 1:  # a parameter of each replica: what is zero or infinite stays so
            return np.asarray(block * self._random.uniform(0.5, 1.5, block.shape))
        begin = int(self._random.integers(SLACK))
        drawn = self._pool[begin : begin + block.size].reshape(block.shape)
        # sums over a layer stay of the order of one, where no activation is flat
        return drawn / np.sqrt(block.dtype.type(block.shape[-1])) if quantity == "weight" else drawn


def same_bits(first: Array, second: Array) -> bool:
    """Whether two arrays of one kind hold the same bits: two that are not numbers are alike, 0 and -0 are not."""
    return bool(np.array_equal(_bits(first), _bits(second)))


def differences(first: Array, second: Array) -> Array:
    """The indices at which two arrays of one kind do not hold the same bits, a row for each."""
    return np.argwhere(_bits(first) != _bits(second))


def _bits(array: Array) -> Array:
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
