"""Normalisation as plainly as NumPy can say it, forward and backward.

Arrays are (replica, batch, neuron); running statistics are (replica, unit), where a unit is a neuron, or several
successive ones. `out` may be the array that arrives.
"""

from __future__ import annotations

import numpy as np

from circuitsim.kernels.steps import Step

Array = np.ndarray


def normalise_online(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise each neuron by its own running mean and variance, example after example.

    running : mean and variance, which change if the presentation teaches. numbers : share of the old in a running
    average, epsilon, limit. made : the activity, y before it is cut off, and 1 / sqrt(variance + epsilon).
    """
    (mean, variance), (keep, epsilon, limit), (out, normal, slope) = running, numbers, made

    def normalise() -> None:
        for b in range(out.shape[1]):
            apart = arriving[:, b] - mean
            slope[:, b] = 1 / np.sqrt(variance + epsilon)
            normal[:, b] = apart * slope[:, b]
            if learns:
                variance[...] = keep * variance + keep * (1 - keep) * apart**2
                mean[...] = mean + (1 - keep) * apart
            out[:, b] = np.clip(normal[:, b], -limit, limit)

    return normalise


def through_online(
    error: Array, kept: tuple[Array, Array], running: tuple[Array, Array], numbers: tuple[float, float], out: Array,
    *, learns: bool,
) -> Step:  # fmt: skip
    """Pass errors back through online normalisation, example after example.

    kept : y before it was cut off, and 1 / sqrt(variance + epsilon). running : sums of errors, and of errors times y,
    which are used and change if the presentation teaches; else errors are only scaled. numbers : share of the old in
    these sums, limit.
    """
    (normal, slope), (mean, scale), (keep, limit) = kept, running, numbers

    def control() -> None:
        for b in range(out.shape[1]):
            y = normal[:, b]
            g = np.where(np.abs(y) < limit, error[:, b], 0)
            if learns:
                g = g - (1 - keep) * scale * y
                scale[...] += g * y
            dx = g * slope[:, b]
            if learns:
                dx = dx - (1 - keep) * mean
                mean[...] += dx
            out[:, b] = dx

    return control


def normalise_batch(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise units by mean and variance over the batch, or by running ones if the presentation does not teach.

    running : mean and variance. numbers : share of the old in a running average, epsilon. made : the activity, and
    1 / sqrt(variance + epsilon).
    """
    (mean, variance), (keep, epsilon), (out, slope) = running, numbers, made

    def normalise() -> None:
        given = _by_unit(arriving, mean.shape[1]).astype(np.float64)
        if learns:
            now, spread = given.mean(axis=(1, 3)), given.var(axis=(1, 3))
            mean[...] = keep * mean + (1 - keep) * now
            variance[...] = keep * variance + (1 - keep) * spread
        else:
            now, spread = mean.astype(np.float64), variance.astype(np.float64)
        scale = 1 / np.sqrt(spread + epsilon)
        _by_unit(out, mean.shape[1])[...] = (given - now[:, None, :, None]) * scale[:, None, :, None]
        _by_unit(slope, mean.shape[1])[...] = scale[:, None, :, None]

    return normalise


def through_batch(error: Array, kept: tuple[Array, Array], units: int, out: Array, *, learns: bool) -> Step:
    """Pass errors back through batch normalisation: dx = (d - mean d - y mean(d y)) / sqrt(variance + epsilon).

    kept : the activity y, and 1 / sqrt(variance + epsilon). In presentations that do not teach the statistics are
    given, and errors are only scaled.
    """
    fired, slope = kept

    def differentiate() -> None:
        d, y = (_by_unit(a, units).astype(np.float64) for a in (error, fired))
        if learns:
            d = d - d.mean(axis=(1, 3), keepdims=True) - y * (d * y).mean(axis=(1, 3), keepdims=True)
        _by_unit(out, units)[...] = d * _by_unit(slope, units)

    return differentiate


def normalise_groups(arriving: Array, numbers: tuple[int, float, float], made: tuple[Array, ...]) -> Step:
    """Normalise groups of successive neurons: (S - m) / ((delta + sum (S - m)^2) / n)^power.

    numbers : of groups, power, delta. made : the activity, and what it was multiplied by.
    """
    (groups, power, delta), (out, slope) = numbers, made

    def normalise() -> None:
        given = _by_unit(arriving, groups).astype(np.float64)
        apart = given - given.mean(axis=3, keepdims=True)
        scale = ((delta + (apart**2).sum(axis=3, keepdims=True)) / given.shape[3]) ** -power
        _by_unit(out, groups)[...] = apart * scale
        _by_unit(slope, groups)[...] = scale

    return normalise


def through_groups(error: Array, kept: tuple[Array, Array], numbers: tuple[int, float, float], out: Array) -> Step:
    """Pass errors back through the normalisation of groups.

    kept : the activity, and what it was multiplied by. numbers : of groups, power, delta.
    """
    (fired, slope), (groups, power, _) = kept, numbers

    def differentiate() -> None:
        d, y, scale = (_by_unit(a, groups).astype(np.float64) for a in (error, fired, slope))
        spread = scale ** (-1 / power)  # (delta + sum of squares) / n
        apart = y / scale
        inner = (d * y).sum(axis=3, keepdims=True)
        d = scale * d - 2 * power * apart * inner / (spread * d.shape[3])
        _by_unit(out, groups)[...] = d - d.mean(axis=3, keepdims=True)

    return differentiate


def _by_unit(array: Array, units: int) -> Array:
    """Return an activity as (replica, batch, unit, neuron of the unit)."""
    return array.reshape(*array.shape[:2], units, -1)
