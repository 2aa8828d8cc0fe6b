"""BLAS for the products, Numba for the rest, NumPy's vectorised exp and tanh; bound once, no allocation per call."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from circuitsim.kernels import reference
from circuitsim.kernels.activations import BOUND

NAME = "numba"
COMPILED = True
Step = Callable[[], None]
Array = np.ndarray


def gather(x: Array, rows: Array, out: Array) -> Step:
    """out[r, b] = x[rows[r, b]]."""
    pairs = [(rows[r], out[r]) for r in range(out.shape[0])]

    def present() -> None:
        for row, batch in pairs:
            np.take(x, row, axis=0, out=batch, mode="clip")  # "raise" would buffer; the caller checks the rows

    return present


def deliver(emitted: Array, across: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] across[r, j, i]."""
    if accumulate:
        product = np.empty_like(arriving)

        def add() -> None:
            np.matmul(emitted, across, out=product)
            np.add(arriving, product, out=arriving)

        return add

    def delivery() -> None:
        np.matmul(emitted, across, out=arriving)

    return delivery


@njit(cache=True, nogil=True)
def _signed(magnitude, other, across):  # type: ignore[no-untyped-def]
    for r in range(across.shape[0]):
        for j in range(across.shape[1]):
            for i in range(across.shape[2]):
                across[r, j, i] = abs(magnitude[r, i, j]) * np.sign(other[r, j, i])


