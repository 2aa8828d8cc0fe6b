"""Windows with weights of their own: at each position a block of sums, with the examples as its vectors.

An image is turned so that the examples of a cell follow one another. Then the taps of a window are vectors that lie
fixed distances apart, and the weights of a position are read once, in their order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.blocks import (
    LARGEST,
    TAPS_1,
    correlate_block,
    rows_of_block,
    sum_block,
    taps_of_block,
)
from circuitsim.kernels.cpu.native import address
from circuitsim.kernels.cpu.operands import Operand, read_all, read_examples, workspace
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.cpu.vectors import SUMS, WIDE, add_row, clear_row
from circuitsim.kernels.links import Window
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")
SHARE = 8
GROUP = 16
"""Positions whose fields are turned together: as many as share a cache line."""


def deliver(window: Window, emitted: Array, stored: Array, arriving: Array, kept: Operand) -> Step:
    """S (+)= the weighted taps of each window, or, backwards, what the fields send to each cell."""
    batch, dtype, planes = arriving.shape[1], arriving.dtype, window.fields[0]
    g, line = _numbers(window), _line(window, batch, stored.nbytes // stored.shape[0], dtype)
    offsets = _offsets(window, line)
    cells = workspace(dtype, int(g[0] * g[8] * g[9]), line // dtype.itemsize)
    fields = workspace(dtype, GROUP * planes, line // dtype.itemsize)
    work = arriving.shape[0] * batch * window.positions * planes * window.taps
    read = kept, read_all(g), read_all(offsets), read_examples(emitted)
    if window.backwards:
        planes_on = read_all(np.arange(planes, dtype=np.int64) * line)
        room, out = workspace(dtype, LARGEST, line // dtype.itemsize), Operand(arriving, 2, 1, written=True)
        return bind(_backward, *read, planes_on, read_all(stored), cells, fields, room, out, work=work, separable=False)
    out = Operand(arriving.reshape(*arriving.shape[:2], planes, -1), 3, 1, written=True)
    return bind(_forward, *read, Operand(stored, 1), cells, fields, out, work=work)


def outer(window: Window, fields: Array, image: Array, target: Array) -> Step:
    """target[r, p, o, k] = sum over examples of the field o and the tap k of window p."""
    replicas, batch, dtype, planes = target.shape[0], fields.shape[1], target.dtype, window.fields[0]
    g, line = _numbers(window), _line(window, batch, target.nbytes // replicas, dtype)
    offsets = _offsets(window, line)
    more = np.concatenate([offsets, np.full(TAPS_1, offsets[-1])])  # blocks may end behind the last tap
    rooms = (
        workspace(dtype, int(g[0] * g[8] * g[9]), line // dtype.itemsize),
        workspace(dtype, GROUP * planes, line // dtype.itemsize),
        workspace(dtype, 2 * SUMS),
    )
    out = Operand(target.reshape(replicas, window.positions, planes, -1), 1, written=True)
    work = replicas * batch * window.positions * planes * window.taps
    return bind(_outer, read_all(g), read_all(more), read_all(fields), read_all(image), *rooms, out, work=work)


def _numbers(window: Window) -> Array:
    """Return the sizes that kernels read.

    They are the image's planes, rows and columns; rows and columns before it; rows and columns from window to window;
    the columns of windows; and the padded image's rows and columns.
    """
    (_, down, across), (sy, sx), (kh, kw) = window.fields, window.stride, window.kernel
    padded = (down - 1) * sy + kh, (across - 1) * sx + kw
    return np.array([*window.image, *window.before, sy, sx, across, *padded], np.int64)


def _line(window: Window, batch: int, weights: int, dtype: np.dtype) -> int:
    """Return the bytes of a cell's examples that are turned together, in whole vectors.

    All examples, unless the turned image took more than a share of the weights' own memory.
    """
    g = _numbers(window)
    share = weights // (SHARE * int(g[0] * g[8] * g[9])) // WIDE
    return int(min(-(-batch * dtype.itemsize // WIDE), max(share, 1))) * WIDE


def _offsets(window: Window, line: int) -> Array:
    """Return how many bytes behind a window's first cell the cell of each of its taps lies."""
    g, (kh, kw) = _numbers(window), window.kernel
    c, u, v = np.meshgrid(np.arange(g[0]), np.arange(kh), np.arange(kw), indexing="ij")
    found: Array = (((c * g[8] + u) * g[9] + v) * line).ravel().astype(np.int64)
    return found


