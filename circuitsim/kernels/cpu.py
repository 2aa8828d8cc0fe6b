"""The compiled backend: kernels that `program` strings together; BLAS for products, vector instructions for the rest.

A kernel computes its share, replicas first to last and neurons low to high, and allocates nothing. A step that only
Python can do (drawing random numbers, above all) is the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numba import njit

from circuitsim.kernels import activations, reference
from circuitsim.kernels.blas import gemm, product
from circuitsim.kernels.native import block, line, soon
from circuitsim.kernels.program import Guard, bind, fuse, made, own, whole
from circuitsim.kernels.steps import Step, in_turn

# mypy: disable-error-code="no-untyped-def"

NAME = "numba"
COMPILED = True
Array = np.ndarray
AHEAD = 4  # examples
kernel = njit(nogil=True, error_model="numpy")

__all__ = ["fuse"]


def home(arrays: Iterable[Array]) -> None:
    """The host is about to look at these arrays, and to change those that are writeable: here they always are on it."""


def on_host(step: Step, arrays: Iterable[Array]) -> Step:
    """A step that only Python can do, and the arrays that it looks at or changes."""
    return step


def gather(x: Array, rows: Array, out: Array) -> Step:
    """out[r, b] = x[rows[r, b]]."""
    return bind(_gather, whole(x[None]), whole(rows), made(out))


@kernel
def _gather(x, rows, out, first, last, low, high):
    for r in range(first, last):
        for b in range(out.shape[1]):
            if b + AHEAD < out.shape[1]:  # rows lie anywhere in memory: waiting for one by one would take longer
                soon(x, rows[r, b + AHEAD], low, high)
            o, row = line(out, r, b, low, high), line(x, 0, rows[r, b], low, high)
            for i in range(o.shape[0]):
                o[i] = row[i]


def deliver(emitted: Array, across: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] across[r, j, i]."""
    work = arriving.size * across.shape[1]
    kept = np.array([1.0 if accumulate else 0.0], arriving.dtype)
    how = gemm(arriving.dtype.name)
    return bind(_deliver, whole(how), whole(kept), whole(emitted), own(across), made(arriving), work=work)


@kernel
def _deliver(how, kept, emitted, across, arriving, first, last, low, high):
    for r in range(first, last):
        e = emitted[min(r, emitted.shape[0] - 1)]
        product(how, e, across[r][:, low:high], arriving[r][:, low:high], kept[0])


