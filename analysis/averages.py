"""Confidence intervals of means over seeds."""

from __future__ import annotations

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
    from scipy.special import stdtrit

    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if known.size < 2:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(known.std(ddof=1))
    return float(stdtrit(known.size - 1, (1 + CONFIDENCE) / 2)) * deviation / float(np.sqrt(known.size))