@njit(nogil=True, error_model="numpy")
def _clear(cells):
    """Put 0 into all places: into those around the image, and behind the last example."""
    clear_row(cells.dtype.type(1), address(cells), 0, cells.size)


@njit(nogil=True, error_model="numpy")
def _turn_image(image, begin, count, g, cells):
    """cells[padded cell, b] = image[begin + b, cell]."""
    planes, rows, columns, by, bx, high, wide = g[0], g[1], g[2], g[3], g[4], g[8], g[9]
    for c in range(planes):
        for y in range(max(0, -by), min(rows, high - by)):
            for x in range(max(0, -bx), min(columns, wide - bx)):
                to, cell = (c * high + y + by) * wide + x + bx, (c * rows + y) * columns + x
                for b in range(count):
                    cells[to, b] = image[begin + b, cell]


@njit(nogil=True, error_model="numpy")
def _turn_fields(fields, begin, count, planes, positions, p, n, turned):
    """turned[q * planes + o, b] = fields[begin + b, o, p + q]."""
    for o in range(planes):
        for q in range(n):
            for b in range(count):
                turned[q * planes + o, b] = fields[begin + b, o * positions + p + q]


@njit(nogil=True, error_model="numpy")
def _first_cell(p, g):
    """Return the padded cell at which window p begins."""
    return p // g[7] * g[5] * g[9] + p % g[7] * g[6]


@kernel
def _forward(kept, g, offsets, emitted, weight, cells, fields, arriving, first, last, low, high, begin, end):
    planes, taps, lanes = arriving.shape[2], weight.shape[3], cells.shape[2]
    one, size, line = arriving.dtype.type(1), arriving.itemsize, cells.strides[1]
    by_row = taps * size
    _clear(cells[0])
    for r in range(first, last):
        for b in range(begin, end, lanes):
            count = min(lanes, end - b)
            vectors = (count * size + WIDE - 1) // WIDE
            _turn_image(emitted[min(r, emitted.shape[0] - 1)], b, count, g, cells[0])
            for p in range(low, high, GROUP):
                n = min(GROUP, high - p)
                for q in range(n):
                    own = address(weight) + r * weight.strides[0] + (p + q) * weight.strides[1]
                    image = address(cells) + _first_cell(p + q, g) * line
                    i = 0
                    while i < planes:
                        rows, to = rows_of_block(planes - i), address(fields) + (q * planes + i) * line
                        correlate_block(rows, one, to, line, vectors, own + i * by_row, by_row, size, offsets, image)
                        i += rows
                _collect(fields[0], planes, n, count, arriving[r], b, p, kept[0])


@njit(nogil=True, error_model="numpy")
def _collect(turned, planes, n, count, out, begin, p, kept):
    """out[begin + b, o, p + q] (+)= turned[q * planes + o, b]."""
    for b in range(count):
        for o in range(planes):
            for q in range(n):
                value = turned[q * planes + o, b]
                out[begin + b, o, p + q] = value + out[begin + b, o, p + q] if kept != 0 else value


