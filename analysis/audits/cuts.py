"""Cuts: halves of a set of things, so few that any two things are parted by one of them.

A group test changes one half and looks at all that depends on the other half alone. Things are numbered at random; for
each bit of the number and each value of the bit there is a cut. Two numbers differ in a bit, so that for any two
things a cut holds the first and changes the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np

Array = np.ndarray


def cuts(count: int, random: np.random.Generator) -> Iterator[Array]:
    """Yield masks (count,) of the things to hold; none for a single thing, which nothing is parted from."""
    number = random.permutation(count)
    for bit in range((count - 1).bit_length()):
        for value in (0, 1):
            yield number >> bit & 1 == value


def pair_cuts(count: int, random: np.random.Generator) -> Iterator[Array]:
    """Yield masks of the things to hold, such that for any three one holds two of them and changes the third.

    The third differs from the first in a bit and from the second in a bit: things that agree with the third in these
    two bits are changed.
    """
    number = random.permutation(count)
    bits = range((count - 1).bit_length())
    for bit, value in product(bits, (0, 1)):
        yield number >> bit & 1 != value
    for (first, second), values in product(combinations(bits, 2), product((0, 1), repeat=2)):
        yield (number >> first & 1 != values[0]) | (number >> second & 1 != values[1])


def count_of(parting: Callable[[int, np.random.Generator], Iterator[Array]], count: int) -> int:
    """Return the number of masks that `cuts` or `pair_cuts` yields."""
    bits = (count - 1).bit_length()
    return 2 * bits if parting is cuts else 2 * bits + 2 * bits * (bits - 1)
