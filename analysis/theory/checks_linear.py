"""Statements on linear circular autoencoders of any depth, held against random systems and against circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitsim.analysis.theory.circuits import Experiment
from circuitsim.analysis.theory.linear import (
    RULES,
    LinearSystem,
    asymmetry_rate,
    coupling_gap,
    products,
    top_coupling_gap,
)
from circuitsim.analysis.theory.rows import Row, tally
from circuitsim.randomness import generator

SMALL = 1e-10  # relative: rounding of a few products
SHAPES = ((4, 3, 4), (4, 3, 2, 4))  # of the circuits whose rates decrease
DEEP = (3, 4, 2, 3, 3)


def drawn(seed: int, name: str, sizes: Sequence[int], rule: str = "rec") -> LinearSystem:
    """A random system: weights and feedback normal, variance 1/2 / inputs; Sigma of trace n_0, full."""
    random = generator(seed, f"theory {name}")
    shapes = list(zip(sizes[1:], sizes, strict=False))
    weights = tuple(random.standard_normal(shape) / np.sqrt(2 * shape[1]) for shape in shapes)
    feedback = tuple(random.standard_normal(s[::-1]) / np.sqrt(2 * s[0]) for s in shapes[1:]) if rule == "rbp" else ()
    root = random.standard_normal((sizes[0], sizes[0]))
    sigma = root @ root.T
    return LinearSystem(weights, sigma * sizes[0] / np.trace(sigma), rule, feedback)


def coupling(seed: int, systems: int) -> list[Row]:
    """Eq. 21 for h <= L - 2 and for h = L - 1, and what holds there instead; L = 4."""
    found = [drawn(seed + i, "coupling", DEEP) for i in range(systems)]
    top = len(DEEP) - 2
    below = np.array([max(coupling_gap(one, h) for h in range(1, top)) for one in found])
    return [
        *tally("eq. 21, h <= L - 2", below < SMALL, systems),
        *tally("eq. 21, h = L - 1", np.array([coupling_gap(one, top) for one in found]) < SMALL, systems),
        *tally("eq. 21, h = L - 1, corrected", np.array([top_coupling_gap(one) for one in found]) < SMALL, systems),
    ]


def small_rates(seed: int, rates: Sequence[float], time: float) -> list[Row]:
    """How far circuits are from their system at a time, as their rates fall: `gap` at x = rate, and its `slope`."""
    rows: list[Row] = []
    for sizes in SHAPES:
        for rule in RULES:
            system = drawn(seed, f"rates {list(sizes)}", sizes, rule)
            gaps = gaps_of(system, rates, time)
            case = f"{rule}, L = {len(sizes) - 1}"
            rows += [Row("gap", case, gap, rate) for rate, gap in zip(rates, gaps, strict=True)]
            rows.append(Row("slope", case, slope(rates, gaps)))
    slopes = np.array([row.value for row in rows if row.metric == "slope"])
    return rows + tally("eqs. 20, 35, 38, 39", np.abs(slopes - 1) < 0.1, len(slopes))


def gaps_of(system: LinearSystem, rates: Sequence[float], time: float) -> list[float]:
    """The largest difference of a weight between the circuit and the system at a time, for each rate."""
    exact = system.course(np.array([0.0, time]))[-1]
    found = []
    for rate in rates:
        circuit = Experiment(system.weights, system.sigma, rate, system.rule, system.feedback)
        got = circuit.run(round(time / rate))
        found.append(max(float(np.abs(a - b).max()) for a, b in zip(got, exact, strict=True)))
    return found


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of log y over log x, by least squares over the three smallest x."""
    order = np.argsort(x)[:3]
    return float(np.polyfit(np.log(np.asarray(x)[order]), np.log(np.asarray(y)[order]), 1)[0])


def recirculations(seed: int, systems: int) -> list[Row]:
    """Whether circuits that recirculate outputs and errors learn the same; and CCR and RCC the same, at 1 - lambda."""
    same, scaled = 0, 0
    for i in range(systems):
        system = drawn(seed + i, "recirculations", DEEP)
        plain = Experiment(system.weights, system.sigma, 0.01)
        outputs = plain.run(20)
        same += _alike(outputs, replace(plain, rule="error-rec").run(20))
        scaled += all(
            _alike(outputs, replace(plain, rate=0.01 / 0.7, variant=variant, lam=0.3).run(20))
            for variant in ("ccr", "rcc")
        )
    return tally("section 6.3, errors and outputs", same, systems) + tally("section 6.3.3", scaled, systems)


def _alike(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True)) < SMALL


