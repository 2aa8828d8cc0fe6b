"""The compiled backend: kernels that `program` strings together; BLAS for products, vector instructions for the rest.

A kernel computes its share, replicas first to last and neurons low to high, and allocates nothing. A step that only
Python can do (drawing random numbers, above all) is the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numba import njit

from circuitsim.kernels import reference
from circuitsim.kernels.cpu import activations
from circuitsim.kernels.cpu.native import line, soon
from circuitsim.kernels.cpu.normalisation import (
    normalise_batch,
    normalise_groups,
    normalise_online,
    through_batch,
    through_groups,
    through_online,
)
from circuitsim.kernels.cpu.operands import read_all, read_part, write_part
from circuitsim.kernels.cpu.pairs import bound_grouped, deliver_along, outer_along, signed, spread
from circuitsim.kernels.cpu.pools import deliver_winners, largest
from circuitsim.kernels.cpu.products import deliver, outer
from circuitsim.kernels.cpu.program import bind, fuse
from circuitsim.kernels.cpu.synapses import accumulate, add, apply, bound, clear, guard, mask, normalise
from circuitsim.kernels.steps import Step, in_turn

# mypy: disable-error-code="no-untyped-def"

NAME = "numba"
COMPILED = True
Array = np.ndarray
AHEAD = 4  # examples
kernel = njit(nogil=True, error_model="numpy")

__all__ = [
    "accumulate", "add", "apply", "bound", "bound_grouped", "clear", "deliver", "deliver_along", "deliver_winners",
    "fuse", "guard", "largest", "mask", "normalise", "normalise_batch", "normalise_groups", "normalise_online", "outer",
    "outer_along", "signed", "spread", "through_batch", "through_groups", "through_online",
]  # fmt: skip


def to_host(arrays: Iterable[Array]) -> None:
    """Copy arrays to the host, where writeable ones may then be changed; nothing to do: they are there."""


def on_host(step: Step, arrays: Iterable[Array]) -> Step:
    """Return a Python step that reads or changes these arrays."""
    return step


def gather(x: Array, rows: Array, out: Array) -> Step:
    """out[r, b] = x[rows[r, b]]."""
    return bind(_gather, read_all(x[None]), read_all(rows), write_part(out))


@kernel
def _gather(x, rows, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            if b + AHEAD < end:  # rows lie anywhere in memory: waiting for one by one would take longer
                soon(x, rows[r, b + AHEAD], low, high)
            o, row = line(out, r, b, low, high), line(x, 0, rows[r, b], low, high)
            for i in range(o.shape[0]):
                o[i] = row[i]


def deliver_signed(emitted: Array, magnitude: Array, other: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] |magnitude[r, i, j]| sign(other[r, j, i])."""
    across = np.empty_like(other)
    signed = bind(_signed, read_part(magnitude, 1), read_part(other, examples=None), write_part(across, examples=None))
    return in_turn([signed, deliver(emitted, across, arriving, accumulate=accumulate)])


@kernel
def _signed(magnitude, other, across, first, last, low, high, begin, end):
    for r in range(first, last):
        for j in range(across.shape[1]):
            for i in range(low, high):
                across[r, j, i] = abs(magnitude[r, i, j]) * np.sign(other[r, j, i])


def one_hot(y: Array, rows: Array, out: Array) -> Step:
    """out[r, b, c] = 1 where c = y[rows[r, b]], else 0."""
    return bind(_one_hot, read_all(y), read_all(rows), write_part(out))


