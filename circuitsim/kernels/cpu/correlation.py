"""Convolutions with a stride of one, without unfolding: vectors of an image are read where they lie.

A source of signals is copied with its padding, its rows one behind the other. Then the cell that a tap of any window
meets lies a fixed distance behind the window's own, and runs of windows are vectors. Places between the end of a row
and the next are computed too, and left out. Signals that pass backwards are the same sums with turned windows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.blocks import LARGEST, TAPS_1, correlate_block, rows_of_block, sum_block, taps_of_block
from circuitsim.kernels.cpu.native import address
from circuitsim.kernels.cpu.operands import Operand, read_all, read_examples, workspace
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.cpu.vectors import SUMS, WIDE, add_row, clear_row, copy_row
from circuitsim.kernels.links import Window
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")
NEAR, ALL = 1 << 16, 1 << 18
"""Bytes of a block's fields, and of all images and fields, whose products are summed in registers before they are
added: the first fit a core's nearest cache, the second its own."""


def suits(window: Window) -> bool:
    """Return True for windows that are summed faster where they lie than unfolded."""
    wide = window.kernel != (1, 1) and min(window.fields[2], window.image[2]) >= 6
    return wide and window.stride == (1, 1)


def deliver(window: Window, emitted: Array, stored: Array, arriving: Array, kept: Operand) -> Step:
    """S (+)= the weighted taps of each window, or, backwards, what the fields send to each cell."""
    g, offsets, dtype = _numbers(window, window.backwards), _offsets(window, window.backwards, arriving), arriving.dtype
    lanes = WIDE // dtype.itemsize
    out = Operand(arriving.reshape(*arriving.shape[:2], int(g[7]), -1), 2, 1, written=True)
    rooms = (
        workspace(dtype, _cells(g, lanes)),
        workspace(dtype, len(offsets) * int(g[7])),
        workspace(dtype, LARGEST, _places(g, lanes)),
    )
    weights = read_all(stored) if window.backwards else Operand(stored, 1)
    work = arriving.shape[0] * arriving.shape[1] * window.positions * window.fields[0] * window.taps
    read = kept, read_all(g), read_all(offsets), read_examples(emitted), weights
    return bind(_correlate, *read, *rooms, out, work=work)


