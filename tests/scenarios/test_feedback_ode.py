"""Linear networks with feedback of their own in continuous time: against the circuit, by hand, what is conserved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics
from scipy.integrate import solve_ivp

from circuitsim.analysis.feedback_systems import FeedbackSystem, correlations, flat, integrate
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.scenarios.feedback_ode.scenario import FeedbackSettings, compute, system

SIZES, EXAMPLES = (7, 6, 5, 4), 9
LAYERS = range(1, len(SIZES))


def _random(seed: int = 0, step: float = 0.7) -> FeedbackSystem:
    draw = np.random.default_rng(seed)
    forward = tuple(draw.normal(0, 0.5, (SIZES[h], SIZES[h - 1])) for h in LAYERS)
    feedback = tuple(draw.normal(0, 0.5, (SIZES[h - 1], SIZES[h])) for h in LAYERS)
    targets = np.eye(SIZES[-1])[:, draw.integers(0, SIZES[-1], EXAMPLES)]
    return FeedbackSystem(forward, feedback, step, draw.normal(0, 1, (SIZES[0], EXAMPLES)), targets)


def _circuit(one: FeedbackSystem, kind: str, step: float, rate: float) -> Simulator:
    """The simulated circuit in the state of a system; its batch is all of the examples."""
    circuit, protocol = layered_classifier(SIZES, kind, hidden="identity", output="identity", bias=False)
    rates: dict[tuple[str, str], float] = {(f"W{h}", "lr"): rate for h in LAYERS}
    rates |= {(f"B{h}", "lr"): step * rate for h in LAYERS if f"B{h}" in circuit.rules}
    simulator = Simulator(circuit, protocol, batch=EXAMPLES, dtype="float64", parameters=rates)
    for h in LAYERS:
        simulator.load(f"W{h}.weight", one.weights[h - 1])
        if h > 1 and f"B{h}.weight" in simulator.tensors():
            simulator.load(f"B{h}.weight", one.feedback[h - 1])
    simulator.use(one.inputs.T, one.targets.argmax(axis=0))
    return simulator


@pytest.mark.parametrize(("kind", "step"), [("urfb", 1.0), ("urfb", 0.25), ("fa", 0.0), ("bp", 1.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_circuit_s_mean_update_is_the_right_hand_side(kind: str, step: float, seed: int) -> None:
    """(W' - W) / rate = (dW/dt) / examples, and B moves epsilon times as far as W transposed."""
    rate, one = 1e-3, _random(seed, step)
    if kind == "bp":
        one = replace(one, feedback=tuple(w.T for w in one.weights))
    simulator = _circuit(one, kind, step, rate)
    simulator.present(np.arange(EXAMPLES))
    tensors = simulator.tensors()
    for h, expected in zip(LAYERS, one.rates(one.weights), strict=True):
        moved = (tensors[f"W{h}.weight"][0] - one.weights[h - 1]) / rate
        np.testing.assert_allclose(moved, expected / EXAMPLES, rtol=0, atol=1e-10)
        if h > 1 and kind == "urfb":
            back = (tensors[f"B{h}.weight"][0] - one.feedback[h - 1]) / rate
            np.testing.assert_allclose(back, step * expected.T / EXAMPLES, rtol=0, atol=1e-10)


def test_small_steps_of_the_circuit_follow_the_course() -> None:
    """Euler's method with the simulated circuit comes to the integrated weights as its step goes to nought."""
    one, time = _random(3, 1.0), 0.02
    exact = integrate(one, np.array([0.0, time])).weights[-1]
    distance = []
    for steps in (40, 80):
        simulator = _circuit(one, "urfb", 1.0, EXAMPLES * time / steps)
        for _ in range(steps):
            simulator.present(np.arange(EXAMPLES))
        distance.append(max(np.abs(simulator.tensors()[f"W{h}.weight"][0] - exact[h - 1]).max() for h in LAYERS))
    assert distance[0] < 0.02
    assert 1.9 < distance[0] / distance[1] < 2.1


def test_one_unit_a_layer_by_hand() -> None:
    """w1 = 2, w2 = 3, r2 = 5, x = 7, y = 50: e = 8, dw1 = 5 * 8 * 7, dw2 = 8 * 14; half of it, later, is in r2."""
    one = FeedbackSystem(
        tuple(np.array([[w]]) for w in (2.0, 3.0)),
        tuple(np.array([[r]]) for r in (4.0, 5.0)),
        0.5,
        np.array([[7.0]]),
        np.array([[50.0]]),
    )
    assert one.error(one.weights) == 64.0
    assert [float(rate[0, 0]) for rate in one.rates(one.weights)] == [280.0, 112.0]
    later = (np.array([[2.5]]), np.array([[4.0]]))
    assert [float(r[0, 0]) for r in one.feedback_at(later)] == [4.25, 5.5]


def shaped(vector: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    ends = np.cumsum([w.size for w in like])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(vector, ends), like, strict=True)]