def symmetric(seed: int, systems: int, time: float) -> list[Row]:
    """How far A is from B^t after a symmetric start, Sigma any or Id; whether rec is bp there; at A*[4, 2, 4]."""
    found = []
    for i in range(systems):
        system = drawn(seed + i, "symmetry", (4, 2, 4))
        b = system.weights[0]
        start = replace(system, weights=(b, b.T))
        lost = [np.abs(w[1] - w[0].T).max() for w in (_at(s, time) for s in (start, replace(start, sigma=np.eye(4))))]
        other = replace(start, rule="bp")
        instant = _alike(start.rates(start.weights), other.rates(start.weights))
        later = _alike(_at(start, time), _at(other, time))
        found.append((lost[0] < 1e-6, lost[1] < 1e-6, instant, later))
    held = np.array(found)
    cases = ("any Sigma", "Sigma = Id", "rec is bp, at A = B^t", "rec is bp, afterwards")
    return [row for k, case in enumerate(cases) for row in tally(f"section 6.2, {case}", held[:, k], systems)]


def resting(seed: int, systems: int, time: float) -> list[Row]:
    """Where rec of A*[4, 2, 4] rests and whether the error's gradient is nought there, Sigma any; and the same of bp.

    `excess` is the error tr (Id - P) Sigma (Id - P)^t over its least value, the sum of Sigma's smallest eigenvalues.
    """
    rows, rests, critical = [], [], []
    for i in range(systems):
        system = drawn(seed + i, "resting", (4, 2, 4))
        least = float(np.linalg.eigvalsh(system.sigma)[:2].sum())
        for rule in ("rec", "bp"):
            one = replace(system, rule=rule)
            end = _at(one, time)
            rows.append(Row("excess", rule, error(end, system.sigma) / least, i))
            if rule == "rec":
                rests.append(_largest(one.rates(end)) < 1e-6)
                critical.append(_largest(replace(one, rule="bp").rates(end)) < 1e-6)
    cases = (("rests", rests), ("rests at a critical point", critical))
    return rows + [row for case, held in cases for row in tally(f"Abstract, rec {case}", np.array(held), systems)]


def smallest_rest(rate: float = 0.01, presentations: int = 100) -> list[Row]:
    """A*[2, 1, 2], Sigma = diag(1, 2), b = (1, 1), a = (1/3, 2/3)^t: at rest for rec; error 4/3, where 1 is least."""
    sigma, weights = np.diag([1.0, 2.0]), (np.array([[1.0, 1.0]]), np.array([[1.0], [2.0]]) / 3)
    case = "A*[2, 1, 2] at rest"
    after = Experiment(weights, sigma, rate).run(presentations)
    return [
        Row("rate of rec", case, _largest(LinearSystem(weights, sigma).rates(weights))),
        Row("change in circuit", case, max(float(np.abs(a - b).max()) for a, b in zip(after, weights, strict=True))),
        Row("gradient", case, _largest(LinearSystem(weights, sigma, "bp").rates(weights))),
        Row("error", case, error(weights, sigma)),
    ]


def error(weights: Sequence[np.ndarray], sigma: np.ndarray) -> float:
    """tr (Id - P) Sigma (Id - P)^t, the mean squared error of an example."""
    rest = np.eye(len(sigma)) - products(weights)[-1]
    return float(np.trace(rest @ sigma @ rest.T))


def _largest(matrices: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(one).max()) for one in matrices)


def _at(system: LinearSystem, time: float) -> tuple[np.ndarray, ...]:
    return system.course(np.array([0.0, time]))[-1]


def smallest_asymmetry(time: float, rate: float = 1e-3) -> list[Row]:
    """A*[2, 1, 2] from A = B^t = (1/2, 1/2)^t: the largest |a_i - b_i| over time x, by system and by circuit."""
    b, rows = np.array([[0.5, 0.5]]), []
    for case, sigma in (("E(I I^t) = diag(1, 2)", np.diag([1.0, 2.0])), ("E(I I^t) = Id", np.eye(2))):
        times = np.linspace(0, time, 41)
        for t, w in zip(times, LinearSystem((b, b.T), sigma).course(times), strict=True):
            rows.append(Row("asymmetry", case, float(np.abs(w[1] - w[0].T).max()), float(t)))
        for t in times[::10]:
            w = Experiment((b, b.T), sigma, rate).run(round(t / rate))
            rows.append(Row("asymmetry of circuit", case, float(np.abs(w[1] - w[0].T).max()), float(t)))
    return [*rows, Row("asymmetry rate", "E(I I^t) = diag(1, 2)", float(asymmetry_rate(b, np.diag([1.0, 2.0])).max()))]
