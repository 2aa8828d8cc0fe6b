"""Recurrent classifiers and the campaign of them: settings, measurements, tables, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim import data
from circuitsim.analysis.recurrence import activity_over_steps, errors_over_steps
from circuitsim.circuits.recurrent import recurrent_classifier, weights_of
from circuitsim.engine.decisions import Readout, decisions
from circuitsim.errors import CircuitError, CircuitsimError
from circuitsim.runs.config import build
from circuitsim.runs.training import make_study
from circuitsim.scenarios.recurrence.scenario import RecurrenceSettings, matched, members
from circuitsim.scenarios.recurrent_classifier.scenario import SCENARIO, RecurrentSettings
from circuitsim.timetable.protocol import Clock

TINY = {"channels": [2, 3], "steps": 3, "train_limit": 60, "test_limit": 40, "epochs": 1, "batch": 20}


def test_cluttered_digits_hold_a_whole_digit_among_fragments() -> None:
    """Each digit is in four scenes, at several places, and no pixel of it is darker than in the digit."""
    scenes, plain = data.load("cluttered-digits", "float64"), data.load("digits", "float64")
    assert scenes.train.shape == (4 * 1437, 144) and scenes.test.shape == (4 * 360, 144)
    assert scenes.train_labels is not None and plain.train_labels is not None
    assert np.array_equal(scenes.train_labels, np.tile(plain.train_labels, 4))
    assert data.shape_of("cluttered-digits") == scenes.image_shape == (1, 12, 12)
    places = set()
    for k in range(20):
        scene, digit = scenes.train[k].reshape(12, 12), plain.train[k].reshape(8, 8)
        fits = [(r, c) for r in range(5) for c in range(5) if (scene[r : r + 8, c : c + 8] >= digit).all()]
        assert fits and scene.sum() > digit.sum()
        places.update(fits)
    assert len(places) > 8
    again = data.load("cluttered-digits", "float64", train_limit=7)
    assert np.array_equal(again.train, scenes.train[:7])


@pytest.mark.parametrize("cell", ["none", "decay", "simple", "gru", "lstm", "ugrnn", "intersection", "reciprocal"])
def test_every_cell_trains(cell: str) -> None:
    """One epoch changes every forward tensor, and gates begin where they should."""
    keys = {**TINY, "cell": cell, "top_down": True, "lr": 0.05, "feedback": "fa"}
    study = make_study(SCENARIO, [build(RecurrentSettings, keys)], "numba")
    simulator = study.groups[0].simulator
    for name, value in study.settings[0].forward[1].items():
        assert (simulator.tensors()[name] == value).all()
    before = {name: tensor.copy() for name, tensor in simulator.tensors().items()}
    simulator.present(np.arange(20))
    changed = {name for name, tensor in simulator.tensors().items() if not np.array_equal(tensor, before[name])}
    assert changed == {name for name in before if not name.startswith("B_")}


@pytest.mark.parametrize("unroll", ["edge", "sweep"])
def test_with_a_step_for_each_edge_the_image_takes_as_many_steps_to_the_output(unroll: str) -> None:
    keys = {**TINY, "cell": "decay", "steps": 5, "unroll": unroll, "epochs": 0}
    study = make_study(SCENARIO, [build(RecurrentSettings, keys)], "numba")
    simulator = study.groups[0].simulator
    found = [next(iter(simulator.observe([("y", "O", step)], study.data.test)))[1][0] for step in range(5)]
    same = [np.array_equal(one, found[0]) for one in found]
    assert same == ([True, True, True, False, False] if unroll == "edge" else [True] * 5)  # τ of 0 keeps nothing
    assert np.ptp(found[0], axis=1).max() == 0 if unroll == "edge" else np.ptp(found[0], axis=1).max() > 0


def test_errors_over_steps_are_those_of_the_decisions() -> None:
    keys = {**TINY, "epochs": 0, "readout": "confident", "threshold": 0.2, "judged": 2}
    study = make_study(SCENARIO, [build(RecurrentSettings, keys)], "numba")
    simulator, x, y = study.groups[0].simulator, study.data.test, study.data.test_labels
    assert y is not None
    for readout, begin in ((Readout.CONFIDENT, 0), (Readout.AVERAGED, 1), (Readout.LAST, 1)):
        found = errors_over_steps(simulator, x, y, readout, 0.2)
        parts = list(decisions(simulator, x, readout=readout, begin=begin, threshold=0.2))
        fired, step = (np.concatenate([part[k] for part in parts], axis=1) for k in (1, 2))
        np.testing.assert_allclose(found["error"], 100 * (fired.argmax(axis=-1) != y).mean(axis=1))
        np.testing.assert_allclose(found["steps"], 1 + step.mean(axis=1))
    last = SCENARIO.evaluate(simulator, x, y)
    examined = SCENARIO.examine(simulator, study.settings[0], study.data)
    assert last["error"] == examined["error_at/3"]
    ((_, fired, _),) = simulator.outputs(x)
    np.testing.assert_allclose(last["loss"], -np.log(fired[:, np.arange(len(y)), y]).mean(axis=1), rtol=1e-5)


def test_activity_over_steps_is_that_of_the_neurons() -> None:
    """Means over examples and neurons; compartments of cells, labels and feedback neurons are left out."""
    study = make_study(SCENARIO, [build(RecurrentSettings, {**TINY, "epochs": 0, "cell": "gru"})], "numba")
    simulator, x = study.groups[0].simulator, study.data.train[:30]
    found = activity_over_steps(simulator, x)
    names = ["drive1", "cell1", "pool1", "drive2", "cell2", "pool2", "y"]
    assert list(found) == [f"activity/{name}/{step}" for name in names for step in (1, 2, 3)]
    ((_, whole),) = [(0, np.concatenate([part[0] for _, part in simulator.observe([("cell1", "O", 2)], x)], axis=1))]
    np.testing.assert_allclose(found["activity/cell1/3"], np.abs(whole).mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found["activity/y/2"], 0.1, rtol=1e-6)  # a softmax of ten


def test_members_are_cells_each_with_a_feedforward_network_of_as_many_weights() -> None:
    settings = RecurrenceSettings(cells=["simple", "gru"], feedback=["bp", "kp"], seeds=3)
    found = members(settings)
    names = ["feedforward", "feedforward-steps", "simple", "feedforward-as-simple", "gru", "feedforward-as-gru"]
    assert [m.name for m in found] == names
    assert [m.vary["feedback"] for m in found] == [["bp"], ["bp"], ["bp", "kp"], ["bp"], ["bp", "kp"], ["bp"]]
    built = [RecurrentSettings(**m.values) for m in found]
    assert [one.steps for one in built] == [1, 4, 4, 1, 4, 1]
    counts = [weights_of(one.forward[0]) for one in built]
    for recurrent, control in ((2, 3), (4, 5)):
        assert abs(counts[recurrent] - counts[control]) < 0.05 * counts[recurrent]
    assert matched(settings, "simple") == built[3].channels


def test_networks_may_have_rates_of_their_own() -> None:
    settings = RecurrenceSettings(cells=["gru"], lr=0.03, rates={"gru": 0.1})
    assert [m.values["lr"] for m in members(settings)] == [0.03, 0.03, 0.1, 0.03]
    text = (
        "key rates: got {'lstm': 0.1}; expected a table of numbers >= 0 by network: feedforward, feedforward-steps, gru"
    )
    with pytest.raises(CircuitsimError, match=re.escape(text)):
        build(RecurrenceSettings, {"cells": ["gru"], "rates": {"lstm": 0.1}})


def test_a_feedforward_network_gains_nothing_from_more_steps() -> None:
    """The control of equal steps computes and learns what the network shown once does."""
    plain, steps, *_ = members(RecurrenceSettings(cells=["gru"], train_limit=60, test_limit=40, epochs=1, batch=20))
    found = []
    for member in (plain, steps):
        keys = {**member.values, "feedback": "bp", "dtype": "float64", "lr": 0.05}
        study = make_study(SCENARIO, [build(RecurrentSettings, keys)], "numba")
        study.groups[0].simulator.present(np.arange(20))
        found.append(study.groups[0].simulator.tensors())
    for name, tensor in found[0].items():
        np.testing.assert_allclose(found[1][name], tensor, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", ["simple", "reciprocal", "gru"])
def test_the_activation_is_that_of_simple_and_reciprocal_cells(cell: str) -> None:
    """The output, and of a reciprocal cell the state; drives, gates and other cells keep theirs."""
    circuits = [build(RecurrentSettings, {"cell": cell, **keys}).circuit for keys in ({}, {"activation": "relu"})]
    usual, chosen = ({p.name: p.activation for p in one.populations} for one in circuits)
    states = ("cell1_state", "cell2_state") if cell == "reciprocal" else ()
    own = () if cell == "gru" else ("cell1", "cell2", *states)
    assert {name: chosen[name] for name in chosen if chosen[name] != usual[name]} == dict.fromkeys(own, "relu")
    assert {usual[name] for name in own} <= {"elu"}


def test_a_cell_of_relu_has_no_negative_activity() -> None:
    found = []
    for keys in ({}, {"activation": "relu"}):
        study = make_study(SCENARIO, [build(RecurrentSettings, {**TINY, "epochs": 0, **keys})], "numba")
        ((_, (fired,)),) = study.groups[0].simulator.observe([("cell1", "O", 2)], study.data.test)
        found.append(fired.copy())
    assert found[0].min() < 0 and found[1].min() == 0
    assert not np.array_equal(np.maximum(found[0], 0), found[1])  # what passes between the steps differs too


REFUSED = [
    (
        {"activation": "softmax"},
        "key activation: got 'softmax'; expected one of identity, tanh, logistic, relu, saturated, saturated-half, "
        "elu.",
    ),
    ({"judged": 5}, "key judged: got 5; expected a whole number >= 1, at most steps=4"),
    ({"shown": 9}, "key shown: got 9; expected none, or a whole number >= 1, at most steps=4"),
    ({"pool": 5}, "key channels: got [8, 16]; expected sides that pools divide without rest."),
    ({"channels": [4], "top_down": True}, "expected sides that pools divide without rest, and two layers."),
    ({"dataset": "lowrank"}, "key dataset: got 'lowrank'; expected a data set of images."),
]


@pytest.mark.parametrize(("keys", "text"), REFUSED)
def test_settings_that_do_not_fit_are_refused(keys: dict[str, object], text: str) -> None:
    with pytest.raises(Exception, match=re.escape(text)):
        build(RecurrentSettings, keys)


def test_cells_of_other_shapes_are_other_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick", "--vary", "cell=decay,simple", "--out", tmp_path / "run"]
    assert circuitsim("run", "recurrent-classifier", *options) == 2
    found = " ".join(capsys.readouterr().err.split())
    assert "key cell: got '--vary cell'; expected a key that changes neither shapes nor the course of the run" in found
    assert not (tmp_path / "run").exists()


def test_circuits_that_do_not_exist_are_refused() -> None:
    with pytest.raises(CircuitError, match="cell of a recurrent classifier: got 'elman'; expected one of none, decay"):
        recurrent_classifier((1, 8, 8), [4], 10, "elman")
    with pytest.raises(CircuitError, match="unroll of a recurrent classifier: got 'both'; expected one of edge, sweep"):
        recurrent_classifier((1, 8, 8), [4], 10, unroll="both")


def test_the_clock_follows_from_the_settings() -> None:
    settings = build(RecurrentSettings, {"steps": 7, "shown": 5, "judged": 3, "truncated": 2, "blank": 0.5})
    design = SCENARIO.design(settings)
    assert design.protocol.clock == Clock(7, 5, judged=3, truncated=2)
    assert design.circuit.blank == 0.5
    assert design.parameters["W1", "lr"] == pytest.approx(0.003 / 3)  # errors count as their mean


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of few scenes."""
    out = tmp_path_factory.mktemp("campaign") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        keys = [f"{k}={v}" for k, v in {**TINY, "train_limit": 40, "cells": '["simple"]'}.items()]
        assert circuitsim("run", "recurrence", *(part for key in keys for part in ("--set", key)), "--out", out) == 0
    return out


