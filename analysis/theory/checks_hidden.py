"""Tests of the statements on A*[1, N, 1], with random starts."""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.theory import hidden
from circuitsim.analysis.theory.flow import follow
from circuitsim.analysis.theory.rows import Datum, tally
from circuitsim.randomness import generator

SIZES = (1, 2, 5, 20)  # N
SMALL = 1e-10


def starts_of(seed: int, name: str, count: int, n: int, spread: float) -> np.ndarray:
    """Draw a and b uniform between -spread and spread, (count, 2 n)."""
    found: np.ndarray = generator(seed, f"theory {name} {n}").uniform(-spread, spread, (count, 2 * n))
    return found


def theorem(seed: int, count: int, spread: float) -> list[Datum]:
    """Count the starts that end at P = 1, those that end as in closed form, and those with b = 0 that stay."""
    learn, closed, stay, total, share = 0, 0, 0, 0, -(-count // len(SIZES))
    for n in SIZES:
        starts = starts_of(seed, "Theorem 6.4", min(share, count - total), n, spread)
        total += len(starts)
        ends = hidden.ends(starts)
        learn += int((np.abs(hidden.summary(ends)[0] - 1) < 1e-6).sum())
        closed += int((np.abs(ends - hidden.predicted_ends(starts)).max(axis=1) < 1e-6).sum())
        starts[:, n:] = 0
        stay += int((follow(hidden.paced, starts, most=50) == starts).all(axis=1).sum())
    return [
        *tally("Theorem 6.4", learn, total),
        *tally("Theorem 6.4, the end in closed form", closed, total),
        *tally("Theorem 6.4, excluded", stay, total),
    ]


def derivatives(seed: int, count: int, spread: float) -> list[Datum]:
    """Test eqs. 53 to 56 against eq. 52, and the signs that the proof takes from eq. 56, at random weights."""
    share, held = -(-count // len(SIZES)), []
    for n in SIZES:
        ab = starts_of(seed, "derivatives", share, n, spread)
        held.append(_derivatives(ab))
    found = np.concatenate(held)
    cases = ("eqs. 53, 54, 55", "eq. 56", "eq. 56, corrected", "eq. 56, AB falls where P < 0")
    tests = [(case, found[:, k]) for k, case in enumerate(cases)]
    below = found[:, 4] > 0
    tests[3] = (tests[3][0], tests[3][1][below])
    return [row for case, mask in tests for row in tally(case, mask, len(mask))]


def _derivatives(ab: np.ndarray) -> np.ndarray:
    """Tell for each start if eqs. 53 to 55, 56, 56 corrected and the sign hold, and if P < 0."""
    (a, b), (da, db) = hidden.halves(ab), hidden.halves(hidden.rates(ab))
    p, size_a, size_b = hidden.summary(ab)
    true = ((da * b + a * db).sum(axis=1), 2 * (a * da).sum(axis=1), 2 * (b * db).sum(axis=1))
    both = true[1] * size_b + size_a * true[2]
    globally = np.all([_close(x, y) for x, y in zip(true, hidden.global_rates(p, size_b), strict=True)], axis=0)
    printed, corrected = hidden.printed_product_rate(p, size_b), hidden.product_rate(p, size_a, size_b)
    return np.column_stack([globally, _close(both, printed), _close(both, corrected), both < 0, p < 0])


def _close(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(x - y) <= SMALL * (1 + np.abs(x) + np.abs(y))
    return found


def crossing(seed: int, count: int, spread: float) -> list[Datum]:
    """Test the proof's case 3, "until A = P = 0": count the starts with P < 0 that have A < 10^-12 at P = 0.

    There u = 1 - P(0) / B(0), in closed form.
    """
    rows: list[Datum] = []
    for n in (1, 2):
        ab = starts_of(seed, "crossing", count, n, spread)
        p, _, size = hidden.summary(ab)
        ab, p, size = ab[p < 0], p[p < 0], size[p < 0]
        a, b = hidden.halves(ab)
        there = a - (p / size)[:, None] * b
        rows += tally(f"Theorem 6.4, proof: A = 0 where P = 0, N = {n}", (there**2).sum(axis=1) < 1e-12, len(ab))
    return rows