@kernel
def _one_hot(y, rows, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            for i in range(low, high):
                out[r, b, i] = 0
            c = int(y[rows[r, b]])
            if low <= c < high:
                out[r, b, c] = 1


@kernel
def copy_kernel(source, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            o, s = line(out, r, b, low, high), line(source, min(r, source.shape[0] - 1), b, low, high)
            for i in range(o.shape[0]):
                o[i] = s[i]


def retain(fired: Array, alive: Array, retained: Array) -> Step:
    """retained[r] = fired[r], for the replicas that are alive."""
    if retained.flags.c_contiguous:
        return bind(_retain, read_part(fired), read_all(alive), write_part(retained), keeps=True)
    parts = [slice(r, r + 1) for r in range(len(retained))]  # the places of a short batch: in one piece by replica
    return in_turn([retain(fired[p] if len(fired) > 1 else fired, alive[p], retained[p]) for p in parts])


@kernel
def _retain(fired, alive, retained, first, last, low, high, begin, end):
    for r in range(first, last):
        if alive[r]:
            for b in range(begin, end):
                o, f = line(retained, r, b, low, high), line(fired, min(r, fired.shape[0] - 1), b, low, high)
                for i in range(o.shape[0]):
                    o[i] = f[i]


def centre(out: Array) -> Step:
    """out less its mean over the batch."""
    return bind(_centre, write_part(out, examples=None))


@kernel
def _centre(out, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            total = 0.0
            for b in range(out.shape[1]):
                total += out[r, b, i]
            mean = out.dtype.type(total / out.shape[1])
            for b in range(out.shape[1]):
                out[r, b, i] -= mean


def noise(seeds: Array, name: str, tick: Array, scale: Array, out: Array, *, gaussian: bool) -> Step:
    """out[r] = scale[r] times numbers drawn for (seed, name, tick): standard normal, or uniform within ±1."""
    return reference.noise(seeds, name, tick, scale, out, gaussian=gaussian)  # all backends draw the same numbers


def silence(seeds: Array, name: str, tick: Array, fraction: float, out: Array, slope: Array | None) -> Step:
    """out and slope times m / (1 - p), with m drawn for (seed, name, tick): 0 with the probability p, else 1."""
    return reference.silence(seeds, name, tick, fraction, out, slope)  # all backends draw the same numbers


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    return activations.activate(name, arriving, biases, out, slope)


def mix(coefficient: Array, held: Array, computed: Array, out: Array) -> Step:
    """out = c held + (1 - c) computed, with c for each replica; `out` may be `computed` itself."""
    if not coefficient.any():
        return bind(copy_kernel, read_part(computed), write_part(out))
    return bind(_mix, read_all(coefficient), read_part(held), read_part(computed), write_part(out))


@kernel
def _mix(coefficient, held, computed, out, first, last, low, high, begin, end):
    for r in range(first, last):
        c = coefficient[r]
        rest = out.dtype.type(1) - c
        for b in range(begin, end):
            h, o = line(held, min(r, held.shape[0] - 1), b, low, high), line(out, r, b, low, high)
            s = line(computed, min(r, computed.shape[0] - 1), b, low, high)
            for i in range(o.shape[0]):
                o[i] = s[i] if c == 0 else c * h[i] + rest * s[i]


def mix_error(coefficient: Array, held: Array, returned: Array, out: Array) -> Step:
    """out = c held + (1 - c) (held - returned)."""
    return bind(_mix_error, read_all(coefficient), read_part(held), read_part(returned), write_part(out))


@kernel
def _mix_error(coefficient, held, returned, out, first, last, low, high, begin, end):
    for r in range(first, last):
        c = coefficient[r]
        rest = out.dtype.type(1) - c
        for b in range(begin, end):
            h, s = line(held, min(r, held.shape[0] - 1), b, low, high), line(returned, r, b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = c * h[i] + rest * (h[i] - s[i])


def hinge(target: Array, summed: Array, margin: Array, out: Array) -> Step:
    """out = 1 where target = 1 and S < 1, -1/(C-1) where target = 0 and S > -margin, else 0, of C neurons."""
    return bind(_hinge, read_part(target), read_part(summed), read_all(margin), write_part(out))


@kernel
def _hinge(target, summed, margin, out, first, last, low, high, begin, end):
    share = 1 / (out.shape[2] - 1)
    for r in range(first, last):
        wanted = target[min(r, target.shape[0] - 1)]
        for b in range(begin, end):
            for i in range(low, high):
                if math.isnan(summed[r, b, i]):
                    out[r, b, i] = summed[r, b, i]
                elif wanted[b, i] == 1:
                    out[r, b, i] = 1 if summed[r, b, i] < 1 else 0
                else:
                    out[r, b, i] = -share if summed[r, b, i] > -margin[r] else 0


def subtract(target: Array, actual: Array, out: Array) -> Step:
    """out = target - actual."""
    return bind(_subtract, read_part(target), read_part(actual), write_part(out))


@kernel
def _subtract(target, actual, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            t, a = line(target, min(r, target.shape[0] - 1), b, low, high), line(actual, r, b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = t[i] - a[i]


def multiply(first: Array, second: Array, out: Array) -> Step:
    """out = first * second."""
    return bind(_multiply, read_part(first), read_part(second), write_part(out))


@kernel
def _multiply(one, other, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for b in range(begin, end):
            x, y = line(one, r, b, low, high), line(other, min(r, other.shape[0] - 1), b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = x[i] * y[i]


def refresh(other: Array, count: Array, every: Array, weight: Array, alive: Array) -> Step:
    """w = other where count is a multiple of every[r], for the replicas that are alive."""
    return reference.refresh(other, count, every, weight, alive)


def magnitudes(seeds: Array, tick: Array, name: str, weight: Array, limit: float, alive: Array) -> Step:
    """w[r] uniform from 0 to a limit, drawn for (seed, name, tick), for the replicas that are alive."""
    return reference.magnitudes(seeds, tick, name, weight, limit, alive)