@pytest.mark.nightly
def test_figures_and_tables(ran: Path) -> None:
    drawn = {
        "networks.csv",
        "costs.csv",
        "epochs.csv",
        "epochs.svg",
        "steps.csv",
        "steps.svg",
        "activity.csv",
        "activity.svg",
        "filters.csv",
        "filters.svg",
        "recurrent-kernels.csv",
        "recurrent-kernels.svg",
    }
    assert {path.name for path in (ran / "figures").iterdir()} == drawn
    table = pd.read_csv(ran / "figures" / "networks.csv").set_index("network")
    assert list(table.index) == [
        "feedforward",
        "feedforward, as many steps",
        "simple, bp",
        "simple, fa",
        "feedforward, weights as simple",
    ]
    frame = metrics(ran)
    own = frame[(frame["member"] == "simple") & (frame["metric"] == "error") & (frame["split"] == "test")]
    last = own[(own["epoch"] == 1) & (own["feedback"] == "fa")]["value"]
    np.testing.assert_allclose(table.loc["simple, fa", ["mean", "least", "greatest"]].astype(float),
                               [last.mean(), last.min(), last.max()])  # fmt: skip
    costs = pd.read_csv(ran / "figures" / "costs.csv").set_index("network")
    assert list(costs.index) == list(table.index)
    for column in ("window (ticks)", "memory (values)"):
        assert costs.loc["simple, bp", column] > costs.loc["feedforward", column]
    counts = costs["weights"].astype(int)
    assert abs(counts["simple, bp"] - counts["feedforward, weights as simple"]) < 0.1 * counts["simple, bp"]
    steps = pd.read_csv(ran / "figures" / "steps.csv")
    assert set(steps["step"]) == {1, 2, 3} and set(steps["network"]) == {"simple, bp", "simple, fa"}
