"""Synapses that are listed: sums and increments, signs, shared biases, and bounds of groups.

A thread has neurons and examples of its own, or, for increments, weights of its own.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from circuitsim.kernels.cpu import windows
from circuitsim.kernels.cpu.operands import Operand, read_all, read_examples, read_part, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.links import Links
from circuitsim.kernels.steps import Step, in_turn

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")


def deliver_along(links: Links, emitted: Array, weight: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, post] (+)= sum over synapses of w[r, slot] emitted[r, b, pre]."""
    if links.window:
        return windows.deliver(links.window, emitted, weight, arriving, accumulate=accumulate)
    first, pre, slot, _ = links.by_post()
    kept = read_all(np.array([1.0 if accumulate else 0.0], arriving.dtype))
    rows = read_all(first), read_all(pre), read_all(slot)
    flat = read_all(weight.reshape(weight.shape[0], -1))
    work = arriving.shape[0] * arriving.shape[1] * len(pre)
    return bind(_deliver, *rows, kept, read_examples(emitted), flat, write_part(arriving), work=work)


@kernel
def _deliver(rows, pre, slot, kept, emitted, weight, arriving, first, last, low, high, begin, end):
    for r in range(first, last):
        w = weight[r]
        for b in range(begin, end):
            e, out = emitted[min(r, emitted.shape[0] - 1), b], arriving[r, b]
            for i in range(low, high):
                total = out.dtype.type(0)
                for k in range(rows[i], rows[i + 1]):
                    total += w[slot[k]] * e[pre[k]]
                out[i] = out[i] + total if kept[0] != 0 else total


def outer_along(links: Links, post: Array, pre: Array, target: Array) -> Step:
    """target[r, slot] = sum over examples and over the synapses of the slot of post[r, b, post] pre[r, b, pre]."""
    if links.window:
        return windows.outer(links.window, post, pre, target)
    rows, posts, pres = links.by_slot()
    out = write_part(target.reshape(target.shape[0], -1, 1), 1)
    work = target.shape[0] * post.shape[1] * len(pres)
    return bind(_outer, read_all(rows), read_all(posts), read_all(pres), read_all(post), read_all(pre), out, work=work)


@kernel
def _outer(rows, posts, pres, post, pre, target, first, last, low, high, begin, end):
    for r in range(first, last):
        for s in range(low, high):
            target[r, s, 0] = 0
        for b in range(post.shape[1]):
            p, q = post[min(r, post.shape[0] - 1), b], pre[min(r, pre.shape[0] - 1), b]
            for s in range(low, high):
                total = target.dtype.type(0)
                for k in range(rows[s], rows[s + 1]):
                    total += p[posts[k]] * q[pres[k]]
                target[r, s, 0] += total


def signed(magnitude: Array, other: Array, out: Array) -> Step:
    """out = |magnitude| sign(other), element by element."""
    parts = [array.reshape(array.shape[0], -1, 1) for array in (magnitude, other, out)]
    return bind(_signed, read_part(parts[0], 1), read_part(parts[1], 1), write_part(parts[2], 1))


@kernel
def _signed(magnitude, other, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for s in range(low, high):
            out[r, s, 0] = abs(magnitude[r, s, 0]) * np.sign(other[r, s, 0])


def spread(bias: Array, out: Array) -> Step:
    """out[r, i] = bias[r, channel of neuron i], for channels that follow one another."""
    return bind(_spread, read_all(bias), write_part(out[:, :, None], 1))


@kernel
def _spread(bias, out, first, last, low, high, begin, end):
    size = out.shape[1] // bias.shape[1]
    for r in range(first, last):
        for i in range(low, high):
            out[r, i, 0] = bias[r, i // size]


def bound_grouped(weights: list[Array], groups: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each group of synapses by min(1, limit / norm), over all of its weights and its bias."""
    count = max(int(g.max()) + 1 for g in groups)
    squares = np.zeros((len(alive), count, 1), np.float64)
    own = np.arange(count)
    pairs = [*zip(weights, groups, strict=True), *((b, own) for b in biases)]
    whole = Operand(squares, 1, written=True)
    found: list[Step] = [bind(_clear, whole, separable=False)]
    for w, g in pairs:
        found.append(bind(_squares, read_all(w), read_all(g), whole, separable=False))
    for w, g in pairs:
        out = write_part(w[:, :, None], 1)
        rest = read_all(squares), read_all(g), read_all(limit), read_all(alive)
        found.append(bind(_scale, *rest, out, separable=False, keeps=True))
    return in_turn(found)


@kernel
def _clear(squares, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            squares[r, i, 0] = 0


@kernel
def _squares(w, groups, squares, first, last, low, high, begin, end):
    if high == low:
        return
    for r in range(first, last):
        for s in range(w.shape[1]):
            squares[r, groups[s], 0] += float(w[r, s]) * float(w[r, s])


@kernel
def _scale(squares, groups, limit, alive, w, first, last, low, high, begin, end):
    for r in range(first, last):
        for s in range(low, high):
            norm = math.sqrt(squares[r, groups[s], 0])
            if alive[r] and norm > limit[r]:
                w[r, s, 0] *= w.dtype.type(limit[r] / norm)
