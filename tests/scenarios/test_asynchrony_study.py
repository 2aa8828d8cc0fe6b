"""The ladder from synchronous to asynchronous: what it measures, finds when tiny, leaves, and refuses."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics

from circuitsim.analysis.asynchrony import Activities, angle, backpropagated, contrast, disturbance, mixing, record
from circuitsim.asynchrony import AsynchronousSimulator, Timing
from circuitsim.circuits.autoencoder import circular_autoencoder, variant_coefficients
from circuitsim.scenarios.asynchrony import scenario
from circuitsim.scenarios.asynchrony.ladder import (
    BEFORE,
    DELAYS,
    JITTER,
    LATE,
    MEMBRANES,
    MEMORY,
    OFTEN,
    ONCE,
    PATIENT,
    REGULAR,
    RWCC,
    TOP,
    UPDATES,
    AsynchronySettings,
    rungs,
)
from circuitsim.scenarios.asynchrony.report import KINDS, clearly_worse, useless
from circuitsim.scenarios.asynchrony.scenario import compute

SIZES = [12, 6, 4, 12]


def make(timing: Timing | None = None, coefficients: dict[Any, float] | None = None) -> AsynchronousSimulator:
    circuit, protocol = circular_autoencoder(SIZES, delay=4)
    parameters = {"lr": 0.1} | (coefficients or {})
    made = AsynchronousSimulator(circuit, protocol, timing, seed=2, dtype="float64", parameters=parameters)
    made.use(np.random.default_rng(5).random((20, 12)))
    for name in ("A1.bias", "A2.bias", "A3.bias"):
        made.load(name, 0.2 * np.random.default_rng(6).normal(size=made.tensors()[name].shape[1]))
    return made


def test_coefficients_that_neurons_were_given_are_found() -> None:
    """RWCC emits and remembers 0.3 in the input layer; hidden layers emit 0.3 and remember 0.45."""
    made = make(coefficients=variant_coefficients("rwcc", [0.3, 0.45], 3))
    found = mixing(made, record(made, range(10)))
    for layer, remembers in ((0, 0.3), (1, 0.45), (2, 0.45)):
        np.testing.assert_allclose(found[f"emits/layer{layer}"], 0.3, atol=1e-9)
        np.testing.assert_allclose(found[f"remembers/layer{layer}"], remembers, atol=1e-9)
        assert found[f"unexplained/layer{layer}"] < 1e-9


@pytest.mark.parametrize(
    ("timing", "emits", "remembers"),
    [
        (Timing(membrane=0.7, hold=20), 0.3, 0.3),
        (Timing(trace=0.7, hold=20), 0.0, 0.3),
        (Timing(membrane=0.8, trace=0.7, hold=30), 0.2, 0.3 + 0.7 * 0.2),
        (Timing(), 0.0, 0.0),
    ],
)
def test_what_slow_neurons_are_found_to_mix(timing: Timing, emits: float, remembers: float) -> None:
    """A trace takes 1 - t from before and t from the activity, which itself has m of cycle 0: (1 - t) + t m."""
    made = make(timing)
    found = mixing(made, record(made, range(10)))
    for layer in range(3):
        np.testing.assert_allclose(found[f"emits/layer{layer}"], emits, atol=1e-8)
        np.testing.assert_allclose(found[f"remembers/layer{layer}"], remembers, atol=1e-8)
        assert found[f"unexplained/layer{layer}"] < 1e-7


def test_while_the_layers_below_still_move_no_coefficient_explains_all() -> None:
    """Three ticks of 0.7 keep 0.343 in layer 0; above, where the input itself is on its way, neurons keep more."""
    made = make(Timing(membrane=0.3, ticks=3, hold=20))
    found = mixing(made, record(made, range(10)))
    np.testing.assert_allclose(found["emits/layer0"], 0.343, atol=1e-9)
    assert found["unexplained/layer0"] < 1e-9
    assert found["emits/layer0"] < found["emits/layer1"] < found["emits/layer2"]
    assert min(found["unexplained/layer1"], found["unexplained/layer2"]) > 1e-3


def test_backpropagation_s_error_is_the_gradient() -> None:
    """delta_h = -dE/db_h, with E the sum of relative entropies, by differences."""
    made = make()
    tensors = {name: tensor[0] for name, tensor in made.tensors().items()}
    x = np.random.default_rng(9).random((3, 12))

    def entropy(shifted: dict[str, np.ndarray], one: np.ndarray) -> float:
        o = one
        for h in (1, 2):
            o = np.tanh(shifted[f"A{h}.weight"] @ o + shifted[f"A{h}.bias"])
        s = shifted["A3.weight"] @ o + shifted["A3.bias"]
        return float((np.logaddexp(0, s) - one * s).sum())

    found = backpropagated(made.circuit, made.tensors(), x)
    assert {h: delta.shape for h, delta in found.items()} == {1: (3, 6), 2: (3, 4)}
    for h, delta in found.items():
        for i in range(delta.shape[1]):
            step = np.zeros(delta.shape[1])
            step[i] = 1e-6
            up, down = (tensors | {f"A{h}.bias": tensors[f"A{h}.bias"] + sign * step} for sign in (1, -1))
            slope = [(entropy(up, one) - entropy(down, one)) / 2e-6 for one in x]
            np.testing.assert_allclose(delta[:, i], [-s for s in slope], atol=1e-8)


def test_notes_are_what_neurons_remember() -> None:
    made, other = make(Timing(jitter=3)), make(Timing(jitter=3))
    notes = record(made, [4, 7])
    for place, row in enumerate([4, 7]):
        other.present(row, learn=False)
        for cycle in (0, 1):
            assert np.array_equal(notes.remembered[1, cycle][place], other.remembered("layer1", cycle))
            assert np.array_equal(notes.emitted[2, cycle][place], other.emitted("layer2", cycle))
    assert np.array_equal(notes.error(1), notes.remembered[1, 0] - notes.remembered[1, 1])
    assert made.tensors()["A1.weight"].tolist() == make().tensors()["A1.weight"].tolist()


def test_angle_and_disturbance_by_hand() -> None:
    errors, deltas = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 2.0], [5.0, 0.0], [1.0, 1.0]])
    assert angle(errors, deltas) == 45.0
    assert np.isnan(angle(errors[2:], deltas[2:]))
    assert disturbance(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]])) == 4 / 3
    memory = {(1, 0): np.array([[1.0], [4.0], [8.0]]), (1, 1): np.array([[9.0], [1.0], [4.0]])}
    assert contrast(Activities(memory, {}), 1) == 1.0
    assert Activities({(1, 0): np.ones(2), (1, 1): np.zeros(2)}, {}).error(1).tolist() == [1, 1]


def test_where_a_ladder_breaks() -> None:
    regular, top = np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0])
    for errors, is_worse, is_useless in (
        ([1.0, 1.05, 1.2], False, False),
        ([1.2, 1.2, 1.2], True, False),
        ([0.9, 1.5, 1.5], False, False),
        ([2.5, 1.5, 2.1], True, True),
        ([1.0, np.nan, 1.0], True, True),
    ):
        assert (clearly_worse(np.array(errors), regular), useless(np.array(errors), top)) == (is_worse, is_useless)


def test_the_rungs() -> None:
    """All four ladders, in ticks of a loop of two projections with a delay of ten each."""
    found = {(r.ladder, r.kind, r.amount): r.timing for r in rungs(AsynchronySettings())}
    assert found["", REGULAR, 0.0] == Timing()
    assert found[JITTER, ONCE, 0.05] == Timing(jitter=1)
    assert found[JITTER, PATIENT, 4.0] == Timing(jitter=80, patience=10)
    assert found[DELAYS, OFTEN, 0.5] == Timing(delays=10, ticks=4)
    assert found[MEMORY, MEMBRANES, 0.75] == Timing(membrane=0.25, hold=8)
    assert found[UPDATES, LATE, 1.0] == Timing(updates=61)
    coefficients = {r.kind: r.coefficients for r in rungs(AsynchronySettings()) if r.amount == 0.9}
    assert coefficients[RWCC] == variant_coefficients("rwcc", 0.9, 2)


def test_one_presentation_lasts_as_long_as_updates_are_counted_in() -> None:
    circuit, protocol = circular_autoencoder([64, 16, 64], delay=10)
    assert AsynchronousSimulator(circuit, protocol).rhythm.duration + 1 == 61


TINY: dict[str, Any] = {
    "train_limit": 200,
    "test_limit": 20,
    "jitter": [0.0, 0.25, 2.0],
    "delays": [0.0, 0.25],
    "memory": [0.0, 0.5],
    "updates": [0.0, 8.0],
    "angle_examples": 10,
}
GOLDEN = {  # mse, angle, disturbance: computed by this code, 2026-11-21
    ("", REGULAR, 0.0): (0.0367227, 51.52094, 0.0),
    (JITTER, ONCE, 0.25): (0.0531540, 72.81110, 1.912536),
    (JITTER, PATIENT, 2.0): (0.0555044, 77.42867, 2.208276),
    (DELAYS, OFTEN, 0.25): (0.0367227, 51.52096, 0.0),
    (MEMORY, MEMBRANES, 0.5): (0.0490206, 52.53487, 0.778030),
    (UPDATES, LATE, 8.0): (0.0366750, 51.44096, 0.0),
}


@pytest.fixture(scope="module")
def tiny() -> pd.DataFrame:
    return compute(AsynchronySettings(seed=1, **TINY))


def test_golden_numbers_of_a_tiny_ladder(tiny: pd.DataFrame) -> None:
    values = tiny.set_index(["ladder", "kind", "amount", "metric"])["value"]
    for (ladder, kind, amount), expected in GOLDEN.items():
        found = [values[ladder, kind, amount, metric] for metric in ("mse", "angle/delta1", "disturbance/delta1")]
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_what_irregular_time_does_even_to_a_tiny_circuit(tiny: pd.DataFrame) -> None:
    values = tiny.set_index(["ladder", "kind", "amount", "metric"])["value"]
    regular, top, before = (values["", kind, 0.0, "mse"] for kind in (REGULAR, TOP, BEFORE))
    assert regular < top < before
    assert values[JITTER, ONCE, 0.25, "mse"] > 1.3 * regular
    for ladder in (JITTER, DELAYS):
        np.testing.assert_allclose(values[ladder, PATIENT, 0.25, "mse"], regular, rtol=1e-4)
        assert values[ladder, PATIENT, 0.25, "disturbance/delta1"] < 1e-4
        assert values[ladder, ONCE, 0.25, "disturbance/delta1"] > 1
    # most of what jitter does comes from the example before
    assert values[JITTER, ONCE, 0.25, "repeated/delta1"] < 0.7 * values[JITTER, ONCE, 0.25, "disturbance/delta1"]
    np.testing.assert_allclose(values[MEMORY, MEMBRANES, 0.5, "mse"], values[MEMORY, RWCC, 0.5, "mse"], rtol=0.02)
    np.testing.assert_allclose(values[MEMORY, MEMBRANES, 0.5, "remembers/layer1"], 0.5, atol=0.01)
    assert values[UPDATES, LATE, 8.0, "mse"] < 1.05 * regular
    assert values["", REGULAR, 0.0, "disturbance/delta1"] < 1e-4


def given(keys: dict[str, Any]) -> list[str]:
    return [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]


def test_the_scenario_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: pd.DataFrame) -> None:
    """One rung diverges in one seed: it is left out, and told."""
    original = scenario.train_and_measure

    def lost(settings: AsynchronySettings, rung: Any, loaded: Any) -> Any:
        return [] if (rung.ladder, rung.kind, settings.seed) == (DELAYS, ONCE, 2) else original(settings, rung, loaded)

    monkeypatch.setattr(scenario, "train_and_measure", lost)
    out = tmp_path / "run"
    assert circuitsim("run", "asynchrony", "--out", out, *given(TINY), "--vary", "seed=1,2") == 0
    assert {path.name for path in out.iterdir()} == {"config.json", "metrics.parquet", "figures", "report.html"}
    drawn = {f"{name}.{kind}" for name in ("lateness", "slowness") for kind in ("svg", "csv")}
    assert {path.name for path in (out / "figures").iterdir()} == drawn | {"breaks.csv", "mixing.csv", "regular.csv"}
    frame = metrics(out)
    own = frame[frame["seed"] == 1]
    assert list(own["value"]) == list(tiny["value"])
    breaks = pd.read_csv(out / "figures" / "breaks.csv", dtype=str).set_index(["ladder", "kind"])
    assert breaks["clearly worse from"]["random delays", ONCE] == "0.25"
    assert breaks["clearly worse from"]["jitter", PATIENT] == "2"
    lateness = pd.read_csv(out / "figures" / "lateness.csv")
    seeds = lateness[lateness["metric"] == "mse"].set_index(["ladder", "kind", "up to"])["seeds"]
    assert (seeds["random delays", ONCE, 0.25], seeds["jitter", ONCE, 0.25]) == (1, 2)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 2
    assert all(escape(kind) in page for kinds in KINDS.values() for kind in kinds)


def test_a_rung_that_diverges_has_no_numbers() -> None:
    keys = AsynchronySettings(
        **TINY | {"lr": 3e38, "jitter": [0.0], "delays": [0.0], "memory": [0.0], "updates": [0.0]}
    )
    loaded = scenario.load_data(keys)
    assert list(scenario.train_and_measure(keys, next(iter(rungs(keys))), loaded)) == []


LISTED = "a list of different numbers >= 0, the first 0"
REFUSED = {
    "sizes=[64,64]": "key sizes: got [64, 64]; expected a list of at least three whole numbers >= 1, the last as the "
    "first. Layer L is layer 0, with at least one hidden layer between.",
    "sizes=[10,4,10]": "key sizes: got [10, 4, 10]; expected 64 units in the first and the last layer. Match the data.",
    "jitter=[0.5]": f"key jitter: got [0.5]; expected {LISTED}: greatest lateness of a tick, in cycles. "
    "Begin with regular time.",
    "jitter=[0.0,0.01]": "key jitter: got [0.0, 0.01]; expected multiples of a cycle of 20 ticks. "
    "Give none that is less than half a tick.",
    "memory=[0.0,1.0]": f"key memory: got [0.0, 1.0]; expected {LISTED} and all below 1: coefficient of cycle "
    "0 in cycle 1. A neuron that does not follow its input learns nothing.",
    "updates=[0.0,-1.0]": f"key updates: got [0.0, -1.0]; expected {LISTED}: longest wait, in presentations. "
    "Begin with regular time.",
    "updates=[0.0,1e9]": f"key updates: got [0.0, 1000000000.0]; expected {LISTED}: longest wait, in "
    "presentations. Give none above 100000.",
    "angle_examples=201": "key angle_examples: got 201; expected at most 200, the number of training "
    "examples. Lower it.",
    "dataset=lowrank": "key sizes: got [64, 16, 64]; expected 100 units",
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_bad_settings(wrong: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key, _, value = wrong.partition("=")
    assert circuitsim("run", "asynchrony", "--out", tmp_path / "run", *given(TINY | {key: value})) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {REFUSED[wrong]}")
    assert not list(tmp_path.iterdir())
