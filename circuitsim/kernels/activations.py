"""The activations of the compiled backend: each binds summed inputs, outputs and slopes, and returns a step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

Step = Callable[[], None]
Array = np.ndarray


@njit(cache=True, nogil=True)
def _negate_clamped(s, out, limit):  # type: ignore[no-untyped-def]
    for r in range(s.shape[0]):
        for b in range(s.shape[1]):
            for i in range(s.shape[2]):
                out[r, b, i] = min(-s[r, b, i], limit)


@njit(cache=True, nogil=True)
def _one_plus_inverse(out, one):  # type: ignore[no-untyped-def]
    for r in range(out.shape[0]):
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, b, i] = one / (one + out[r, b, i])


@njit(cache=True, nogil=True)
def _product_slope(out, slope, kind, one):  # type: ignore[no-untyped-def]
    """1 - o^2 (tanh, kind 0), o (1 - o) (logistic, kind 1)."""
    for r in range(out.shape[0]):
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                o = out[r, b, i]
                slope[r, b, i] = one - o * o if kind == 0 else o * (one - o)


@njit(cache=True, nogil=True)
def _clip(s, out, slope, low, high, zero, one):  # type: ignore[no-untyped-def]
    """relu (0, inf) and saturated (-1, 1), with the slope where there is room for it."""
    sloped = slope.shape[0] > 0
    for r in range(s.shape[0]):
        for b in range(s.shape[1]):
            for i in range(s.shape[2]):
                x = s[r, b, i]
                if sloped:
                    inside = (low < x if low == zero else low <= x) and x <= high
                    slope[r, b, i] = one if inside else zero
                # written so that a value that is not a number stays one
                out[r, b, i] = low if x < low else (high if x > high else x)


def _identity(s: Array, out: Array, slope: Array | None) -> Step:
    same = s.ctypes.data == out.ctypes.data

    def fire() -> None:
        if not same:
            np.copyto(out, s)
        if slope is not None:
            slope.fill(1)

    return fire


def _tanh(s: Array, out: Array, slope: Array | None) -> Step:
    one = s.dtype.type(1)

    def fire() -> None:
        np.tanh(s, out=out)
        if slope is not None:
            _product_slope(out, slope, 0, one)

    return fire


def _logistic(s: Array, out: Array, slope: Array | None) -> Step:
    one = s.dtype.type(1)
    limit = s.dtype.type(math.log(np.finfo(s.dtype).max) - 1)  # exp stays finite; the result is zero to rounding

    def fire() -> None:
        _negate_clamped(s, out, limit)
        np.exp(out, out=out)
        _one_plus_inverse(out, one)
        if slope is not None:
            _product_slope(out, slope, 1, one)

    return fire


def _clipped(low: float, high: float) -> Callable[[Array, Array, Array | None], Step]:
    def bind(s: Array, out: Array, slope: Array | None) -> Step:
        t = s.dtype.type
        room = np.empty((0, 0, 0), s.dtype) if slope is None else slope
        return lambda: _clip(s, out, room, t(low), t(high), t(0), t(1))

    return bind


def _softmax(s: Array, out: Array, slope: Array | None) -> Step:
    rows = np.empty((*s.shape[:-1], 1), s.dtype)

    def fire() -> None:
        np.max(s, axis=-1, keepdims=True, out=rows)
        np.subtract(s, rows, out=out)
        np.exp(out, out=out)
        np.sum(out, axis=-1, keepdims=True, out=rows)
        np.divide(out, rows, out=out)

    return fire


BOUND: dict[str, Callable[[Array, Array, Array | None], Step]] = {
    "identity": _identity,
    "tanh": _tanh,
    "logistic": _logistic,
    "relu": _clipped(0.0, math.inf),
    "saturated": _clipped(-1.0, 1.0),
    "softmax": _softmax,
}
