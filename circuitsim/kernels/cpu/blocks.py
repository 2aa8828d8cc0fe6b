"""Blocks of sums of products, as many rows as fit the registers: what `vectors` makes for each number of rows."""

from __future__ import annotations

from typing import Any

from numba import njit

from circuitsim.kernels.cpu.native import address
from circuitsim.kernels.cpu.vectors import WIDE, across, correlated, summed

# mypy: disable-error-code="no-untyped-def"

LARGEST = 8
"""Outputs of the largest block."""
# Taps of a block of sums over positions, by its fields.
TAPS_4, TAPS_3, TAPS_2, TAPS_1 = (across(rows) for rows in (4, 3, 2, 1))
SUMMED_4, SUMMED_3, SUMMED_2, SUMMED_1 = (summed(rows, across(rows)) for rows in (4, 3, 2, 1))


@njit(nogil=True, error_model="numpy")
def rows_of_block(left):
    """Return how many of the outputs that are left the next block has."""
    return 8 if left >= 8 else left if left in (3, 6) else 4 if left >= 4 else left


def _outputs(rows: int) -> Any:
    """Return the function that computes some outputs at all places: wide blocks while they fit, then single vectors."""
    many, last, wide = correlated(rows, across(rows)), correlated(rows, 1), across(rows)

    def block(one, to, line, vectors, weights, by_row, by_tap, offsets, image):
        v, taps, table = 0, offsets.shape[0], address(offsets)
        while v + wide <= vectors:
            many(one, to + v * WIDE, line, weights, by_row, by_tap, table, taps, image + v * WIDE)
            v += wide
        while v < vectors:
            last(one, to + v * WIDE, line, weights, by_row, by_tap, table, taps, image + v * WIDE)
            v += 1

    # cached kernels of several processes find each other's functions by name: equal names would be taken for each other
    block.__name__ = block.__qualname__ = f"block_of_{rows}"
    return njit(nogil=True, error_model="numpy")(block)


BLOCK_8, BLOCK_6, BLOCK_4, BLOCK_3, BLOCK_2, BLOCK_1 = (_outputs(rows) for rows in (8, 6, 4, 3, 2, 1))


@njit(nogil=True, error_model="numpy")
def correlate_block(rows, one, to, line, vectors, weights, by_row, by_tap, offsets, image):
    """Write rows of sums over taps: out[i, p] = sum over k of weights[i, k] image[offsets[k] + p], vectors of p.

    to, line : address of the result, bytes between its rows. by_row, by_tap : bytes between weights of rows, of taps.
    offsets : bytes, by tap. image : the address of p = 0.
    """
    if rows == 8:
        BLOCK_8(one, to, line, vectors, weights, by_row, by_tap, offsets, image)
    elif rows == 6:
        BLOCK_6(one, to, line, vectors, weights, by_row, by_tap, offsets, image)
    elif rows == 4:
        BLOCK_4(one, to, line, vectors, weights, by_row, by_tap, offsets, image)
    elif rows == 3:
        BLOCK_3(one, to, line, vectors, weights, by_row, by_tap, offsets, image)
    elif rows == 2:
        BLOCK_2(one, to, line, vectors, weights, by_row, by_tap, offsets, image)
    else:
        BLOCK_1(one, to, line, vectors, weights, by_row, by_tap, offsets, image)


@njit(nogil=True, error_model="numpy")
def taps_of_block(rows):
    """Return the taps of a block of sums over positions, by its fields."""
    return TAPS_4 if rows == 4 else TAPS_3 if rows == 3 else TAPS_2 if rows == 2 else TAPS_1


@njit(nogil=True, error_model="numpy")
def sum_block(rows, one, out, fields, line, next_fields, image, next_image, offsets, vectors, count):
    """Write the sums over places and examples of the products of some fields and some taps, row by row.

    out : address of the result. fields, line, next_fields : address of the first field, bytes to the next field, and to
    the next example. image, next_image : likewise. offsets : address of the taps' offsets, bytes.
    """
    if rows == 4:
        SUMMED_4(one, out, fields, line, next_fields, image, next_image, offsets, vectors, count)
    elif rows == 3:
        SUMMED_3(one, out, fields, line, next_fields, image, next_image, offsets, vectors, count)
    elif rows == 2:
        SUMMED_2(one, out, fields, line, next_fields, image, next_image, offsets, vectors, count)
    else:
        SUMMED_1(one, out, fields, line, next_fields, image, next_image, offsets, vectors, count)
