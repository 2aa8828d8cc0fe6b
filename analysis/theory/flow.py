"""Many starts of one system followed at once to where they end, along its own orbits but at a pace that suits them.

A field times a positive number has the same orbits, traversed in the same direction, and the same points of rest. So
where a start ends does not depend on the pace, and a pace at which nothing grows faster than e^s lets one step fit all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]
STEP = 0.1  # of the pace's own time s, in which fields change by a factor e at the most
STILL = 1e-11  # a field below this has come to rest
FAR = 1e9  # a weight beyond this has run away


def follow(field: Field, starts: np.ndarray, *, most: int = 20000, step: float = STEP) -> np.ndarray:
    """Where starts come to rest, or are when they pass FAR or after the most steps.

    Parameters
    ----------
    field : (starts, weights) to their derivatives, at a suitable pace. starts : (starts, weights). step : of s.

    Source
    ------
    The classical method of Runge and Kutta, order 4; points of rest of the field are its own to the last bit.
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