def outer(window: Window, fields: Array, image: Array, target: Array) -> Step:
    """Sum over examples and windows of the product of each field with its taps."""
    g, offsets, dtype = _numbers(window, False), _offsets(window, False, target), target.dtype
    lanes = WIDE // dtype.itemsize
    cells, places = _cells(g, lanes), int(g[7]) * _places(g, lanes)
    near = NEAR // (4 * _places(g, lanes) * dtype.itemsize)
    chunk = max(1, min(fields.shape[1], near, ALL // ((cells + places) * dtype.itemsize)))
    more = np.concatenate([offsets, np.full(TAPS_1, offsets[-1])])  # blocks may end behind the last tap
    rooms = workspace(dtype, chunk, cells), workspace(dtype, chunk, places), workspace(dtype, 2 * SUMS)
    work = target.shape[0] * fields.shape[1] * window.positions * window.fields[0] * window.taps
    out = Operand(target.reshape(target.shape[0], window.fields[0], -1), 2, written=True)
    return bind(_sum_products, read_all(g), read_all(more), read_all(fields), read_all(image), *rooms, out, work=work)


def _numbers(window: Window, backwards: bool) -> Array:
    """Return the sizes that kernels read.

    They are the source's planes, rows and columns; rows and columns before it and in all when padded; the outputs'
    planes, rows and columns; the kernel's rows and columns; and whether windows are turned.
    """
    source, out, before = window.image, window.fields, window.before
    if backwards:
        source, out = out, source
        before = window.kernel[0] - 1 - before[0], window.kernel[1] - 1 - before[1]
    padded = out[1] + window.kernel[0] - 1, out[2] + window.kernel[1] - 1
    return np.array([*source, *before, *padded, *out, *window.kernel, backwards], np.int64)


def _offsets(window: Window, backwards: bool, like: Array) -> Array:
    """Return how many bytes behind a window's place the cell of each of its taps lies."""
    g = _numbers(window, backwards)
    c, u, v = np.meshgrid(np.arange(g[0]), np.arange(g[10]), np.arange(g[11]), indexing="ij")
    found: Array = (((c * g[5] + u) * g[6] + v) * like.itemsize).ravel().astype(np.int64)
    return found


def _cells(g: Array, lanes: int) -> int:
    """Return the number of a padded source's cells and of those that the last vector reads behind them."""
    return int((g[0] * g[5] * g[6] // lanes + 2) * lanes)


def _places(g: Array, lanes: int) -> int:
    """Return the number of places from the first window to the last, in whole vectors."""
    return int(-(-((g[8] - 1) * g[6] + g[9]) // lanes) * lanes)


@njit(nogil=True, error_model="numpy")
def _pad(source, g, padded, fresh):
    """Copy the planes of a source with the cells around them, which are 0, as those behind them; fresh: clear these."""
    planes, rows, columns, by, bx, high, wide = g[0], g[1], g[2], g[3], g[4], g[5], g[6]
    one, size = padded.dtype.type(1), padded.itemsize
    first, last = min(max(bx, 0), wide), max(min(bx + columns, wide), 0)
    top, bottom = min(max(by, 0), high), max(min(by + rows, high), 0)
    if fresh:
        clear_row(one, address(padded), 0, padded.shape[0])
    for c in range(planes):
        to = address(padded) + (c * high * wide + first) * size
        cells = address(source) + ((c * rows - by) * columns + first - bx) * size
        for y in range(top, bottom):
            copy_row(one, to + y * wide * size, cells + y * columns * size, last - first)


@njit(nogil=True, error_model="numpy")
def _pack(weight, g, packed, low, high):
    """Put the weights into outputs from low to high in blocks, in each by tap; backwards with windows turned."""
    size = g[10] * g[11]
    count = g[0] * size
    i = low
    while i < high:
        rows = rows_of_block(high - i)
        block = packed[(i - low) * count : (i - low + rows) * count]
        if g[12] == 0:
            for row in range(rows):
                for k in range(count):
                    block[k * rows + row] = weight[i + row, k]
        else:
            for row in range(rows):
                for k in range(count):
                    block[k * rows + row] = weight[k // size, (i + row) * size + size - 1 - k % size]
        i += rows


@kernel
def _correlate(kept, g, offsets, emitted, weight, padded, packed, room, arriving, first, last, low, high, begin, end):
    wide, rows_out, columns_out, count = g[6], g[8], g[9], offsets.shape[0]
    one, itemsize, line = arriving.dtype.type(1), arriving.itemsize, room.strides[1]
    vectors = line // WIDE
    for r in range(first, last):
        _pack(weight[r], g, packed[0], low, high)
        for b in range(begin, end):
            _pad(emitted[min(r, emitted.shape[0] - 1), b], g, padded[0], b == begin)
            i = low
            while i < high:
                rows = rows_of_block(high - i)
                own = address(packed[0]) + (i - low) * count * itemsize
                correlate_block(
                    rows, one, address(room[0]), line, vectors, own, itemsize, rows * itemsize, offsets,
                    address(padded[0]),
                )  # fmt: skip
                for row in range(rows):
                    _collect(room[0, row], wide, rows_out, columns_out, arriving[r, b, i + row], kept[0])
                i += rows


@njit(nogil=True, error_model="numpy")
def _collect(found, wide, rows, columns, out, kept):
    """Copy the windows' sums from their places, or add them."""
    one, size = out.dtype.type(1), out.itemsize
    for y in range(rows):
        to, place = address(out) + y * columns * size, address(found) + y * wide * size
        if kept == 0:
            copy_row(one, to, place, columns)
        else:
            add_row(one, to, place, columns)


@njit(nogil=True, error_model="numpy")
def _spread(fields, g, spread, fresh):
    """Put fields where their windows' places are, and 0 between; fresh: clear what is between."""
    wide, planes, rows, columns = g[6], g[7], g[8], g[9]
    one, size, places = spread.dtype.type(1), spread.itemsize, spread.shape[0] // planes
    if fresh:
        clear_row(one, address(spread), 0, spread.shape[0])
    for i in range(planes):
        for y in range(rows):
            to, own = address(spread) + (i * places + y * wide) * size, (i * rows + y) * columns
            copy_row(one, to, address(fields) + own * size, columns)


@kernel
def _sum_products(g, offsets, fields, image, padded, spread, sums, target, first, last, low, high, begin, end):
    planes, batch, one, chunk = g[7], fields.shape[1], target.dtype.type(1), padded.shape[1]
    line = spread.shape[2] // planes * target.itemsize
    for r in range(first, last):
        f, x = fields[min(r, fields.shape[0] - 1)], image[min(r, image.shape[0] - 1)]
        for begins in range(0, batch, chunk):
            count = min(chunk, batch - begins)
            for n in range(count):
                _pad(x[begins + n], g, padded[0, n], begins == 0)
                _spread(f[begins + n], g, spread[0, n], begins == 0)
            for i in range(0, planes, 4):
                rows = min(planes - i, 4)
                columns = taps_of_block(rows)
                for k in range(low, high, columns):
                    own, taps = address(spread[0]) + i * line, address(offsets) + 8 * k
                    sum_block(
                        rows, one, address(sums[0]), own, line, spread.strides[1], address(padded[0]),
                        padded.strides[1], taps, line // WIDE, count,
                    )  # fmt: skip
                    for row in range(rows):
                        for n in range(min(columns, high - k)):
                            before = target[r, i + row, k + n] if begins > 0 else target.dtype.type(0)
                            target[r, i + row, k + n] = before + sums[0, row * columns + n]