def test_integrating_the_feedback_too_gives_the_same() -> None:
    """Eq. 7 as printed, forward and feedback weights side by side, without the conserved quantity."""
    one, times = _random(1, 0.6), np.linspace(0, 0.2, 5)
    size = flat(one.weights).size

    def both(_: float, vector: np.ndarray) -> np.ndarray:
        weights, now = shaped(vector[:size], one.weights), shaped(vector[size:], one.feedback)
        activities = [one.inputs]
        for w in weights:
            activities.append(w @ activities[-1])
        delta, rates = one.targets - activities[-1], []
        for h in reversed(range(len(weights))):
            rates.insert(0, delta @ activities[h].T)
            delta = now[h] @ delta
        return np.concatenate([flat(rates), *(one.step * rate.T.ravel() for rate in rates)])

    first = np.concatenate([flat(one.weights), *(r.ravel() for r in one.feedback)])
    found = solve_ivp(both, (0, times[-1]), first, "DOP853", times, rtol=1e-11, atol=1e-13).y
    course = integrate(one, times)
    for column, weights in zip(found.T, course.weights, strict=True):
        np.testing.assert_allclose(column[:size], flat(weights), atol=1e-8)
        feedback = np.concatenate([r.ravel() for r in one.feedback_at(weights)])
        np.testing.assert_allclose(column[size:], feedback, atol=1e-8)


