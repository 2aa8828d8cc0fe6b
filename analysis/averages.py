"""Confidence intervals of means over seeds."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

CONFIDENCE = 0.95
ROUNDING = 1e-14  # of the greatest value: a smaller deviation comes from rounding, and is 0
COLUMN = "± 95 %"
MEANING = f"{COLUMN}: half of the mean's 95 % confidence interval (Student's t)."


SPREADS = ("SD", COLUMN)
"""Columns of tables that have a spread, or end in it."""


def summary(values: np.ndarray) -> tuple[float, float, float, float, float, int]:
    """Return the mean, standard deviation (n - 1), half the 95 % interval, least, greatest, number of finite values."""
    known = values[np.isfinite(values)]
    if not known.size:
        return (np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are about to diverge
        deviation = float(known.std(ddof=1)) if known.size > 1 else np.nan
        mean = float(known.mean())
    if deviation <= ROUNDING * float(np.abs(known).max()):
        return mean, 0.0, 0.0, float(known.min()), float(known.max()), int(known.size)
    return mean, deviation, half_width(known), float(known.min()), float(known.max()), int(known.size)


def half_width(values: np.ndarray) -> float:
    """Return half the width of the 95 % confidence interval of the mean of the finite values, by Student's t.

    NaN where fewer than two values are finite.

    >>> round(half_width(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), 4)
    1.9632
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if known.size < 2:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(known.std(ddof=1))
    return student_quantile(known.size - 1) * deviation / float(np.sqrt(known.size))


@cache
def student_quantile(freedom: int) -> float:
    """Return t with P(|T| < t) = 0.95 for Student's T with so many degrees of freedom, to about 1e-12.

    Source
    ------
    Abramowitz & Stegun, 26.7.3 and 26.7.4: the probability is a finite sum for whole degrees of freedom.

    >>> [round(student_quantile(n), 6) for n in (1, 2, 4, 9, 100)]
    [12.706205, 4.302653, 2.776445, 2.262157, 1.983972]
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < CONFIDENCE:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Return P(|T| < t)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd, square = freedom % 2, math.cos(angle) ** 2
    term = total = math.cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