def deliver_signed(emitted: Array, magnitude: Array, other: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] |magnitude[r, i, j]| sign(other[r, j, i])."""
    across = np.empty_like(other)
    signed = bind(_signed, own(magnitude, 1), own(other), made(across))
    return in_turn([signed, deliver(emitted, across, arriving, accumulate=accumulate)])


@kernel
def _signed(magnitude, other, across, first, last, low, high):
    for r in range(first, last):
        for j in range(across.shape[1]):
            for i in range(low, high):
                across[r, j, i] = abs(magnitude[r, i, j]) * np.sign(other[r, j, i])


def outer(post: Array, pre: Array, target: Array) -> Step:
    """target[r, i, j] = sum_b post[r, b, i] pre[r, b, j]."""
    how = whole(gemm(target.dtype.name))
    work = target.size * post.shape[1]
    return bind(_outer, how, own(post), whole(pre), made(target, 1), work=work)


@kernel
def _outer(how, post, pre, target, first, last, low, high):
    for r in range(first, last):
        across = post[min(r, post.shape[0] - 1)][:, low:high].T
        product(how, across, pre[min(r, pre.shape[0] - 1)], target[r][low:high], 0)


def one_hot(y: Array, rows: Array, out: Array) -> Step:
    """out[r, b, c] = 1 where c = y[rows[r, b]], else 0."""
    return bind(_one_hot, whole(y), whole(rows), made(out))


@kernel
def _one_hot(y, rows, out, first, last, low, high):
    for r in range(first, last):
        for b in range(out.shape[1]):
            for i in range(low, high):
                out[r, b, i] = 0
            c = int(y[rows[r, b]])
            if low <= c < high:
                out[r, b, c] = 1


@kernel
def _copy(source, out, first, last, low, high):
    for r in range(first, last):
        for b in range(out.shape[1]):
            o, s = line(out, r, b, low, high), line(source, min(r, source.shape[0] - 1), b, low, high)
            for i in range(o.shape[0]):
                o[i] = s[i]


def centre(out: Array) -> Step:
    """out less its mean over the batch."""
    return bind(_centre, made(out))


@kernel
def _centre(out, first, last, low, high):
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


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    return activations.activate(name, arriving, biases, out, slope)


def mix(coefficient: Array, held: Array, computed: Array, out: Array) -> Step:
    """out = c held + (1 - c) computed, with c for each replica; `out` may be `computed` itself."""
    if not coefficient.any():
        return bind(_copy, own(computed), made(out))
    return bind(_mix, whole(coefficient), own(held), own(computed), made(out))


@kernel
def _mix(coefficient, held, computed, out, first, last, low, high):
    for r in range(first, last):
        c = coefficient[r]
        rest = out.dtype.type(1) - c
        for b in range(out.shape[1]):
            h, o = line(held, min(r, held.shape[0] - 1), b, low, high), line(out, r, b, low, high)
            s = line(computed, min(r, computed.shape[0] - 1), b, low, high)
            for i in range(o.shape[0]):
                o[i] = s[i] if c == 0 else c * h[i] + rest * s[i]


def mix_error(coefficient: Array, held: Array, returned: Array, out: Array) -> Step:
    """out = c held + (1 - c) (held - returned)."""
    return bind(_mix_error, whole(coefficient), own(held), own(returned), made(out))


@kernel
def _mix_error(coefficient, held, returned, out, first, last, low, high):
    for r in range(first, last):
        c = coefficient[r]
        rest = out.dtype.type(1) - c
        for b in range(out.shape[1]):
            h, s = line(held, min(r, held.shape[0] - 1), b, low, high), line(returned, r, b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = c * h[i] + rest * (h[i] - s[i])


def hinge(target: Array, summed: Array, margin: Array, out: Array) -> Step:
    """out = 1 where target = 1 and S < 1, -1/(C-1) where target = 0 and S > -margin, else 0, of C neurons."""
    return bind(_hinge, own(target), own(summed), whole(margin), made(out))


@kernel
def _hinge(target, summed, margin, out, first, last, low, high):
    share = 1 / (out.shape[2] - 1)
    for r in range(first, last):
        wanted = target[min(r, target.shape[0] - 1)]
        for b in range(out.shape[1]):
            for i in range(low, high):
                if math.isnan(summed[r, b, i]):
                    out[r, b, i] = summed[r, b, i]
                elif wanted[b, i] == 1:
                    out[r, b, i] = 1 if summed[r, b, i] < 1 else 0
                else:
                    out[r, b, i] = -share if summed[r, b, i] > -margin[r] else 0


def subtract(target: Array, actual: Array, out: Array) -> Step:
    """out = target - actual."""
    return bind(_subtract, own(target), own(actual), made(out))


@kernel
def _subtract(target, actual, out, first, last, low, high):
    for r in range(first, last):
        for b in range(out.shape[1]):
            t, a = line(target, min(r, target.shape[0] - 1), b, low, high), line(actual, r, b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = t[i] - a[i]


def multiply(first: Array, second: Array, out: Array) -> Step:
    """out = first * second."""
    return bind(_multiply, own(first), own(second), made(out))


@kernel
def _multiply(one, other, out, first, last, low, high):
    for r in range(first, last):
        for b in range(out.shape[1]):
            x, y = line(one, r, b, low, high), line(other, min(r, other.shape[0] - 1), b, low, high)
            o = line(out, r, b, low, high)
            for i in range(o.shape[0]):
                o[i] = x[i] * y[i]


def add(more: Array, out: Array) -> Step:
    """out += more."""
    return bind(_add, own(_matrices(more), 1), made(_matrices(out), 1))


@kernel
def _add(more, out, first, last, low, high):
    for r in range(first, last):
        o, m = block(out, r, low, high), block(more, r, low, high)
        for i in range(o.shape[0]):
            o[i] += m[i]


def guard(increments: Array, limit: Array, report: Callable[[Array], None]) -> Step:
    """Call report(increments) where they may reach the limit (1,), before anything that is kept is changed."""
    if not increments.flags.c_contiguous:
        return reference.guard(increments, limit, report)
    return Guard(_guard, own(_matrices(increments), 1), whole(limit), alarm=lambda: report(increments))


@kernel
def _guard(increments, limit, flag, first, last, low, high):
    for r in range(first, last):
        # a share's norm bounds each of its increments and costs one pass; what is not a number is below no limit
        if not math.sqrt(_squares_of(block(increments, r, low, high))) < limit[0]:
            flag[0, 0] = 1


@njit(nogil=True, fastmath={"reassoc", "contract"})
def _squares_of(numbers):
    total = numbers.dtype.type(0)
    for i in range(numbers.shape[0]):
        total += numbers[i] * numbers[i]
    return total


def apply(
    weight: Array,
    increment: Array,
    velocity: Array | None,
    rate: Array,
    momentum: Array | None,
    decay: Array,
    scale: float,
    alive: Array,
) -> Step:
    """v = mu v + scale * increment; w += rate v - decay w, for the replicas alive; v is absent where mu is 0."""
    w, dw, factor = _matrices(weight), _matrices(increment), np.array([scale], weight.dtype)
    rates = whole(rate), whole(decay), whole(factor), whole(alive)
    if velocity is None or momentum is None:
        return bind(_apply, own(dw, 1), *rates, made(w, 1), keeps=True)
    fast = made(_matrices(velocity), 1)
    return bind(_apply_momentum, own(dw, 1), *rates, whole(momentum), fast, made(w, 1), keeps=True)


@kernel
def _apply(increment, rate, decay, scale, alive, weight, first, last, low, high):
    for r in range(first, last):
        if alive[r]:
            eta, kept = rate[r] * scale[0], weight.dtype.type(1) - decay[r]
            w, dw = block(weight, r, low, high), block(increment, r, low, high)
            for i in range(w.shape[0]):
                w[i] = kept * w[i] + eta * dw[i]


@kernel
def _apply_momentum(increment, rate, decay, scale, alive, momentum, velocity, weight, first, last, low, high):
    for r in range(first, last):
        if alive[r]:
            eta, mu, kept = rate[r], momentum[r], weight.dtype.type(1) - decay[r]
            w, dw = block(weight, r, low, high), block(increment, r, low, high)
            v = block(velocity, r, low, high)
            for i in range(w.shape[0]):
                v[i] = mu * v[i] + scale[0] * dw[i]
            for i in range(w.shape[0]):
                w[i] = kept * w[i] + eta * v[i]


def mask(weight: Array, kept: Array) -> Step:
    """w = 0 where a synapse does not exist."""
    return bind(_mask, own(kept, 1), made(weight, 1))


@kernel
def _mask(kept, weight, first, last, low, high):
    for r in range(first, last):
        for i in range(low, high):
            for j in range(weight.shape[2]):
                weight[r, i, j] *= kept[r, i, j]


def accumulate(increment: Array, pending: Array, scale: float, alive: Array) -> Step:
    """pending += scale * increment, for the replicas alive."""
    factor, sums = np.array([scale], pending.dtype), made(_matrices(pending), 1)
    return bind(_accumulate, own(_matrices(increment), 1), whole(factor), whole(alive), sums, keeps=True)


@kernel
def _accumulate(increment, scale, alive, pending, first, last, low, high):
    for r in range(first, last):
        if alive[r]:
            p, dw = block(pending, r, low, high), block(increment, r, low, high)
            for i in range(p.shape[0]):
                p[i] += scale[0] * dw[i]


def clear(pending: Array, due: Array) -> Step:
    """pending = 0, for the replicas whose it is due."""
    return bind(_empty, whole(due), made(_matrices(pending), 1), keeps=True)


@kernel
def _empty(due, pending, first, last, low, high):
    for r in range(first, last):
        if due[r]:
            p = block(pending, r, low, high)
            for i in range(p.shape[0]):
                p[i] = 0


def refresh(other: Array, count: Array, every: Array, weight: Array, alive: Array) -> Step:
    """w[r, i, j] = other[r, j, i] where count is a multiple of every[r], for the replicas that are alive."""
    return reference.refresh(other, count, every, weight, alive)


def magnitudes(seeds: Array, tick: Array, name: str, weight: Array, alive: Array) -> Step:
    """w[r] uniform from 0 to sqrt(6 / (pre + post)), drawn for (seed, name, tick), for the replicas that are alive."""
    return reference.magnitudes(seeds, tick, name, weight, alive)


def normalise(weight: Array, alive: Array) -> Step:
    """w = w / |w|, the norm taken over all synapses of a replica; a projection of zeros stays one."""
    return bind(_normalise, whole(alive), made(weight, 1), apart=False)


@kernel
def _normalise(alive, weight, first, last, low, high):
    for r in range(first, last):
        total = 0.0
        for i in range(weight.shape[1]):
            for j in range(weight.shape[2]):
                total += float(weight[r, i, j]) ** 2
        if alive[r] and total > 0:
            factor = weight.dtype.type(1 / math.sqrt(total))
            for i in range(weight.shape[1]):
                for j in range(weight.shape[2]):
                    weight[r, i, j] *= factor


def bound(weights: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each neuron's incoming synapses by min(1, limit / norm), the norm taken over all of them together."""
    synapses = [*weights, *(b[:, :, None] for b in biases)]
    squares = np.zeros((*synapses[0].shape[:2], 1), np.float64)
    taken = [bind(_squares, own(w, 1), made(squares, 1)) for w in synapses]
    cleared = bind(_clear, made(squares, 1))
    rest = own(squares, 1), whole(limit), whole(alive)
    return in_turn([cleared, *taken, *(bind(_scale, *rest, made(w, 1)) for w in synapses)])


@kernel
def _clear(squares, first, last, low, high):
    for r in range(first, last):
        for i in range(low, high):
            squares[r, i, 0] = 0


@kernel
def _squares(w, squares, first, last, low, high):
    for r in range(first, last):
        for i in range(low, high):
            total = 0.0
            for j in range(w.shape[2]):
                total += float(w[r, i, j]) * float(w[r, i, j])
            squares[r, i, 0] += total


@kernel
def _scale(squares, limit, alive, w, first, last, low, high):
    for r in range(first, last):
        for i in range(low, high):
            norm = math.sqrt(squares[r, i, 0])
            if alive[r] and norm > limit[r]:
                factor = w.dtype.type(limit[r] / norm)
                for j in range(w.shape[2]):
                    w[r, i, j] *= factor


def _matrices(array: Array) -> Array:
    """Biases as the synapses from one unit: a view."""
    return array if array.ndim == 3 else array[:, :, None]
