"""The theory of recirculation: against circuits, by hand, and against equations that are slightly wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from circuitsim.analysis.theory import basins, checks_linear, hidden
from circuitsim.analysis.theory.chain import ChainRule, fixed_points, invariants, stability
from circuitsim.analysis.theory.checks_chain import CHAIN_RULES, limits, solution, starts_of, theorem
from circuitsim.analysis.theory.checks_circuits import EXAMPLES, Counterexample, in_circuit
from circuitsim.analysis.theory.checks_hidden import crossing, derivatives
from circuitsim.analysis.theory.circuits import Experiment, chain, examples
from circuitsim.analysis.theory.linear import (
    RULES,
    LinearSystem,
    asymmetry_rate,
    coupling_gap,
    products,
    top_coupling_gap,
)

RATE = 1e-6
PAIRS = [ChainRule(), ChainRule(m=2), ChainRule(m=3), ChainRule(1, 2, True), ChainRule(1, 3), ChainRule(2, 3, True)]


def _moved(experiment: Experiment) -> list[np.ndarray]:
    after = experiment.run(1)
    return [(a - b) / experiment.rate for a, b in zip(after, experiment.weights, strict=True)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sizes", [(4, 3, 4), (3, 4, 2, 3)])
def test_one_presentation_is_the_right_hand_side(rule: str, sizes: tuple[int, ...]) -> None:
    system = checks_linear.drawn(1, "test", sizes, rule)
    moved = _moved(Experiment(system.weights, system.sigma, RATE, rule, system.feedback))
    for got, expected in zip(moved, system.rates(system.weights), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8)


def test_the_right_hand_side_of_another_rule_is_told_apart() -> None:
    system = checks_linear.drawn(1, "test", (4, 3, 4), "rec")
    moved = _moved(Experiment(system.weights, system.sigma, RATE))
    other = replace(system, rule="bp").rates(system.weights)
    np.testing.assert_allclose(moved[1], other[1], atol=1e-8)
    assert np.abs(moved[0] - other[0]).max() > 0.01


@pytest.mark.parametrize("rule", PAIRS)
def test_a_chain_in_the_circuit_follows_its_rule_and_no_other(rule: ChainRule) -> None:
    a = np.array([1.1, 0.7, -0.8])
    moved = np.array([m[0, 0] for m in _moved(chain(a, RATE, beta=1.7, n=rule.n, m=rule.m, own=rule.own))])
    np.testing.assert_allclose(moved, rule.rates(a, 1.7), atol=1e-8)
    for wrong in (replace(rule, m=rule.m + 1), replace(rule, own=not rule.own)):
        assert np.abs(moved - wrong.rates(a, 1.7)).max() > 0.01


def test_examples_have_the_second_moment() -> None:
    sigma = checks_linear.drawn(0, "test", (5, 2, 5)).sigma
    x = examples(sigma)
    np.testing.assert_allclose(x.T @ x / len(x), sigma, atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_the_gap_to_the_equations_falls_as_the_rate(rule: str) -> None:
    system = checks_linear.drawn(0, "test gap", (3, 2, 3), rule)
    rates = (0.02, 0.01, 0.005)
    assert abs(checks_linear.slope(rates, checks_linear.gaps_of(system, rates, 0.5)) - 1) < 0.05


def test_a_wrong_equation_shows_as_a_gap_that_stays() -> None:
    system = checks_linear.drawn(0, "test gap", (3, 2, 3))
    rates, wrong = (0.02, 0.01, 0.005), replace(system, sigma=1.01 * system.sigma)
    end = wrong.weights_at(np.array([0.0, 0.5]))[-1]
    circuits = [Experiment(system.weights, system.sigma, rate).run(round(0.5 / rate)) for rate in (*rates, 1e-3)]
    gaps = [max(np.abs(a - b).max() for a, b in zip(got, end, strict=True)) for got in circuits]
    assert gaps[-1] > 1e-4
    assert abs(checks_linear.slope(rates, gaps[:3]) - 1) > 0.05


def test_eq_21_fails_at_the_top_alone() -> None:
    system = checks_linear.drawn(3, "test", (3, 4, 2, 3, 3))
    assert [coupling_gap(system, h) < 1e-12 for h in (1, 2, 3)] == [True, True, False]
    assert top_coupling_gap(system) < 1e-12
    smallest = LinearSystem((np.array([[1.0]]), np.array([[0.5]])), np.eye(1))
    rates = [float(r[0, 0]) for r in smallest.rates(smallest.weights)]
    assert (rates[1], 0.5 * rates[0] * 1.0) == (0.5, 0.25)


def test_symmetry_is_lost_at_the_rate_that_is_said() -> None:
    b, sigma = np.array([[0.5, 0.5]]), np.diag([1.0, 2.0])
    rates = LinearSystem((b, b.T), sigma).rates((b, b.T))
    np.testing.assert_allclose(rates[1] - rates[0].T, asymmetry_rate(b, sigma), atol=1e-15)
    np.testing.assert_allclose(asymmetry_rate(b, sigma), [[-0.125], [0.125]], atol=1e-15)
    after = Experiment((b, b.T), sigma, 0.01).run(1)
    np.testing.assert_allclose(after[1] - after[0].T, [[-0.00125], [0.00125]], atol=1e-15)
    assert not asymmetry_rate(np.array([[0.5, 0.0]]), sigma).any()  # rows that Sigma keeps among themselves


def test_recirculation_rests_where_the_error_has_a_gradient() -> None:
    found = {row.metric: row.value for row in checks_linear.smallest_rest(presentations=5)}
    assert found["rate of rec"] < 1e-15
    assert found["change in circuit"] < 1e-15
    assert found["gradient"] == pytest.approx(2 / 9)
    assert found["error"] == pytest.approx(4 / 3)
    rows = {(r.metric, r.case): r.value for r in checks_linear.resting(0, 2, 50.0)}
    assert rows["agree", "Abstract, rec rests"] == 2
    assert rows["agree", "Abstract, rec rests at a critical point"] == 0


@pytest.mark.parametrize("rule", [ChainRule(), ChainRule(m=3), ChainRule(1, 2, own=True)])
def test_the_invariants_do_not_drift(rule: ChainRule) -> None:
    start = np.array([0.9, 1.2, -0.6, -1.1])
    a = solution(rule, start, np.linspace(0, 5, 21))
    kept = invariants(a, rule.own)
    assert kept.shape[1] == (3 if rule.own else 2)
    assert np.abs(kept - kept[0]).max() < 1e-9
    assert np.abs(np.log(np.abs(a[:, 1])) - a[:, 0] ** 2).std() > 1e-3  # without the half


def test_the_top_has_no_such_invariant() -> None:
    a = solution(ChainRule(), np.array([0.9, 1.2, 0.3]), np.linspace(0, 5, 21))
    assert invariants(a, own=True)[:, 1].std() > 1e-3


@pytest.mark.parametrize("k", [-3.0, 0.0, 1.7])
def test_fixed_points_of_two_layers(k: float) -> None:
    nought, upper, lower = fixed_points(k)
    rule = ChainRule()
    for a in (nought, upper, lower):
        assert np.abs(rule.rates(np.array([a, a + k]))).max() < 1e-12
        difference = (rule.rates(np.array([a + 1e-6, a + k + 1e-6])) - rule.rates(np.array([a - 1e-6, a + k - 1e-6])))[
            0
        ]
        assert difference / 2e-6 == pytest.approx(stability(k, a), abs=1e-6)
    assert stability(k, nought) > 0 > max(stability(k, upper), stability(k, lower))


@pytest.mark.parametrize("rule", [*CHAIN_RULES.values(), ChainRule(2, 3, True)])
def test_the_pace_changes_no_direction(rule: ChainRule) -> None:
    a = starts_of(5, "pace", 200, 3, 2.0)
    rates, paced = rule.rates(a), rule.paced(a)
    factor = (rates * paced).sum(axis=1) / (rates * rates).sum(axis=1)
    assert (factor > 0).all()
    np.testing.assert_allclose(paced, factor[:, None] * rates, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["Theorem 6.1", "Theorem 6.2, n = 2", "Theorem 6.3, eq. 51, n = 1, m = 3"])
def test_starts_end_where_scipy_has_them(name: str) -> None:
    rule = CHAIN_RULES[name]
    starts = starts_of(6, "scipy", 6, 3, 1.5)
    for start, end in zip(starts, rule.ends(starts), strict=True):
        found = solve_ivp(lambda _, a: rule.rates(a), (0, 3000), start, "LSODA", rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(end, found.y[:, -1], atol=1e-4)


@pytest.mark.parametrize("name", CHAIN_RULES)
def test_every_start_ends_at_its_predicted_limit(name: str) -> None:
    rows = {(row.metric, row.case): row.value for row in theorem(name, 1, 90, (2, 3), 2.0) if row.metric != "limit"}
    assert rows["agree", f"{name}, corrected"] == rows["starts", name] == 90
    holds = name in ("Theorem 6.1", "Theorem 6.2, n = 3")
    assert (rows["agree", name] == 90) == holds


def test_golden_ends_of_two_cycles() -> None:
    ends = ChainRule(m=2).ends(np.array([[1.0, -2.0], [0.3, -2.7], [1.0, -1.0], [0.3, 2.0], [2.0, -0.4]]))
    golden = (3 - np.sqrt(5)) / 2
    np.testing.assert_allclose(ends[:2], [[golden, golden - 3]] * 2, atol=1e-8)
    assert (ends[2] == (1, -1)).all()
    np.testing.assert_allclose(limits(ChainRule(m=2), ends), [-1, -1, -1, 1, 1])


def test_the_edge_of_two_layers() -> None:
    rule, a = ChainRule(m=2), np.array([0.05, 0.4, 0.9, 1.1, 1.9])
    for side, end in ((1.001, -1.0), (0.999, 1.0)):
        starts = np.column_stack([a, -side * basins.edge_of_two(a)])
        assert (basins.predicted_limits(rule, starts) == end).all()
        assert (limits(rule, rule.ends(starts)) == end).all()


def test_the_least_product_of_three_layers() -> None:
    start = np.array([0.3, 0.8, -1.5])
    rule = ChainRule()
    found = solve_ivp(lambda _, a: rule.directions(a), (0, 3), start, "DOP853", rtol=1e-11, dense_output=True)
    exact = found.sol(np.linspace(0, 3, 20001)).prod(axis=0).min()
    assert basins.least_product(start[None])[0] == pytest.approx(exact, abs=1e-4)


def test_a_start_below_nought_runs_away_in_finite_time() -> None:
    """|P| grows faster than |P|^{n+m+1}: gone by 1 / ((n + m) |P(0)|^{n+m})."""
    rule, start = ChainRule(1, 2, own=True), np.array([1.0, -1.0])
    times = np.linspace(0, 1 / 3, 200)
    assert len(solution(rule, start, times)) < len(times)


@pytest.mark.parametrize("one", [EXAMPLES[i] for i in (0, 1, 3, 5, 6)], ids=lambda one: one.label)
def test_counterexamples_in_the_circuit(one: Counterexample) -> None:
    quick = replace(one, time=min(one.time, 10.0), rate=0.05)
    assert in_circuit(quick) == pytest.approx(one.limit, abs=1e-6)


def test_hidden_layers_end_where_the_closed_form_says() -> None:
    starts = np.random.default_rng(0).uniform(-2, 2, (50, 6))
    ends = hidden.ends(starts)
    np.testing.assert_allclose(ends, hidden.predicted_ends(starts), atol=1e-8)
    found = solve_ivp(lambda _, ab: hidden.rates(ab), (0, 60), starts[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ends[0], found.y[:, -1], atol=1e-6)


def test_hidden_layers_in_the_circuit() -> None:
    ab = np.array([0.5, -1.0, 0.3, 0.8, 0.2, -0.4])
    a, b = hidden.halves(ab)
    moved = _moved(Experiment((b[:, None], a[None]), np.array([[1.5]]), RATE))
    np.testing.assert_allclose(np.concatenate([moved[1][0], moved[0][:, 0]]), hidden.rates(ab, 1.5), atol=1e-8)


def test_eq_56_is_not_the_derivative_of_ab() -> None:
    assert hidden.product_rate(np.array(0.5), np.array(0.25), np.array(1.0)) == 0.75  # d(P^2)/dt for N = 1
    assert hidden.printed_product_rate(np.array(0.5), np.array(1.0)) == 1.0
    rows = {(row.metric, row.case): row.value for row in (*derivatives(0, 80, 2.0), *crossing(0, 40, 2.0))}
    assert rows["agree", "eqs. 53, 54, 55"] == rows["agree", "eq. 56, corrected"] == 80
    assert rows["agree", "eq. 56"] == 0
    case = "Theorem 6.4, proof: A = 0 where P = 0, N = "
    assert rows["agree", f"{case}1"] == rows["starts", f"{case}1"] > 0
    assert rows["agree", f"{case}2"] == 0


def test_products_start_with_the_unit_matrix() -> None:
    found = products((np.array([[2.0, 1.0]]), np.array([[1.0], [3.0]])))
    np.testing.assert_array_equal(found[0], np.eye(2))
    np.testing.assert_array_equal(found[2], [[2, 1], [6, 3]])