@kernel
def _backward(
    kept, g, offsets, emitted, planes_on, weight, cells, fields, room, arriving, first, last, low, high, begin, end
):
    positions, planes, taps, lanes = weight.shape[1], weight.shape[2], weight.shape[3], cells.shape[2]
    if high == low:
        return
    for r in range(first, last):
        for b in range(begin, end, lanes):
            count = min(lanes, end - b)
            _clear(cells[0])
            for p in range(0, positions, GROUP):
                n = min(GROUP, positions - p)
                _turn_fields(emitted[min(r, emitted.shape[0] - 1)], b, count, planes, positions, p, n, fields[0])
                for q in range(n):
                    own = address(weight) + r * weight.strides[0] + (p + q) * weight.strides[1]
                    back = address(cells) + _first_cell(p + q, g) * cells.strides[1]
                    _return(own, taps, offsets, planes_on, fields[0, q * planes :], room[0], back, count)
            _turn_back(cells[0], g, b, count, arriving[r], kept[0])


@njit(nogil=True, error_model="numpy")
def _return(weights, taps, offsets, planes_on, fields, room, back, count):
    """Add to the cells of a window what its fields send them."""
    one, size, line, k = room.dtype.type(1), room.itemsize, room.strides[0], 0
    vectors = (count * size + WIDE - 1) // WIDE
    while k < taps:
        rows = rows_of_block(taps - k)
        own, image = weights + k * size, address(fields)
        correlate_block(rows, one, address(room), line, vectors, own, size, taps * size, planes_on, image)
        for row in range(rows):
            add_row(one, back + offsets[k + row], address(room) + row * line, count)
        k += rows


@njit(nogil=True, error_model="numpy")
def _turn_back(cells, g, begin, count, image, kept):
    """image[begin + b, cell] (+)= cells[padded cell, b]; cells that no window reads get nothing."""
    planes, rows, columns, by, bx, high, wide = g[0], g[1], g[2], g[3], g[4], g[8], g[9]
    for c in range(planes):
        for y in range(rows):
            for x in range(columns):
                inside = 0 <= y + by < high and 0 <= x + bx < wide
                cell, source = (c * rows + y) * columns + x, (c * high + y + by) * wide + x + bx
                for b in range(count):
                    value = cells[source, b] if inside else image.dtype.type(0)
                    image[begin + b, cell] = value + image[begin + b, cell] if kept != 0 else value


@kernel
def _outer(g, offsets, fields, image, cells, turned, sums, target, first, last, low, high, begin, end):
    batch, lanes, planes, positions = fields.shape[1], cells.shape[2], target.shape[2], target.shape[1]
    for r in range(first, last):
        f, x = fields[min(r, fields.shape[0] - 1)], image[min(r, image.shape[0] - 1)]
        for b in range(0, batch, lanes):
            count = min(lanes, batch - b)
            _clear(cells[0])
            _clear(turned[0])
            _turn_image(x, b, count, g, cells[0])
            for p in range(low, high, GROUP):
                n = min(GROUP, high - p)
                _turn_fields(f, b, count, planes, positions, p, n, turned[0])
                for q in range(n):
                    taken = address(cells) + _first_cell(p + q, g) * cells.strides[1]
                    _multiply(turned[0, q * planes :], taken, offsets, sums[0], target[r, p + q], b > 0)


@njit(nogil=True, error_model="numpy")
def _multiply(fields, taken, offsets, sums, target, more):
    """Write, or add, the sums over examples of the products of the fields and the taps of one window."""
    planes, taps, one, line = target.shape[0], target.shape[1], target.dtype.type(1), fields.strides[0]
    for i in range(0, planes, 4):
        rows = min(planes - i, 4)
        own, columns = address(fields) + i * line, taps_of_block(rows)
        for k in range(0, taps, columns):
            table = address(offsets) + 8 * k
            sum_block(rows, one, address(sums), own, line, 0, taken, 0, table, line // WIDE, 1)
            for row in range(rows):
                for m in range(min(columns, taps - k)):
                    before = target[i + row, k + m] if more else target.dtype.type(0)
                    target[i + row, k + m] = before + sums[row * columns + m]
