"""Confidence intervals of means over seeds."""

from __future__ import annotations

import numpy as np

CONFIDENCE = 0.95
COLUMN = "± 95 %"
MEANING = f"{COLUMN}: half of the mean's 95 % confidence interval (Student's t)."


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
