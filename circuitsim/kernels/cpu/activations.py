"""The activations of the compiled backend: bias, activity and slope in one pass over a neuron's share of a batch."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.expansions import logistic_of, softmax_of, tanh_of
from circuitsim.kernels.cpu.native import block, line
from circuitsim.kernels.cpu.operands import Operand, read_all, read_part, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.steps import Step, in_turn

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
IDENTITY, TANH, LOGISTIC, CLIP, ELU, SOFTMAX = range(6)
KINDS: dict[str, tuple[int, float, float]] = {
    "identity": (IDENTITY, -math.inf, math.inf),
    "tanh": (TANH, -1.0, 1.0),
    "logistic": (LOGISTIC, 0.0, 1.0),
    "relu": (CLIP, 0.0, math.inf),
    "saturated": (CLIP, -1.0, 1.0),
    "saturated-half": (CLIP, -1.0, 1.0),
    "elu": (ELU, -1.0, math.inf),
    "softmax": (SOFTMAX, 0.0, 1.0),
}
"""How each is computed, and between which activities."""
STEEPNESS = {"saturated-half": 0.5}
"""Slopes between the ends of those that are clipped, where it is not 1."""
NARROW = 512
"""Neurons: shares of smaller layers are short rows, of which vector instructions make little; they are put together."""


def activate(name: str, arriving: Array, biases: list[Array], out: Array, slope: Array | None) -> Step:
    """S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    kind, low, high = KINDS[name]
    none = np.empty((0, 0, 0), out.dtype)
    first, *others = [read_part(bias[:, :, None], 1) for bias in biases] or [read_all(none)]
    more = [bind(_add_bias, bias, write_part(arriving)) for bias in others]
    bent = kind in (TANH, LOGISTIC) and out.shape[2] < NARROW
    room = np.empty(out.transpose(0, 2, 1).shape, out.dtype) if bent else none
    fire = bind(
        _share_out if kind == SOFTMAX else _fire,
        read_all(np.array([kind])),
        read_all(np.array([low, high, STEEPNESS.get(name, 1.0)], out.dtype)),
        first,
        write_part(arriving),
        read_all(none) if slope is None else write_part(slope),
        Operand(room, 1, examples=2, written=True) if bent else read_all(none),
        write_part(out),
        separable=kind != SOFTMAX,
    )
    return in_turn([*more, fire])


@njit(nogil=True, error_model="numpy")
def _add_bias(bias, s, first, last, low, high, begin, end):
    for r in range(first, last):
        extra = block(bias, r, low, high)
        for example in range(begin, end):
            row = line(s, r, example, low, high)
            for i in range(row.shape[0]):
                row[i] += extra[i]


@njit(nogil=True, error_model="numpy")
def _fire(kind, limits, bias, s, slope, room, out, first, last, low, high, begin, end):
    function, same = kind[0], s.ctypes.data == out.ctypes.data
    for r in range(first, last):
        for example in range(begin, end):
            row, fired = line(s, r, example, low, high), line(out, r, example, low, high)
            if bias.shape[0] > 0:
                extra = block(bias, r, low, high)
                for i in range(row.shape[0]):
                    row[i] += extra[i]
            if slope.shape[0] > 0 and function == CLIP:
                _slope_by_input(limits, row, line(slope, r, example, low, high))
            if not same:
                for i in range(row.shape[0]):
                    fired[i] = row[i]
            if room.shape[0] == 0:
                _apply(function, limits, fired)
        if room.shape[0] > 0 and high - low == out.shape[2]:
            _apply(function, limits, block(out, r, begin, end))  # whole rows lie in one piece as they are
        elif room.shape[0] > 0:
            _apply_together(function, limits, block(room, r, low, high), r, out, low, high)
        for example in range(begin, end):
            if slope.shape[0] > 0 and function != CLIP:
                fired = line(out, r, example, low, high)
                _slope_by_activity(function, fired, line(slope, r, example, low, high))


@njit(nogil=True, error_model="numpy")
def _apply_together(function, limits, room, r, out, low, high):
    place = 0
    for example in range(out.shape[1]):
        row = line(out, r, example, low, high)
        for i in range(row.shape[0]):
            room[place + i] = row[i]
        place += row.shape[0]
    _apply(function, limits, room)
    place = 0
    for example in range(out.shape[1]):
        row = line(out, r, example, low, high)
        for i in range(row.shape[0]):
            row[i] = room[place + i]
        place += row.shape[0]


@njit(nogil=True, error_model="numpy")
def _share_out(kind, limits, bias, s, slope, room, out, first, last, low, high, begin, end):
    for r in range(first, last):
        for example in range(begin, end):
            row, fired = line(s, r, example, low, high), line(out, r, example, low, high)
            for i in range(row.shape[0]):
                row[i] += bias[r, low + i, 0] if bias.shape[0] > 0 else 0
                fired[i] = row[i]
            softmax_of(fired)


@njit(nogil=True, error_model="numpy")
def _apply(function, limits, row):
    if function == TANH:
        tanh_of(row)
    elif function == LOGISTIC:
        logistic_of(row)
    elif function == CLIP:
        low, high, steepness = limits[0], limits[1], limits[2]
        for i in range(row.shape[0]):
            x = steepness * row[i]
            x = low if x < low else x  # written so that a value that is not a number stays one
            row[i] = high if x > high else x
    elif function == ELU:
        for i in range(row.shape[0]):
            x = row[i]
            row[i] = np.expm1(x) if x < 0 else x


@njit(nogil=True, error_model="numpy")
def _slope_by_input(limits, row, slope):
    """The steepness between the limits, 0 outside; relu'(0) = 0, saturated'(±1) = 1."""
    low, high, steepness = limits[0], limits[1], limits[2]
    for i in range(row.shape[0]):
        x = steepness * row[i]
        inside = (x > low or (low != 0 and x == low)) and x <= high
        slope[i] = steepness if inside else steepness - steepness


@njit(nogil=True, error_model="numpy")
def _slope_by_activity(function, fired, slope):
    """1 - o^2 for tanh, o (1 - o) for the logistic function, min(1 + o, 1) for elu, 1 for identity."""
    one = fired.dtype.type(1)
    if function == TANH:
        for i in range(fired.shape[0]):
            slope[i] = one - fired[i] * fired[i]
    elif function == LOGISTIC:
        for i in range(fired.shape[0]):
            slope[i] = fired[i] * (one - fired[i])
    elif function == ELU:
        for i in range(fired.shape[0]):
            slope[i] = one if fired[i] > 0 else one + fired[i]
    else:
        for i in range(fired.shape[0]):
            slope[i] = one