def test_updated_feedback_that_begins_as_the_transpose_stays_backpropagation() -> None:
    one = replace(_random(2, 1.0), feedback=tuple(w.T for w in _random(2).weights))
    for weights in integrate(one, np.linspace(0, 0.2, 4)).weights:
        for w, r in zip(weights, one.feedback_at(weights), strict=True):
            np.testing.assert_allclose(r, w.T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(correlations(one, weights), 1.0, atol=1e-12)


def test_backpropagation_conserves_the_difference_of_adjacent_layers() -> None:
    """W_{l+1}^T W_{l+1} - W_l W_l^T does not change, and the error falls at twice the squared gradient."""
    one = replace(_random(2, 1.0), feedback=tuple(w.T for w in _random(2).weights))
    course = integrate(one, np.linspace(0, 0.2, 4))
    for h in range(len(SIZES) - 2):
        first, *later = [ws[h + 1].T @ ws[h + 1] - ws[h] @ ws[h].T for ws in course.weights]
        for one_later in later:
            np.testing.assert_allclose(one_later, first, atol=1e-8)
    errors = integrate(one, np.array([0.0, 1e-6])).weights
    slope = (one.error(errors[1]) - one.error(errors[0])) / 1e-6
    np.testing.assert_allclose(slope, -2 * (flat(one.rates(one.weights)) ** 2).sum(), rtol=1e-3)


def test_levels_are_crossed_when_they_say() -> None:
    one = system(FeedbackSettings(sizes=[6, 8, 4], feedback=0.5, scale_target=0.5, scale_feedback=0.5))
    start = one.error(one.weights)
    course = integrate(one, np.array([0.0, 1.0]), [start / 2, start / 4, start * 2])
    assert 0 < course.reached[0] < course.reached[1] < 1
    assert np.isnan(course.reached[2])
    at = integrate(one, np.array([0.0, course.reached[1]])).weights[-1]
    np.testing.assert_allclose(one.error(at), start / 4, rtol=1e-8)


def test_nothing_correlates_with_weights_of_nought() -> None:
    one = system(FeedbackSettings(sizes=[4, 3, 2], feedback=0.0))
    assert np.isnan(correlations(one, one.weights)).all()


@pytest.mark.parametrize(("epsilon", "w2"), [(0.0, 0.5 ** (1 / 3)), (1.0, 0.7166727492)])
def test_where_a_chain_of_single_units_ends(epsilon: float, w2: float) -> None:
    """From nought with r2 = x = y = 1: w1^2 = 2 w2 + epsilon w2^2 throughout, and w1 w2 = 1 at the end.

    epsilon = 0: 2 w2^3 = 1. epsilon = 1: w2^4 + 2 w2^3 = 1, whose positive root is 0.71667.
    """
    nought, unit = np.zeros((1, 1)), np.ones((1, 1))
    one = FeedbackSystem((nought, nought), (unit, unit), epsilon, unit, unit)
    for first, second in integrate(one, np.linspace(0, 40, 9)).weights:
        np.testing.assert_allclose(first**2, 2 * second + epsilon * second**2, atol=1e-8)
    np.testing.assert_allclose([first * second, second], [unit, w2 * unit], atol=1e-8)


TINY = {"sizes": [3, 4, 2], "scale_target": 1.0, "scale_feedback": 1.0, "scale_forward": 1.0, "duration": 2.0}
GOLDEN = {  # error at times 0, 1, 2; time to 1e-2; final correlations of W1, W2: computed by this code, 2026-11-21
    "bp": (25.976343102560744, 0.011209025566707397, 3.1417864671063893e-06, 1.0141533004766097, 1.0, 1.0),
    0.0: (17.585249475425275, 0.014466301638476007, 1.50170105e-07, 1.0321938718869117, -0.488910932, 0.944789248),
    1.0: (17.585249475425275, 0.00109998868201399, 3.27824965e-10, 0.852965907802267, 0.437332215, 0.986643469),
}


@pytest.mark.parametrize("feedback", GOLDEN)
def test_golden_numbers_of_a_tiny_system(feedback: float | str) -> None:
    frame = compute(FeedbackSettings(feedback=feedback, samples=3, seed=1, **TINY))
    errors = frame[frame["metric"] == "error"]["value"]
    last = frame[frame["epoch"] == 2].set_index("metric")["value"]
    found = [*errors, last["time_to/1e-02"], last["correlation/W1"], last["correlation/W2"]]
    np.testing.assert_allclose(found, GOLDEN[feedback], rtol=1e-6)


def test_more_learning_feedback_is_faster() -> None:
    """On five seeds of a small system, at every level that all reach; and aligns more, at every layer."""
    common = {"sizes": [8, 16, 16, 4], "scale_target": 0.35, "scale_feedback": 0.35, "duration": 7.0, "samples": 5}
    for seed in range(5):
        ends = []
        for epsilon in (0.0, 0.5, 1.0):
            frame = compute(FeedbackSettings(feedback=epsilon, seed=seed, **common))
            last = frame[frame["epoch"] == 4].set_index("metric")["value"]
            ends.append([-last["time_to/1e-02"], *(last[f"correlation/W{h}"] for h in (1, 2, 3))])
        assert (np.diff(np.array(ends), axis=0) > 0).all(), (seed, ends)


def test_an_integration_that_cannot_go_on_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keys = ("--set", "sizes=[64,3,64]", "--set", "scale_feedback=1e200")
    assert circuitsim("run", "feedback-ode", "--out", tmp_path / "run", *keys) == 3
    told = capfd.readouterr().err
    assert told.startswith("circuitsim: feedback in continuous time: the integration stopped at time 0 of ")
    assert told.endswith("Lower the scales of weights, or the duration.\n")


def test_the_scenario_in_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--quick", "--set", "sizes=[8,12,4]", "--set", "samples=11", "--vary", "seed=0,1"]
    assert circuitsim("run", "feedback-ode", "--out", out, *options) == 0
    assert {path.name for path in out.iterdir()} == {"config.json", "metrics.parquet", "figures", "report.html"}
    drawn = {"course.svg", "course.csv", "times.csv", "correlations.csv"}
    assert {path.name for path in (out / "figures").iterdir()} == drawn
    frame = metrics(out)
    assert list(frame.columns) == ["replica", "epoch", "split", "metric", "value", "time", "feedback", "seed"]
    assert set(frame["feedback"]) == {"bp", "0.0", "0.25", "0.5", "1.0"}
    assert json.loads((out / "config.json").read_text())["replicas"] == 10
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 1
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://www.w3.org", "")
    times = pd.read_csv(out / "figures" / "times.csv")
    reached = frame[(frame["metric"] == "time_to/1e-02") & (frame["feedback"] == "0.5")]["value"]
    row = times[(times["feedback"] == "ε = 0.5") & (times["error"] == 0.01)]
    np.testing.assert_allclose(row["time"], reached.mean())


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("feedback=-1.0", "key feedback: got -1.0; expected bp, or epsilon, a number >= 0"),
        ("feedback=fa", "key feedback: got 'fa'; expected bp, or epsilon, a number >= 0"),
        ("sizes=[3]", "key sizes: got [3]; expected a list of at least two whole numbers >= 1"),
        ("duration=0", "key duration: got 0; expected a number above 0"),
    ],
)
def test_refused(key: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "feedback-ode", "--out", tmp_path / "run", "--set", key) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {message}")
