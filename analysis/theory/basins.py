"""Limits of all starts of A*[1, ..., 1], by reduction to one dimension: the theorems of section 6.3, corrected.

Along an orbit da/ds = v(a), |a_1| = |a_1(0)| e^s and log|a_{h+1}| = a_h^2 / 2 + K_h, so only a_L is unknown:
da_L/ds = Q = a_1 ... a_{L-1}, hence dP/ds = Q^2 + f P with f = 1 + a_1^2 + ... + a_1^2 ... a_{L-2}^2. As s grows, P
tends to +infinity; as s falls, to 0. Where dP/ds = 0 and P < 0, d2P/ds2 = -P (2 f^2 - df/ds) > 0: P has at most one
minimum. With the top's own comparison dP/ds = g P, g >= 1: P keeps its sign.
"""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.theory.chain import ChainRule, cumulative

PANEL = 0.02  # of s times f, so that f changes by a few per cent within a panel
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)


def predicted_limits(rule: ChainRule, starts: np.ndarray) -> np.ndarray:
    """Predict the limit of P from starts (starts, L), with a_1 ... a_{L-1} != 0: 1, -1, 0 or -infinity.

    Source
    ------
    Replaces Theorems 6.1, 6.2 and 6.3 of Baldi & Sadowski 2018, which state 1 for all starts.
    """
    p = starts.prod(axis=1)
    if rule.own:
        negative = -1.0 if rule.even else -np.inf
        return np.where(p > 0, 1.0, np.where(p < 0, negative, 0.0))
    beyond = 0.0 if rule.n else 1.0  # limit from P < 0; r(0) = 0 unless n = 0
    found = np.where(p > 0, 1.0, np.where(p < 0, beyond, 0.0 if rule.n else 1.0))
    if rule.even:
        found[p <= -1] = -1.0
        within = np.flatnonzero((p > -1) & (p < 0))
        found[within[least_product(starts[within]) <= -1]] = -1.0
    return found


def least_product(starts: np.ndarray) -> np.ndarray:
    """Least P at s >= 0 of starts (starts, L) with P < 0."""
    if starts.shape[1] == 2:
        return _least_product_of_two(starts)
    a = starts.copy()
    least: np.ndarray = starts.prod(axis=1)
    active = np.flatnonzero(_slope(a) < 0)
    while active.size:
        a[active] = _advanced(a[active])
        least[active] = np.minimum(least[active], a[active].prod(axis=1))
        active = active[_slope(a[active]) < 0]
    return least


def _least_product_of_two(starts: np.ndarray) -> np.ndarray:
    """P = a_1 (a_1 + K) has its vertex at |a_1| = |K| / 2; orbits with P < 0 move outward."""
    k = starts[:, 1] - starts[:, 0]
    found: np.ndarray = np.where(np.abs(starts[:, 0]) < np.abs(k) / 2, -k * k / 4, starts.prod(axis=1))
    return found


def _slope(a: np.ndarray) -> np.ndarray:
    """dP/ds."""
    c = cumulative(a)
    found: np.ndarray = c[:, -2] ** 2 + c[:, -1] * (c[:, :-2] ** 2).sum(axis=1)
    return found


def _advanced(a: np.ndarray) -> np.ndarray:
    """Advance starts by one panel of s: a_L by 4-point Gauss-Legendre quadrature, the others by the invariants."""
    panel = PANEL / (cumulative(a)[:, :-2] ** 2).sum(axis=1)
    q = np.stack([_below_top(a, panel * (1 + node) / 2).prod(axis=1) for node in NODES])
    top = a[:, -1] + panel / 2 * (WEIGHTS @ q)
    return np.column_stack([_below_top(a, panel), top])


def _below_top(a: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return a_1 ... a_{L-1} after s, in closed form."""
    found = [a[:, 0] * np.exp(s)]
    for h in range(1, a.shape[1] - 1):
        found.append(a[:, h] * np.exp((found[-1] ** 2 - a[:, h - 1] ** 2) / 2))
    return np.column_stack(found)


def edge_of_two(a: np.ndarray) -> np.ndarray:
    """Return, for L = 2 and even m, the |a_2| below which a start with a_1 a_2 < 0 avoids P = -1, for |a_1| > 0.

    P = -1 is reached from |a_1| (|a_1| - |K|) < 0, |K| = |a_1| + |a_2|, if |K| >= 2 and |a_1| is at or inside the
    outer root (|K| + sqrt(K^2 - 4)) / 2. So the edge is |a_2| = 2 - |a_1| up to 1, and 1 / |a_1|, where P = -1,
    beyond.
    """
    found: np.ndarray = np.where(a < 1, 2 - a, 1 / np.maximum(a, 1e-300))
    return found
