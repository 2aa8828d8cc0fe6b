"""The compiled kernels of normalisation. Online ones are divided by neuron, all others by replica or example."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.operands import read_all, read_part, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")


def normalise_online(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise each neuron by its own running mean and variance, example after example."""
    constants = np.array([*numbers, learns], arriving.dtype)
    state = (write_part(a, 1) if learns else read_part(a, 1) for a in running)
    return bind(
        _online, read_part(arriving, examples=None), read_all(constants), *state,
        *(write_part(a, examples=None) for a in made[::-1]),
    )  # fmt: skip


@kernel
def _online(arriving, numbers, mean, variance, slope, normal, out, first, last, low, high, begin, end):
    keep, epsilon, limit, learns = numbers[0], numbers[1], numbers[2], numbers[3] != 0
    one = numbers.dtype.type(1)
    for r in range(first, last):
        for b in range(out.shape[1]):
            for i in range(low, high):
                apart = arriving[r, b, i] - mean[r, i]
                scale = one / math.sqrt(variance[r, i] + epsilon)
                y = apart * scale
                slope[r, b, i] = scale
                normal[r, b, i] = y
                if learns:
                    variance[r, i] = keep * variance[r, i] + keep * (one - keep) * apart * apart
                    mean[r, i] += (one - keep) * apart
                out[r, b, i] = limit if y > limit else -limit if y < -limit else y


def through_online(
    error: Array, kept: tuple[Array, Array], running: tuple[Array, Array], numbers: tuple[float, float], out: Array,
    *, learns: bool,
) -> Step:  # fmt: skip
    """Pass errors back through online normalisation, example after example."""
    constants = np.array([*numbers, learns], error.dtype)
    state = (write_part(a, 1) if learns else read_part(a, 1) for a in running)
    return bind(
        _through_online, *(read_part(a, examples=None) for a in (error, *kept)), read_all(constants), *state,
        write_part(out, examples=None),
    )  # fmt: skip


@kernel
def _through_online(error, normal, slope, numbers, mean, scale, out, first, last, low, high, begin, end):
    keep, limit, learns = numbers[0], numbers[1], numbers[2] != 0
    lost = numbers.dtype.type(1) - keep
    for r in range(first, last):
        for b in range(out.shape[1]):
            for i in range(low, high):
                y = normal[r, b, i]
                g = error[r, b, i] if abs(y) < limit else numbers.dtype.type(0)
                if learns:
                    g -= lost * scale[r, i] * y
                    scale[r, i] += g * y
                dx = g * slope[r, b, i]
                if learns:
                    dx -= lost * mean[r, i]
                    mean[r, i] += dx
                out[r, b, i] = dx


