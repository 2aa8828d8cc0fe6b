"""Real-valued targets: circuits that learn them, data that have them, and the scenario `regression`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standin
from running import circuitsim, measured, outcome, stopped_after

import circuitsim as cs
from circuitsim.analysis.regression import regression_errors
from circuitsim.errors import CircuitError, DataError

each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
SIZES = [5, 4, 3]


def drawn(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, (count, SIZES[0])), random.uniform(-2, 2, (count, SIZES[-1]))


def made(feedback: str = "bp", **options: Any) -> cs.Simulator:
    circuit, protocol = cs.circuits.layered_classifier(SIZES, feedback, output="identity", real_targets=True)
    return cs.Simulator(circuit, protocol, **{"batch": 4, "dtype": "float64", "parameters": {"lr": 0.1}} | options)


@each_backend
@pytest.mark.parametrize("feedback", ["bp", "fa"])
def test_twelve_examples_against_a_handwritten_loop(feedback: str, backend: str) -> None:
    """Squared error, T - O at linear outputs, example by example."""
    one, (x, y) = made(feedback, backend=backend), drawn()
    tensors = {name: array[0].copy() for name, array in one.tensors().items()}
    w1, c1, w2, c2 = (tensors[name] for name in ("W1.weight", "W1.bias", "W2.weight", "W2.bias"))
    back = w2.T if feedback == "bp" else tensors["B2.weight"]
    one.use(x, y)
    for first in (0, 4, 8):
        one.present(range(first, first + 4))
        steps = [np.zeros_like(a) for a in (w1, c1, w2, c2)]
        for k in range(first, first + 4):
            hidden = np.tanh(w1 @ x[k] + c1)
            error = y[k] - (w2 @ hidden + c2)
            below = (1 - hidden**2) * (back @ error)
            for step, increment in zip(
                steps, (np.outer(below, x[k]), below, np.outer(error, hidden), error), strict=True
            ):
                step += increment / 4
        for array, step in zip((w1, c1, w2, c2), steps, strict=True):
            array += 0.1 * step
    for name, array in (("W1.weight", w1), ("W1.bias", c1), ("W2.weight", w2), ("W2.bias", c2)):
        np.testing.assert_allclose(one.tensors()[name][0], array, rtol=1e-10, atol=1e-13, err_msg=name)


def test_errors_by_hand() -> None:
    one, (x, y) = made(seeds=(0, 1)), drawn()
    found = regression_errors(one, x, y)
    (part, fired, _), *rest = one.outputs(x)
    assert not rest and part == slice(0, 12)
    for replica in range(2):
        squares = [(fired[replica, k, i] - y[k, i]) ** 2 for k in range(12) for i in range(3)]
        spread = [(y[k, i] - y[:, i].mean()) ** 2 for k in range(12) for i in range(3)]
        assert found["mse"][replica] == pytest.approx(sum(squares) / 36)
        assert found["r2"][replica] == pytest.approx(1 - sum(squares) / sum(spread))
    assert np.isnan(regression_errors(one, x, np.ones_like(y))["r2"]).all()


def test_it_learns_to_the_least_squares_of_a_linear_network() -> None:
    x, _ = drawn(200)
    y = x @ np.arange(15.0).reshape(5, 3) / 10 + 0.5
    circuit, protocol = cs.circuits.layered_classifier([5, 3], "bp", output="identity", real_targets=True)
    one = cs.Simulator(circuit, protocol, batch=20, dtype="float64", parameters={"lr": 0.5})
    one.use(x, y)
    one.present_each(np.tile(np.arange(200).reshape(10, 20), (60, 1)))
    np.testing.assert_allclose(one.tensors()["W1.weight"][0], np.arange(15.0).reshape(5, 3).T / 10, atol=1e-6)
    np.testing.assert_allclose(one.tensors()["W1.bias"][0], 0.5, atol=1e-6)


def test_one_target_may_have_one_axis() -> None:
    circuit, protocol = cs.circuits.layered_classifier([5, 1], "bp", output="identity", real_targets=True)
    pair = []
    for targets in (drawn()[1][:, :1], drawn()[1][:, 0]):
        one = cs.Simulator(circuit, protocol, batch=4)
        one.use(drawn()[0], targets)
        one.present(range(4))
        pair.append(one.tensors()["W1.weight"].copy())
    assert np.array_equal(*pair)


@pytest.mark.parametrize(
    ("y", "text"),
    [(None, "got none; expected real numbers of shape (12, 3). Give one target for each example and label neuron."),
     (np.zeros(12), "got an array of shape (12,); expected real numbers of shape (12, 3)."),
     (np.full((12, 3), np.nan), "expected finite"),
     (np.zeros((12, 3), complex), "expected")],
)  # fmt: skip
def test_targets_that_do_not_fit(y: Any, text: str) -> None:
    with pytest.raises(CircuitError, match="^targets for circuit regression with bp: .*" + re.escape(text)):
        made().use(drawn()[0], y)


def test_circuits_that_are_refused() -> None:
    with pytest.raises(
        CircuitError, match=r"got margins with real_targets; expected classes\. Compare the output with"
    ):
        cs.circuits.layered_classifier(SIZES, loss="hinge", output="identity", real_targets=True)
    circuit, _ = cs.circuits.circular_autoencoder([5, 3, 5])
    from dataclasses import replace

    with pytest.raises(
        CircuitError, match=r"got real_targets without labels; expected labels too\. Name the population"
    ):
        replace(circuit, real_targets=True)


def test_the_audit_declares_the_targets() -> None:
    one = made()
    audit = cs.audit(one.circuit, one.protocol, seed=0)
    assert {finding["kind"] for finding in audit["findings"]} == {"weight-transport", "label"}
    assert any("the targets that labels is clamped to" in finding["read"] for finding in audit["findings"])
    other, _ = cs.circuits.layered_classifier(SIZES, output="identity")
    assert other.text != one.circuit.text


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_data_with_targets(tmp_path: Path) -> None:
    x, y = drawn(10)
    data = cs.data.load(saved(tmp_path / "a.npz", x=x, y=y), "float64")
    assert data.train_labels is None and data.test_labels is None
    assert np.array_equal(data.train_targets, y[:8]) and np.array_equal(data.test_targets, y[8:])
    flat = cs.data.load(saved(tmp_path / "b.npz", x=x, y=y[:, 0], x_test=x[:3], y_test=y[:3, 0]), train_limit=4)
    assert flat.train_targets.shape == (4, 1) and flat.test_targets.shape == (3, 1)
    assert flat.train_targets.dtype == np.float32 and not flat.train_targets.flags.writeable
    held = cs.data.holding_out(data, 0.25)
    assert np.array_equal(held.train_targets, y[:6]) and np.array_equal(held.test_targets, y[6:8])


DATA = {
    "3 axes; expected 1 or 2: targets of each example": {"y": np.zeros((10, 2, 2))},
    "targets of shape (9, 2); expected 10, one for each row of 'x'": {"y": np.zeros((9, 2))},
    "expected finite": {"y": np.full((10, 2), np.inf)},
    "float64 of shape (n, 2); expected what 'y' has, float64 of shape (n, 3)": {
        "y": np.zeros((10, 3)), "x_test": np.zeros((4, 5)), "y_test": np.zeros((4, 2))},
    "int64 of shape (n, ); expected what 'y' has, float64 of shape (n, )": {
        "y": np.zeros(10), "x_test": np.zeros((4, 5)), "y_test": np.zeros(4, np.int64)},
}  # fmt: skip


@pytest.mark.parametrize("text", DATA)
def test_files_that_do_not_fit(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(text)):
        cs.data.load(saved(tmp_path / "a.npz", x=np.zeros((10, 5)), **DATA[text]))


def test_the_data_set_of_a_teacher() -> None:
    data = cs.data.load("teacher", "float64", train_limit=50, test_limit=20)
    assert data.train.shape == (50, 16) and data.test_targets.shape == (20, 4) and data.train_labels is None
    assert 0.1 < data.train_targets.var() < 10
    assert np.array_equal(data.train[:10], cs.data.load("teacher", "float64", train_limit=10).train)


SETS = [part for text in ("train_limit=100", "test_limit=40", "epochs=3") for part in ("--set", text)]


def test_a_run_measures_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["run", "regression", *SETS, "--vary", "feedback=bp,fa"]
    assert circuitsim(*command, "--out", "whole") == 0
    frame = measured(Path("whole"))
    assert {"mse", "r2", "angle/delta1", "angle/W2"} <= set(frame["metric"])
    assert "error" not in set(frame["metric"])
    with stopped_after(2):
        assert circuitsim(*command, "--out", "stopped") == 1
    assert circuitsim("resume", "stopped") == 0
    assert outcome(Path("stopped")) == outcome(Path("whole"))


def test_defaults_learn() -> None:
    run = cs.run("regression", epochs=5, vary={"feedback": ["bp", "fa"]}, test_limit=500, train_limit=4000)
    last = run.metrics.query("metric == 'r2' and split == 'test' and epoch == 5").set_index("feedback")["value"]
    assert last["bp"] > 0.8 and last["fa"] > 0.6
    simulator = run.simulator(replica=0)
    simulator.present(range(10))


def test_a_scenario_of_ones_own_is_measured() -> None:
    def design(keys: Any) -> cs.Design:
        return cs.Design(
            *cs.circuits.layered_classifier([16, 4], "bp", output="identity", real_targets=True), {"lr": 0.1}
        )

    mine = cs.Scenario("mine", "linear regression", cs.TrainingSettings, design)
    run = cs.run(mine, dataset="teacher", epochs=1, train_limit=50, test_limit=20, batch=10)
    assert {"mse", "r2"} <= set(run.metrics["metric"])


KEYS = {
    "dataset=digits": r"key dataset: got 'digits'; expected a data set with real-valued targets\. Save targets",
    "sizes=[16,8,3]": r"key sizes: got \[16, 8, 3\]; expected 16 units in layer 0 and 4 at the top, one for",
    "loss=hinge": r"key loss: got 'hinge'; expected error with real-valued targets\. Leave it out\.",
    "class_errors=true": r"key class_errors: got true; expected false with real-valued targets\.",
    "running_loss=true": r"key running_loss: got true; expected false with real-valued targets\.",
    "classes=in-turn": r"key classes: got 'in-turn'; expected mixed with real-valued targets\.",
    "shifted_test=0.1": r"key shifted_test: got 0\.1; expected 0\.0 with real-valued targets\.",
}


@pytest.mark.parametrize("text", KEYS)
def test_keys_that_are_refused(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert circuitsim("run", "regression", "--quick", "--set", text, "--out", tmp_path / "out") == 2
    assert re.search(KEYS[text], capsys.readouterr().err.replace("\n", " "))


def test_a_classifier_refuses_targets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert circuitsim("run", "classifier", "--quick", "--set", "dataset=teacher", "--out", tmp_path / "out") == 2
    assert (
        "expected a data set with classes. Its 'y' are real numbers: save whole ones for classes, or choose"
        in capsys.readouterr().err.replace("\n", " ")
    )
