"""Tests of the statements on A*[1, ..., 1], with random starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.analysis.solving import initial_value_solver
from circuitsim.analysis.theory import basins
from circuitsim.analysis.theory.chain import ChainRule, fixed_points, invariants, stability
from circuitsim.analysis.theory.flow import follow
from circuitsim.analysis.theory.rows import Datum, tally
from circuitsim.randomness import generator

CLOSE = 1e-6  # of P to its limit
LIMITS = (1.0, -1.0, 0.0, -np.inf)
DEFAULT = ChainRule()
CHAIN_RULES = {
    "Theorem 6.1": ChainRule(),
    "Theorem 6.2, n = 2": ChainRule(m=2),
    "Theorem 6.2, n = 3": ChainRule(m=3),
    "Theorem 6.2, n = 4": ChainRule(m=4),
    "Theorem 6.3, eq. 51, n = 1, m = 2": ChainRule(1, 2, own=True),
    "Theorem 6.3, eq. 51, n = 1, m = 3": ChainRule(1, 3, own=True),
    "Theorem 6.3, top as eq. 40, n = 1, m = 2": ChainRule(1, 2),
    "Theorem 6.3, top as eq. 40, n = 1, m = 3": ChainRule(1, 3),
}
DRAWN = 1500  # most starts of L = 2 in the figure of basins


def starts_of(seed: int, name: str, count: int, depth: int, spread: float) -> np.ndarray:
    """Draw nonzero weights uniform between -spread and spread, (count, depth)."""
    found: np.ndarray = generator(seed, f"theory {name} {depth}").uniform(-spread, spread, (count, depth))
    return np.where(found == 0, spread, found)


def limits(rule: ChainRule, ends: np.ndarray) -> np.ndarray:
    """Classify the limit of P: 1, -1, 0, -infinity (a weight diverges), or NaN if there is none yet."""
    p = ends.prod(axis=1)
    found = np.full(len(p), np.nan)
    for limit in LIMITS[:3]:
        found[np.abs(p - limit) < CLOSE] = limit
    found[p < -1e6] = -np.inf
    return found


def theorem(name: str, seed: int, count: int, depths: Sequence[int], spread: float) -> list[Datum]:
    """Count the starts that end at P = 1 as printed, at the predicted limit, and at each limit, for one chain rule."""
    rule, share = CHAIN_RULES[name], -(-count // len(depths))
    got, predicted, total, rows = [], [], 0, []
    for depth in depths:
        starts = starts_of(seed, name, min(share, count - total), depth, spread)
        total += len(starts)
        got.append(limits(rule, rule.ends(starts)))
        predicted.append(basins.predicted_limits(rule, starts))
        if depth == 2:
            shown = zip(starts[:DRAWN], got[-1], strict=False)
            rows += [Datum("limit", name, float(end), float(a[0]), float(a[1])) for a, end in shown]
    ends, expected = np.concatenate(got), np.concatenate(predicted)
    rows += tally(name, ends == 1, total) + tally(f"{name}, corrected", ends == expected, total)
    rows += [Datum(f"ends at {limit:g}", name, int((ends == limit).sum())) for limit in LIMITS]
    return [*rows, Datum("unsettled", name, int(np.isnan(ends).sum()))]


def excluded(name: str, seed: int, count: int, depths: Sequence[int], spread: float) -> list[Datum]:
    """Count the starts with a zero weight that stay at P = 0 exactly, and those in which no weight moves."""
    rule, share = CHAIN_RULES[name], -(-count // len(depths))
    silent, still, vanish, total = 0, 0, 0, 0
    for depth in depths:
        starts = starts_of(seed, f"{name} excluded", min(share, count - total), depth, spread)
        total += len(starts)
        first = generator(seed, f"theory nought {name} {depth}").integers(
            0, depth if rule.n else depth - 1, len(starts)
        )
        starts[np.arange(len(starts)), first] = 0.0
        ends = follow(rule.paced, starts, most=200)  # at P = 0 some weights grow forever
        silent += int((ends.prod(axis=1) == 0).sum())
        still += int((ends == starts).all(axis=1).sum())
        vanish += sum(bool((end[k:] == 0).all()) for end, k in zip(ends, first, strict=True))
    rows = tally(f"{name}, excluded", silent, total) + tally(f"{name}, excluded, all weights stay", still, total)
    return rows + (tally(f"{name}, excluded, a_i0 ... a_L = 0", vanish, total) if name == "Theorem 6.1" else [])


def constants(seed: int, depth: int, spread: float, time: float, *, rule: ChainRule = DEFAULT) -> list[Datum]:
    """Measure the drift of eq. 42's invariants along three solutions over time x, and their orbits, a_1 and a_2."""
    rows: list[Datum] = []
    worst: list[bool] = []
    times = np.linspace(0, time, 61)
    for index, start in enumerate(starts_of(seed, "constants", 3, depth, spread)):
        a = solution(rule, start, times)
        drift = np.abs(invariants(a, rule.own) - invariants(start, rule.own)).max(axis=-1)
        case = f"L = {depth}, start {index + 1}"
        rows += [Datum("drift", case, float(d), float(t)) for d, t in zip(drift, times, strict=True)]
        rows += [
            Datum("orbit", case, float(t), float(u), float(v)) for t, u, v in zip(times, a[:, 0], a[:, 1], strict=True)
        ]
        worst.append(drift.max() < 1e-6)
    return rows + tally(f"eq. 42, L = {depth}", np.array(worst), len(worst))


def solution(rule: ChainRule, start: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Integrate the weights, (time, L), with beta = 1; stop when a weight passes 10^6."""
    solve_ivp = initial_value_solver()

    def far(_: float, a: np.ndarray) -> float:
        return float(np.abs(a).max() - 1e6)

    far.terminal = True  # type: ignore[attr-defined]
    found = solve_ivp(
        lambda _, a: rule.rates(a), (0.0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13, events=far
    )
    weights: np.ndarray = found.y.T
    return weights


def two_layers(seed: int, count: int, spread: float) -> list[Datum]:
    """Test eqs. 46 and 47: the rest points rest, the middle one repels, the others attract and have P = 1."""
    agree = 0
    for k in generator(seed, "theory K").uniform(-2 * spread, 2 * spread, count):
        zero, *others = fixed_points(k)
        rest = all(abs(a * (1 - a * (a + k))) < 1e-9 for a in (zero, *others))
        optimal = all(abs(a * (a + k) - 1) < 1e-9 for a in others)
        agree += rest and optimal and stability(k, zero) > 0 and all(stability(k, a) < 0 for a in others)
    return tally("eq. 47", agree, count)