def deliver_signed(emitted: Array, magnitude: Array, other: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] |magnitude[r, i, j]| sign(other[r, j, i])."""
    across = np.empty_like(other)
    send = deliver(emitted, across, arriving, accumulate=accumulate)

    def delivery() -> None:
        _signed(magnitude, other, across)
        send()

    return delivery


def one_hot(y: Array, rows: Array, out: Array) -> Step:
    """out[r, b, c] = 1 where c = y[rows[r, b]], else 0."""
    return lambda: _one_hot(y, rows, out)


@njit(cache=True, nogil=True)
def _one_hot(y, rows, out):  # type: ignore[no-untyped-def]
    out[...] = 0
    for r in range(out.shape[0]):
        for b in range(out.shape[1]):
            out[r, b, y[rows[r, b]]] = 1


def centre(out: Array) -> Step:
    """out less its mean over the batch."""
    mean = np.empty((out.shape[0], 1, out.shape[2]), out.dtype)

    def subtract_mean() -> None:
        np.mean(out, axis=1, keepdims=True, out=mean)
        np.subtract(out, mean, out=out)

    return subtract_mean


def noise(seeds: Array, name: str, tick: Array, scale: Array, out: Array, *, gaussian: bool) -> Step:
    """out[r] = scale[r] times numbers drawn for (seed, name, tick): standard normal, or uniform within ±1."""
    return reference.noise(seeds, name, tick, scale, out, gaussian=gaussian)  # all backends draw the same numbers


@njit(cache=True, nogil=True)
def _add_bias(s, bias):  # type: ignore[no-untyped-def]
    for r in range(s.shape[0]):
        for b in range(s.shape[1]):
            for i in range(s.shape[2]):
                s[r, b, i] += bias[r, i]


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    fire = BOUND[name](arriving, out, slope)

    def biased() -> None:
        for bias in biases:
            _add_bias(arriving, bias)
        fire()

    return biased


@njit(cache=True, nogil=True)
def _mix(coefficient, held, computed, out, one):  # type: ignore[no-untyped-def]
    for r in range(out.shape[0]):
        c = coefficient[r]
        h, s = held[min(r, held.shape[0] - 1)], computed[min(r, computed.shape[0] - 1)]
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, b, i] = s[b, i] if c == 0 else c * h[b, i] + (one - c) * s[b, i]


def mix(coefficient: Array, held: Array, computed: Array, out: Array) -> Step:
    """out = c held + (1 - c) computed, with c for each replica; `out` may be `computed` itself."""
    if not coefficient.any():
        return lambda: np.copyto(out, computed)
    one = out.dtype.type(1)
    return lambda: _mix(coefficient, held, computed, out, one)


@njit(cache=True, nogil=True)
def _mix_error(coefficient, held, returned, out, one):  # type: ignore[no-untyped-def]
    for r in range(out.shape[0]):
        c = coefficient[r]
        h, s = held[min(r, held.shape[0] - 1)], returned[r]
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, b, i] = c * h[b, i] + (one - c) * (h[b, i] - s[b, i])


def mix_error(coefficient: Array, held: Array, returned: Array, out: Array) -> Step:
    """out = c held + (1 - c) (held - returned)."""
    one = out.dtype.type(1)
    return lambda: _mix_error(coefficient, held, returned, out, one)


@njit(cache=True, nogil=True)
def _hinge(target, summed, margin, out, share):  # type: ignore[no-untyped-def]
    for r in range(out.shape[0]):
        wanted = target[min(r, target.shape[0] - 1)]
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                if math.isnan(summed[r, b, i]):
                    out[r, b, i] = summed[r, b, i]
                elif wanted[b, i] == 1:
                    out[r, b, i] = 1 if summed[r, b, i] < 1 else 0
                else:
                    out[r, b, i] = -share if summed[r, b, i] > -margin[r] else 0


def hinge(target: Array, summed: Array, margin: Array, out: Array) -> Step:
    """out = 1 where target = 1 and S < 1, -1/(C-1) where target = 0 and S > -margin, else 0, of C neurons."""
    return lambda: _hinge(target, summed, margin, out, 1 / (out.shape[2] - 1))


def subtract(target: Array, actual: Array, out: Array) -> Step:
    """out = target - actual."""
    return lambda: np.subtract(target, actual, out=out)


def multiply(first: Array, second: Array, out: Array) -> Step:
    """out = first * second."""
    return lambda: np.multiply(first, second, out=out)


@njit(cache=True, nogil=True)
def _apply(weight, increment, rate, decay, scale, alive):  # type: ignore[no-untyped-def]
    for r in range(weight.shape[0]):
        if alive[r]:
            eta, loss = rate[r] * scale, decay[r]
            for i in range(weight.shape[1]):
                weight[r, i] += eta * increment[r, i] - loss * weight[r, i]


@njit(cache=True, nogil=True)
def _apply_momentum(weight, increment, velocity, rate, momentum, decay, scale, alive):  # type: ignore[no-untyped-def]
    for r in range(weight.shape[0]):
        if alive[r]:
            eta, mu, loss = rate[r], momentum[r], decay[r]
            for i in range(weight.shape[1]):
                v = mu * velocity[r, i] + scale * increment[r, i]
                velocity[r, i] = v
                weight[r, i] += eta * v - loss * weight[r, i]


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
    w, dw = _flat(weight), _flat(increment)
    factor = weight.dtype.type(scale)
    if velocity is None or momentum is None:
        return lambda: _apply(w, dw, rate, decay, factor, alive)
    v = _flat(velocity)
    return lambda: _apply_momentum(w, dw, v, rate, momentum, decay, factor, alive)


def mask(weight: Array, kept: Array) -> Step:
    """w = 0 where a synapse does not exist."""
    return lambda: np.multiply(weight, kept, out=weight)


@njit(cache=True, nogil=True)
def _accumulate(increment, pending, scale, alive):  # type: ignore[no-untyped-def]
    for r in range(pending.shape[0]):
        if alive[r]:
            for i in range(pending.shape[1]):
                pending[r, i] += scale * increment[r, i]


def accumulate(increment: Array, pending: Array, scale: float, alive: Array) -> Step:
    """pending += scale * increment, for the replicas alive."""
    more, sums, factor = _flat(increment), _flat(pending), pending.dtype.type(scale)
    return lambda: _accumulate(more, sums, factor, alive)


def refresh(other: Array, count: Array, every: Array, weight: Array, alive: Array) -> Step:
    """w[r, i, j] = other[r, j, i] where count is a multiple of every[r], for the replicas that are alive."""
    return reference.refresh(other, count, every, weight, alive)


def magnitudes(seeds: Array, tick: Array, name: str, weight: Array, alive: Array) -> Step:
    """w[r] uniform from 0 to sqrt(6 / (pre + post)), drawn for (seed, name, tick), for the replicas that are alive."""
    return reference.magnitudes(seeds, tick, name, weight, alive)


def normalise(weight: Array, alive: Array) -> Step:
    """w = w / |w|, the norm taken over all synapses of a replica; a projection of zeros stays one."""
    return lambda: _normalise(weight, alive)


@njit(cache=True, nogil=True)
def _normalise(weight, alive):  # type: ignore[no-untyped-def]
    for r in range(weight.shape[0]):
        total = 0.0
        for i in range(weight.shape[1]):
            for j in range(weight.shape[2]):
                total += float(weight[r, i, j]) ** 2
        if alive[r] and total > 0:
            factor = weight.dtype.type(1 / math.sqrt(total))
            for i in range(weight.shape[1]):
                for j in range(weight.shape[2]):
                    weight[r, i, j] *= factor


def _flat(array: Array) -> Array:
    """All synapses of a replica in one row; a view, because parameters are contiguous."""
    return array.reshape(array.shape[0], -1)


@njit(cache=True, nogil=True)
def _squares(w, out):  # type: ignore[no-untyped-def]
    for r in range(w.shape[0]):
        for i in range(w.shape[1]):
            total = 0.0
            for j in range(w.shape[2]):
                total += float(w[r, i, j]) * float(w[r, i, j])
            out[r, i] += total


@njit(cache=True, nogil=True)
def _scale(w, squares, limit, alive):  # type: ignore[no-untyped-def]
    for r in range(w.shape[0]):
        for i in range(w.shape[1]):
            norm = math.sqrt(squares[r, i])
            if alive[r] and norm > limit[r]:
                factor = w.dtype.type(limit[r] / norm)
                for j in range(w.shape[2]):
                    w[r, i, j] *= factor


def bound(weights: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each neuron's incoming synapses by min(1, limit / norm), the norm taken over all of them together."""
    synapses = [*weights, *(b[:, :, None] for b in biases)]
    squares = np.zeros(synapses[0].shape[:2], np.float64)

    def scale() -> None:
        squares.fill(0)
        for w in synapses:
            _squares(w, squares)
        for w in synapses:
            _scale(w, squares, limit, alive)

    return scale
