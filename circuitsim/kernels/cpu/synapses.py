"""The compiled kernels of synapses: guards, updates, bounds. A share is that of some postsynaptic neurons."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from circuitsim.kernels import reference
from circuitsim.kernels.cpu.native import block
from circuitsim.kernels.cpu.operands import read_all, read_part, write_part
from circuitsim.kernels.cpu.ops import GuardOp
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.steps import Step, in_turn

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")


def add(more: Array, out: Array) -> Step:
    """out += more."""
    return bind(_add, read_part(_matrices(more), 1), write_part(_matrices(out), 1))


@kernel
def _add(more, out, first, last, low, high, begin, end):
    for r in range(first, last):
        o, m = block(out, r, low, high), block(more, r, low, high)
        for i in range(o.shape[0]):
            o[i] += m[i]


def guard(increments: Array, limit: Array, alive: Array, report: Callable[[Array], None]) -> Step:
    """Call report(increments) where those of a replica alive may reach the limit (1,), before anything kept changes."""
    if not increments.flags.c_contiguous:
        return reference.guard(increments, limit, alive, report)
    return GuardOp(
        _guard, read_part(_matrices(increments), 1), read_all(limit), read_all(alive), alarm=lambda: report(increments)
    )


@kernel
def _guard(increments, limit, alive, flag, first, last, low, high, begin, end):
    for r in range(first, last):
        # a share's norm bounds each of its increments and costs one pass; what is not a number is below no limit
        if alive[r] and not math.sqrt(_squares_of(block(increments, r, low, high))) < limit[0]:
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
    rates = read_all(rate), read_all(decay), read_all(factor), read_all(alive)
    if velocity is None or momentum is None:
        return bind(_apply, read_part(dw, 1), *rates, write_part(w, 1), keeps=True)
    fast = write_part(_matrices(velocity), 1)
    return bind(_apply_momentum, read_part(dw, 1), *rates, read_all(momentum), fast, write_part(w, 1), keeps=True)


@kernel
def _apply(increment, rate, decay, scale, alive, weight, first, last, low, high, begin, end):
    for r in range(first, last):
        if alive[r]:
            eta, kept = rate[r] * scale[0], weight.dtype.type(1) - decay[r]
            w, dw = block(weight, r, low, high), block(increment, r, low, high)
            for i in range(w.shape[0]):
                w[i] = kept * w[i] + eta * dw[i]


@kernel
def _apply_momentum(
    increment, rate, decay, scale, alive, momentum, velocity, weight, first, last, low, high, begin, end
):
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
    return bind(_mask, read_part(_matrices(kept), 1), write_part(_matrices(weight), 1))


@kernel
def _mask(kept, weight, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            for j in range(weight.shape[2]):
                weight[r, i, j] *= kept[r, i, j]


def accumulate(increment: Array, pending: Array, scale: float, alive: Array) -> Step:
    """pending += scale * increment, for the replicas alive."""
    factor, sums = np.array([scale], pending.dtype), write_part(_matrices(pending), 1)
    return bind(_accumulate, read_part(_matrices(increment), 1), read_all(factor), read_all(alive), sums, keeps=True)


@kernel
def _accumulate(increment, scale, alive, pending, first, last, low, high, begin, end):
    for r in range(first, last):
        if alive[r]:
            p, dw = block(pending, r, low, high), block(increment, r, low, high)
            for i in range(p.shape[0]):
                p[i] += scale[0] * dw[i]


def clear(pending: Array, due: Array) -> Step:
    """pending = 0, for the replicas whose it is due."""
    return bind(_empty, read_all(due), write_part(_matrices(pending), 1), keeps=True)


@kernel
def _empty(due, pending, first, last, low, high, begin, end):
    for r in range(first, last):
        if due[r]:
            p = block(pending, r, low, high)
            for i in range(p.shape[0]):
                p[i] = 0


def normalise(weight: Array, alive: Array) -> Step:
    """w = w / |w|, the norm taken over all synapses of a replica; a projection of zeros stays one."""
    return bind(_normalise, read_all(alive), write_part(_matrices(weight), 1), separable=False)


@kernel
def _normalise(alive, weight, first, last, low, high, begin, end):
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
    taken = [bind(_squares, read_part(w, 1), write_part(squares, 1)) for w in synapses]
    cleared = bind(_clear, write_part(squares, 1))
    rest = read_part(squares, 1), read_all(limit), read_all(alive)
    return in_turn([cleared, *taken, *(bind(_scale, *rest, write_part(w, 1)) for w in synapses)])


@kernel
def _clear(squares, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            squares[r, i, 0] = 0


@kernel
def _squares(w, squares, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            total = 0.0
            for j in range(w.shape[2]):
                total += float(w[r, i, j]) * float(w[r, i, j])
            squares[r, i, 0] += total


@kernel
def _scale(squares, limit, alive, w, first, last, low, high, begin, end):
    for r in range(first, last):
        for i in range(low, high):
            norm = math.sqrt(squares[r, i, 0])
            if alive[r] and norm > limit[r]:
                factor = w.dtype.type(limit[r] / norm)
                for j in range(w.shape[2]):
                    w[r, i, j] *= factor


def _matrices(array: Array) -> Array:
    """Biases, and the weights of a table, as the synapses from one unit: a view."""
    return array if array.ndim == 3 else array[:, :, None]
