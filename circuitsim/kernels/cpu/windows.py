"""Windows of images: which kernels sum them, and convolutions by unfolding one image at a time.

The taps of all windows of an image form a matrix (tap, position) in a thread's own workspace. Forwards the filters
multiply it; backwards it is the product of the transposed filters and the fields, folded into the image; increments are
products of fields and taps. A window that covers its image has the products of dense synapses, to the bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from circuitsim.kernels.cpu import correlation, products, untied
from circuitsim.kernels.cpu.blas import gemm, product
from circuitsim.kernels.cpu.native import address
from circuitsim.kernels.cpu.operands import Operand, read_all, read_examples, workspace
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.cpu.vectors import add_row, copy_row
from circuitsim.kernels.links import Window
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")


def deliver(window: Window, emitted: Array, weight: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S (+)= the weighted taps of each window, or, backwards, what the fields send to each cell."""
    if window.covers:
        rows = window.matrix(weight)
        across = rows if window.backwards else rows.transpose(0, 2, 1)
        return products.deliver(emitted, across, arriving, accumulate=accumulate)
    kept = read_all(np.array([1.0 if accumulate else 0.0], arriving.dtype))
    if window.untied:
        return untied.deliver(window, emitted, window.stored(weight), arriving, kept)
    if correlation.suits(window):
        return correlation.deliver(window, emitted, window.stored(weight), arriving, kept)
    head = (
        read_all(gemm(arriving.dtype.name)),
        kept,
        read_all(_numbers(window)),
        read_examples(emitted),
    )
    stored = window.stored(weight)
    work = arriving.shape[0] * arriving.shape[1] * window.positions * window.fields[0] * window.taps
    room = workspace(arriving.dtype, window.taps, window.positions)
    channels = window.image[0] if window.backwards else window.fields[0]
    out = Operand(arriving.reshape(*arriving.shape[:2], channels, -1), 2, 1, written=True)
    if window.backwards:
        return bind(_backward, *head, read_all(stored), room, out, work=work)
    return bind(_forward, *head, Operand(stored, 1), room, out, work=work)


def outer(window: Window, post: Array, pre: Array, target: Array) -> Step:
    """Sum over examples, and over positions that share weights, of the product of each field with its taps.

    `target` lies as weights do in memory.
    """
    image, fields = (post, pre) if window.backwards else (pre, post)
    replicas, batch = target.shape[0], post.shape[1]
    if window.covers:
        return products.outer(fields, image, target.reshape(replicas, window.fields[0], window.taps))
    if window.untied:
        return untied.outer(window, fields, image, target)
    if correlation.suits(window):
        return correlation.outer(window, fields, image, target)
    head = read_all(gemm(target.dtype.name)), read_all(_numbers(window)), read_all(fields), read_all(image)
    work = replicas * batch * window.positions * window.fields[0] * window.taps
    out = Operand(target.reshape(replicas, window.fields[0], -1), 2, written=True)
    return bind(_outer, *head, workspace(target.dtype, window.taps, window.positions), out, work=work)


def _numbers(window: Window) -> Array:
    """Return the sizes that kernels read: image, fields, kernel, stride, before."""
    sizes = (*window.image, *window.fields, *window.kernel, *window.stride, *window.before)
    return np.array(sizes, np.int64)


@njit(nogil=True, error_model="numpy")
def _inside(n, tap, before, stride, windows):
    """Return the first window whose tap lies inside n cells, and the one after the last."""
    first = max(0, -((tap - before) // stride)) if tap < before else 0
    last = (n - 1 - tap + before) // stride + 1 if n - 1 - tap + before >= 0 else 0
    return min(first, windows), max(min(last, windows), min(first, windows))


@njit(nogil=True, error_model="numpy")
def _unfold(image, g, taps, low, high):
    """taps[k - low, p] = the cell that tap k of window p meets, 0 outside the image; taps from low to high."""
    rows, columns, down, across = g[1], g[2], g[4], g[5]
    kh, kw, sy, sx, by, bx = g[6], g[7], g[8], g[9], g[10], g[11]
    zero, one, size, cells = taps.dtype.type(0), taps.dtype.type(1), taps.itemsize, address(image)
    for k in range(low, high):
        c, u, v = k // (kh * kw), k // kw % kh, k % kw
        first, last = _inside(columns, v, bx, sx, across)
        line = taps[k - low]
        to = address(taps) + (k - low) * taps.strides[0]
        for py in range(down):
            y, base = py * sy + u - by, py * across
            if y < 0 or y >= rows:
                for px in range(base, base + across):
                    line[px] = zero
                continue
            for px in range(base, base + first):
                line[px] = zero
            for px in range(base + last, base + across):
                line[px] = zero
            begins = (c * rows + y) * columns + first * sx + v - bx
            if sx == 1:
                copy_row(one, to + (base + first) * size, cells + begins * size, last - first)
            else:
                for n in range(last - first):
                    line[base + first + n] = image[begins + n * sx]


@njit(nogil=True, error_model="numpy")
def _fold(taps, g, image, low, high):
    """image[cell] += taps[k - low, p], the reverse of unfolding; taps from low to high, which begin channel `low`."""
    rows, columns, down, across = g[1], g[2], g[4], g[5]
    kh, kw, sy, sx, by, bx = g[6], g[7], g[8], g[9], g[10], g[11]
    one, size, to = taps.dtype.type(1), taps.itemsize, address(image)
    for k in range(low, high):
        c, u, v = k // (kh * kw), k // kw % kh, k % kw
        first, last = _inside(columns, v, bx, sx, across)
        line, at = taps[k - low], address(taps) + (k - low) * taps.strides[0]
        for py in range(down):
            y, base = py * sy + u - by, py * across
            if 0 <= y < rows:
                begins = (c * rows + y) * columns + first * sx + v - bx
                if sx == 1:
                    add_row(one, to + begins * size, at + (base + first) * size, last - first)
                else:
                    for n in range(last - first):
                        image[begins + n * sx] += line[base + first + n]


@kernel
def _forward(how, kept, g, emitted, weight, taps, arriving, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            _unfold(emitted[min(r, emitted.shape[0] - 1), b], g, taps[0], 0, taps.shape[1])
            product(how, weight[r][low:high], taps[0], arriving[r, b][low:high], kept[0])


@kernel
def _backward(how, kept, g, emitted, weight, taps, arriving, first, last, low, high, begin, end):
    size = g[6] * g[7]
    count = (high - low) * size
    for r in range(first, last):
        for b in range(begin, end):
            fields = emitted[min(r, emitted.shape[0] - 1), b].reshape(g[3], g[4] * g[5])
            product(how, weight[r][:, low * size : high * size].T, fields, taps[0][:count], 0)
            image = arriving[r, b].reshape(-1)
            if kept[0] == 0:
                for i in range(low * g[1] * g[2], high * g[1] * g[2]):
                    image[i] = 0
            _fold(taps[0], g, image, low * size, high * size)


@kernel
def _outer(how, g, fields, image, taps, target, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(fields.shape[1]):
            _unfold(image[min(r, image.shape[0] - 1), b], g, taps[0], low, high)
            across = fields[min(r, fields.shape[0] - 1), b].reshape(g[3], g[4] * g[5])
            product(how, across, taps[0][: high - low].T, target[r][:, low:high], min(b, 1))