def normalise_batch(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise units by mean and variance over the batch, or by running ones if the presentation does not teach."""
    constants = np.array([*numbers, learns])
    state = (write_part(a, 1) if learns else read_all(a) for a in running)
    return bind(
        _batch, read_part(arriving, examples=None), read_all(constants), *state,
        *(write_part(a, examples=None) for a in made[::-1]), separable=False,
    )  # fmt: skip


@kernel
def _batch(arriving, numbers, mean, variance, slope, out, first, last, low, high, begin, end):
    keep, epsilon, learns = numbers[0], numbers[1], numbers[2] != 0
    size = out.shape[2] // mean.shape[1]
    count = size * out.shape[1]
    for r in range(first, last):
        for u in range(low // size, high // size):
            now, spread = float(mean[r, u]), float(variance[r, u])
            if learns:
                now = 0.0
                for b in range(out.shape[1]):
                    for i in range(u * size, (u + 1) * size):
                        now += arriving[r, b, i]
                now /= count
                spread = 0.0
                for b in range(out.shape[1]):
                    for i in range(u * size, (u + 1) * size):
                        spread += (arriving[r, b, i] - now) ** 2
                spread /= count
                mean[r, u] = keep * mean[r, u] + (1 - keep) * now
                variance[r, u] = keep * variance[r, u] + (1 - keep) * spread
            scale = 1 / math.sqrt(spread + epsilon)
            for b in range(out.shape[1]):
                for i in range(u * size, (u + 1) * size):
                    out[r, b, i] = (arriving[r, b, i] - now) * scale
                    slope[r, b, i] = scale


def through_batch(error: Array, kept: tuple[Array, Array], units: int, out: Array, *, learns: bool) -> Step:
    """Pass errors back through batch normalisation: dx = (d - mean d - y mean(d y)) / sqrt(variance + epsilon)."""
    numbers = np.array([units, learns], np.int64)
    return bind(
        _through_batch, *(read_part(a, examples=None) for a in (error, *kept)), read_all(numbers),
        write_part(out, examples=None), separable=False,
    )  # fmt: skip


@kernel
def _through_batch(error, fired, slope, numbers, out, first, last, low, high, begin, end):
    size = out.shape[2] // numbers[0]
    count = size * out.shape[1]
    for r in range(first, last):
        for u in range(low // size, high // size):
            mean, inner = 0.0, 0.0
            if numbers[1]:
                for b in range(out.shape[1]):
                    for i in range(u * size, (u + 1) * size):
                        mean += error[r, b, i]
                        inner += np.float64(error[r, b, i]) * fired[r, b, i]
            mean /= count
            inner /= count
            for b in range(out.shape[1]):
                for i in range(u * size, (u + 1) * size):
                    out[r, b, i] = (error[r, b, i] - mean - fired[r, b, i] * inner) * slope[r, b, i]


def normalise_groups(arriving: Array, numbers: tuple[int, float, float], made: tuple[Array, ...]) -> Step:
    """Normalise groups of successive neurons: (S - m) / ((delta + sum (S - m)^2) / n)^power."""
    operands = (*(write_part(a) for a in made[::-1]),)
    return bind(_groups, read_part(arriving), read_all(np.array(numbers, np.float64)), *operands, separable=False)


@kernel
def _groups(arriving, numbers, slope, out, first, last, low, high, begin, end):
    size = out.shape[2] // int(numbers[0])
    for r in range(first, last):
        for b in range(begin, end):
            for u in range(low // size, high // size):
                mean, squares = 0.0, 0.0
                for i in range(u * size, (u + 1) * size):
                    mean += arriving[r, b, i]
                mean /= size
                for i in range(u * size, (u + 1) * size):
                    squares += (arriving[r, b, i] - mean) ** 2
                scale = ((numbers[2] + squares) / size) ** -numbers[1]
                for i in range(u * size, (u + 1) * size):
                    out[r, b, i] = (arriving[r, b, i] - mean) * scale
                    slope[r, b, i] = scale


def through_groups(error: Array, kept: tuple[Array, Array], numbers: tuple[int, float, float], out: Array) -> Step:
    """Pass errors back through the normalisation of groups."""
    operands = *(read_part(a) for a in (error, *kept)), read_all(np.array(numbers, np.float64))
    return bind(_through_groups, *operands, write_part(out), separable=False)


@kernel
def _through_groups(error, fired, slope, numbers, out, first, last, low, high, begin, end):
    size = out.shape[2] // int(numbers[0])
    for r in range(first, last):
        for b in range(begin, end):
            for u in range(low // size, high // size):
                scale = np.float64(slope[r, b, u * size])
                inner, mean, total = 0.0, 0.0, 0.0
                for i in range(u * size, (u + 1) * size):
                    inner += np.float64(error[r, b, i]) * fired[r, b, i]
                    mean += error[r, b, i]
                    total += fired[r, b, i]
                # (delta + sum of squares) / n is scale^(-1 / power)
                factor = 2 * numbers[1] * inner / (scale * scale ** (-1 / numbers[1]) * size)
                mean = (scale * mean - factor * total) / size
                for i in range(u * size, (u + 1) * size):
                    out[r, b, i] = scale * error[r, b, i] - factor * fired[r, b, i] - mean
