"""Statements on A*[1, ..., 1], held against random starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.analysis.theory import basins
from circuitsim.analysis.theory.chain import ChainLaw, fixed_points, invariants, stability
from circuitsim.analysis.theory.flow import follow
from circuitsim.analysis.theory.rows import Row, tally
from circuitsim.randomness import generator

CLOSE = 1e-6  # of P to where it goes
LIMITS = (1.0, -1.0, 0.0, -np.inf)
LAWS = {
    "Theorem 6.1": ChainLaw(),
    "Theorem 6.2, n = 2": ChainLaw(m=2),
    "Theorem 6.2, n = 3": ChainLaw(m=3),
    "Theorem 6.2, n = 4": ChainLaw(m=4),
    "Theorem 6.3, eq. 51, n = 1, m = 2": ChainLaw(1, 2, own=True),
    "Theorem 6.3, eq. 51, n = 1, m = 3": ChainLaw(1, 3, own=True),
    "Theorem 6.3, top as eq. 40, n = 1, m = 2": ChainLaw(1, 2),
    "Theorem 6.3, top as eq. 40, n = 1, m = 3": ChainLaw(1, 3),
}
DRAWN = 1500  # starts of L = 2 that the figure of basins shows, at the most


def starts_of(seed: int, name: str, count: int, depth: int, spread: float) -> np.ndarray:
    """Weights uniform between -spread and spread, none nought, (count, depth)."""
    found: np.ndarray = generator(seed, f"theory {name} {depth}").uniform(-spread, spread, (count, depth))
    return np.where(found == 0, spread, found)


def limits(law: ChainLaw, ends: np.ndarray) -> np.ndarray:
    """What P came to: 1, -1, 0, -infinity (a weight ran away), or NaN where it has come to nothing yet."""
    p = ends.prod(axis=1)
    found = np.full(len(p), np.nan)
    for limit in LIMITS[:3]:
        found[np.abs(p - limit) < CLOSE] = limit
    found[p < -1e6] = -np.inf
    return found


def theorem(name: str, seed: int, count: int, depths: Sequence[int], spread: float) -> list[Row]:
    """One of LAWS: how many starts end at P = 1, as printed, and where foretold; how many end where."""
    law, share = LAWS[name], -(-count // len(depths))
    got, told, total, rows = [], [], 0, []
    for depth in depths:
        starts = starts_of(seed, name, min(share, count - total), depth, spread)
        total += len(starts)
        got.append(limits(law, law.ends(starts)))
        told.append(basins.foretold(law, starts))
        if depth == 2:
            shown = zip(starts[:DRAWN], got[-1], strict=False)
            rows += [Row("limit", name, float(end), float(a[0]), float(a[1])) for a, end in shown]
    all_got, all_told = np.concatenate(got), np.concatenate(told)
    rows += tally(name, all_got == 1, total) + tally(f"{name}, corrected", all_got == all_told, total)
    rows += [Row(f"ends at {limit:g}", name, int((all_got == limit).sum())) for limit in LIMITS]
    return [*rows, Row("unsettled", name, int(np.isnan(all_got).sum()))]


def excluded(name: str, seed: int, count: int, depths: Sequence[int], spread: float) -> list[Row]:
    """Starts with a weight of nought: how many stay at P = 0 to the last bit, and in how many no weight moves."""
    law, share = LAWS[name], -(-count // len(depths))
    silent, still, vanish, total = 0, 0, 0, 0
    for depth in depths:
        starts = starts_of(seed, f"{name} excluded", min(share, count - total), depth, spread)
        total += len(starts)
        first = generator(seed, f"theory nought {name} {depth}").integers(0, depth if law.n else depth - 1, len(starts))
        starts[np.arange(len(starts)), first] = 0.0
        ends = follow(law.paced, starts, most=200)  # where P = 0 some move for ever
        silent += int((ends.prod(axis=1) == 0).sum())
        still += int((ends == starts).all(axis=1).sum())
        vanish += sum(bool((end[k:] == 0).all()) for end, k in zip(ends, first, strict=True))
    rows = tally(f"{name}, excluded", silent, total) + tally(f"{name}, excluded, all weights stay", still, total)
    return rows + (tally(f"{name}, excluded, a_i0 ... a_L = 0", vanish, total) if name == "Theorem 6.1" else [])


def constants(seed: int, depth: int, spread: float, time: float, *, law: ChainLaw | None = None) -> list[Row]:
    """How far the invariants of eq. 42 drift along three solutions, over time x; and their orbits, a_1 and a_2."""
    rule, rows, worst = law or ChainLaw(), [], []
    times = np.linspace(0, time, 61)
    for index, start in enumerate(starts_of(seed, "constants", 3, depth, spread)):
        a = solution(rule, start, times)
        drift = np.abs(invariants(a, rule.own) - invariants(start, rule.own)).max(axis=-1)
        case = f"L = {depth}, start {index + 1}"
        rows += [Row("drift", case, float(d), float(t)) for d, t in zip(drift, times, strict=True)]
        rows += [
            Row("orbit", case, float(t), float(u), float(v)) for t, u, v in zip(times, a[:, 0], a[:, 1], strict=True)
        ]
        worst.append(drift.max() < 1e-6)
    return rows + tally(f"eq. 42, L = {depth}", np.array(worst), len(worst))


def solution(law: ChainLaw, start: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Weights (time, L) in the paper's own time, beta = 1; they end where a weight passes 10^6."""
    from scipy.integrate import solve_ivp

    def far(_: float, a: np.ndarray) -> float:
        return float(np.abs(a).max() - 1e6)

    far.terminal = True  # type: ignore[attr-defined]
    found = solve_ivp(
        lambda _, a: law.rates(a), (0.0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13, events=far
    )
    weights: np.ndarray = found.y.T
    return weights


def two_layers(seed: int, count: int, spread: float) -> list[Row]:
    """Eqs. 46 and 47: whether the points of rest rest, the middle one repels and the others attract, at P = 1."""
    agree = 0
    for k in generator(seed, "theory K").uniform(-2 * spread, 2 * spread, count):
        nought, *others = fixed_points(k)
        rest = all(abs(a * (1 - a * (a + k))) < 1e-9 for a in (nought, *others))
        optimal = all(abs(a * (a + k) - 1) < 1e-9 for a in others)
        agree += rest and optimal and stability(k, nought) > 0 and all(stability(k, a) < 0 for a in others)
    return tally("eq. 47", agree, count)
