"""Integration of many starts of one system to their ends, along its orbits but at a rescaled speed.

A field times a positive number has the same orbits, directions and rest points, so the end of a start does not depend
on the speed. If nothing grows faster than e^s, one step size fits all starts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]
STEP = 0.1  # of s, in which fields change by at most a factor e
STILL = 1e-11  # a start with a smaller field is at rest
FAR = 1e9  # a start with a larger weight has diverged


def follow(field: Field, starts: np.ndarray, *, most: int = 20000, step: float = STEP) -> np.ndarray:
    """Return where starts come to rest, pass FAR, or are after the most steps.

    Parameters
    ----------
    field : (starts, weights) to derivatives, suitably rescaled. starts : (starts, weights). step : of s.

    Source
    ------
    The classical Runge-Kutta method of order 4; it keeps rest points of the field exactly.
    """
    found, active = starts.astype(np.float64), np.arange(len(starts))
    for _ in range(most):
        here = found[active]
        first = field(here)
        moving = (np.abs(first).max(axis=1) > STILL) & (np.abs(here).max(axis=1) < FAR)
        if not moving.all():
            active, here, first = active[moving], here[moving], first[moving]
        if not active.size:
            break
        found[active] = here + step * _slope(field, here, first, step)
    return found


def _slope(field: Field, here: np.ndarray, first: np.ndarray, step: float) -> np.ndarray:
    second = field(here + step / 2 * first)
    third = field(here + step / 2 * second)
    last = field(here + step * third)
    found: np.ndarray = (first + 2 * second + 2 * third + last) / 6
    return found
