"""Tests of the statements on linear circular autoencoders, with random systems and simulated circuits."""

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
from circuitsim.analysis.theory.rows import Datum, tally
from circuitsim.randomness import generator

SMALL = 1e-10  # relative rounding error of a few products
SHAPES = ((4, 3, 4), (4, 3, 2, 4))  # of the circuits whose rates decrease
DEEP = (3, 4, 2, 3, 3)


def drawn(seed: int, name: str, sizes: Sequence[int], rule: str = "rec") -> LinearSystem:
    """Draw a random system: weights and feedback normal, variance 1/2 / inputs; Sigma of full rank and trace n_0."""
    random = generator(seed, f"theory {name}")
    shapes = list(zip(sizes[1:], sizes, strict=False))
    weights = tuple(random.standard_normal(shape) / np.sqrt(2 * shape[1]) for shape in shapes)
    feedback = tuple(random.standard_normal(s[::-1]) / np.sqrt(2 * s[0]) for s in shapes[1:]) if rule == "rbp" else ()
    root = random.standard_normal((sizes[0], sizes[0]))
    sigma = root @ root.T
    return LinearSystem(weights, sigma * sizes[0] / np.trace(sigma), rule, feedback)


def coupling(seed: int, systems: int) -> list[Datum]:
    """Test eq. 21 for h <= L - 2 and h = L - 1, and its correction there; L = 4."""
    found = [drawn(seed + i, "coupling", DEEP) for i in range(systems)]
    top = len(DEEP) - 2
    below = np.array([max(coupling_gap(one, h) for h in range(1, top)) for one in found])
    return [
        *tally("eq. 21, h <= L - 2", below < SMALL, systems),
        *tally("eq. 21, h = L - 1", np.array([coupling_gap(one, top) for one in found]) < SMALL, systems),
        *tally("eq. 21, h = L - 1, corrected", np.array([top_coupling_gap(one) for one in found]) < SMALL, systems),
    ]


def small_rates(seed: int, rates: Sequence[float], time: float) -> list[Datum]:
    """Measure the gap between circuits and their system as the rate falls: `gap` at x = rate, and its `slope`."""
    rows: list[Datum] = []
    for sizes in SHAPES:
        for rule in RULES:
            system = drawn(seed, f"rates {list(sizes)}", sizes, rule)
            gaps = gaps_of(system, rates, time)
            case = f"{rule}, L = {len(sizes) - 1}"
            rows += [Datum("gap", case, gap, rate) for rate, gap in zip(rates, gaps, strict=True)]
            rows.append(Datum("slope", case, slope(rates, gaps)))
    slopes = np.array([row.value for row in rows if row.metric == "slope"])
    return rows + tally("eqs. 20, 35, 38, 39", np.abs(slopes - 1) < 0.1, len(slopes))


def gaps_of(system: LinearSystem, rates: Sequence[float], time: float) -> list[float]:
    """Largest difference of a weight between circuit and system at a time, for each rate."""
    exact = system.weights_at(np.array([0.0, time]))[-1]
    found = []
    for rate in rates:
        circuit = Experiment(system.weights, system.sigma, rate, system.rule, system.feedback)
        got = circuit.run(round(time / rate))
        found.append(max(float(np.abs(a - b).max()) for a, b in zip(got, exact, strict=True)))
    return found


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of log y over log x, by least squares over the three smallest x."""
    order = np.argsort(x)[:3]
    return float(np.polyfit(np.log(np.asarray(x)[order]), np.log(np.asarray(y)[order]), 1)[0])


def recirculations(seed: int, systems: int) -> list[Datum]:
    """Test that recirculation of outputs and of errors learn the same, as do CCR and RCC at a rate times 1 - lambda."""
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


def symmetric(seed: int, systems: int, time: float) -> list[Datum]:
    """Test if A*[4, 2, 4] stays symmetric, for any Sigma and for Id, and if rec equals bp from a symmetric start."""
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


def resting(seed: int, systems: int, time: float) -> list[Datum]:
    """Find where rec and bp of A*[4, 2, 4] rest for any Sigma, and test that the gradient of the error is zero there.

    `excess` is the error tr (Id - P) Sigma (Id - P)^t over its least value, the sum of Sigma's smallest eigenvalues.
    """
    rows, rests, critical = [], [], []
    for i in range(systems):
        system = drawn(seed + i, "resting", (4, 2, 4))
        least = float(np.linalg.eigvalsh(system.sigma)[:2].sum())
        for rule in ("rec", "bp"):
            one = replace(system, rule=rule)
            end = _at(one, time)
            rows.append(Datum("excess", rule, error(end, system.sigma) / least, i))
            if rule == "rec":
                rests.append(_largest(one.rates(end)) < 1e-6)
                critical.append(_largest(replace(one, rule="bp").rates(end)) < 1e-6)
    cases = (("rests", rests), ("rests at a critical point", critical))
    return rows + [row for case, held in cases for row in tally(f"Abstract, rec {case}", np.array(held), systems)]


def smallest_rest(rate: float = 0.01, presentations: int = 100) -> list[Datum]:
    """Measure the rest point of rec Sigma = diag(1, 2), b = (1, 1), a = (1/3, 2/3)^t: error 4/3; the least is 1."""
    sigma, weights = np.diag([1.0, 2.0]), (np.array([[1.0, 1.0]]), np.array([[1.0], [2.0]]) / 3)
    case = "A*[2, 1, 2] at rest"
    after = Experiment(weights, sigma, rate).run(presentations)
    return [
        Datum("rate of rec", case, _largest(LinearSystem(weights, sigma).rates(weights))),
        Datum("change in circuit", case, max(float(np.abs(a - b).max()) for a, b in zip(after, weights, strict=True))),
        Datum("gradient", case, _largest(LinearSystem(weights, sigma, "bp").rates(weights))),
        Datum("error", case, error(weights, sigma)),
    ]


def error(weights: Sequence[np.ndarray], sigma: np.ndarray) -> float:
    """tr (Id - P) Sigma (Id - P)^t, the mean squared error of an example."""
    rest = np.eye(len(sigma)) - products(weights)[-1]
    return float(np.trace(rest @ sigma @ rest.T))


def _largest(matrices: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(one).max()) for one in matrices)


def _at(system: LinearSystem, time: float) -> tuple[np.ndarray, ...]:
    return system.weights_at(np.array([0.0, time]))[-1]


def smallest_asymmetry(time: float, rate: float = 1e-3) -> list[Datum]:
    """Measure the largest |a_i - b_i| over time x of A*[2, 1, 2] from A = B^t = (1/2, 1/2)^t, by system and circuit."""
    b, rows = np.array([[0.5, 0.5]]), []
    for case, sigma in (("E(I I^t) = diag(1, 2)", np.diag([1.0, 2.0])), ("E(I I^t) = Id", np.eye(2))):
        times = np.linspace(0, time, 41)
        for t, w in zip(times, LinearSystem((b, b.T), sigma).weights_at(times), strict=True):
            rows.append(Datum("asymmetry", case, float(np.abs(w[1] - w[0].T).max()), float(t)))
        for t in times[::10]:
            w = Experiment((b, b.T), sigma, rate).run(round(t / rate))
            rows.append(Datum("asymmetry of circuit", case, float(np.abs(w[1] - w[0].T).max()), float(t)))
    return [
        *rows,
        Datum("asymmetry rate", "E(I I^t) = diag(1, 2)", float(asymmetry_rate(b, np.diag([1.0, 2.0])).max())),
    ]
