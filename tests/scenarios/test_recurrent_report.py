"""Filters, recurrent kernels and gates in the reports of recurrent classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import figures_checked
from running import circuitsim, nightly, skip_experiments

from circuitsim.analysis.filters import norms_by_offset
from circuitsim.analysis.recurrence import BINS, gates_of, gates_over_steps
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.circuits.cells import CELLS, make_cell
from circuitsim.runs.config import build
from circuitsim.runs.study import Study
from circuitsim.runs.themes import themed
from circuitsim.runs.training import make_study
from circuitsim.scenarios.recurrent_classifier import exhibits
from circuitsim.scenarios.recurrent_classifier.scenario import SCENARIO, RecurrentSettings

TINY: dict[str, Any] = {"channels": [2, 3], "steps": 3, "train_limit": 60, "test_limit": 40, "epochs": 1, "batch": 20}
GATED = {"gru": 2, "lstm": 3, "ugrnn": 1, "intersection": 2, "reciprocal": 4}


def study_of(*seeds: int, **keys: Any) -> Study:
    settings = [build(RecurrentSettings, {**TINY, **keys, "seed": seed}) for seed in seeds or (0,)]
    return make_study(SCENARIO, settings, "numba")


def shown(study: Study, labels: Sequence[str] = ()) -> dict[str, Exhibit]:
    """The exhibits of a study by name; its tensors before are half of those after."""
    after = study.tensors()
    if len(study.settings) == 1:
        after = {name: tensor[None] for name, tensor in after.items()}
    labels = labels or ["net"] * len(study.settings)
    networks = exhibits.networks(labels, {name: tensor / 2 for name, tensor in after.items()}, after)
    found = [*exhibits.filters(networks), *exhibits.recurrent_kernels(networks)]
    found += exhibits.gates(exhibits.gates_by_network(study, labels))
    return {one.name: one for one in found}


@pytest.mark.parametrize("feedback", ["bp", "fa", "kp", "ss"])
@pytest.mark.parametrize("kind", CELLS)
def test_the_gates_of_a_circuit_are_those_of_its_cells(kind: str, feedback: str) -> None:
    """Also among the populations with which errors pass back, some of which multiply too."""
    circuit = build(RecurrentSettings, {**TINY, "cell": kind, "feedback": feedback, "top_down": True}).circuit
    cells = [make_cell(kind, f"cell{k}", f"drive{k}", circuit.population(f"cell{k}").shape) for k in (1, 2)]
    assert sorted(gates_of(circuit)) == sorted(gate for cell in cells for gate in cell.gates)
    assert len(gates_of(circuit)) == 2 * GATED.get(kind, 0)


def test_gates_are_measured_over_steps_neurons_and_examples() -> None:
    """Two replicas, and a short last part of the examples."""
    simulator = (study := study_of(0, 1, cell="lstm")).groups[0].simulator
    x = study.data.test[:33]
    found = gates_over_steps(simulator, x)
    assert list(found) == gates_of(simulator.circuit) and len(found) == 6
    for step in range(3):
        whole = np.concatenate(
            [one[0].astype(np.float64) for _, one in simulator.observe([("cell2_forget", "O", step)], x)], axis=1
        )
        assert found["cell2_forget"].means.shape == (3, 2, 33)
        np.testing.assert_allclose(found["cell2_forget"].means[step], whole.mean(axis=2), rtol=1e-6)
    by_hand = [[((one >= k / BINS) & (one < (k + 1) / BINS)).mean() for k in range(BINS)] for one in whole]
    np.testing.assert_allclose(found["cell2_forget"].counted, by_hand, atol=1e-12)


def test_shut_and_open_gates_are_counted_as_such() -> None:
    """Biases decide: of gates that cannot be elsewhere, the fraction at that end is one."""
    study = study_of(cell="gru")
    for name, value in (("reset", 30.0), ("update", -30.0)):
        tensor = study.groups[0].simulator.tensors()[f"W_cell1_{name}.bias"]
        study.load(f"W_cell1_{name}.bias", np.full(tensor.shape[1:], value))
    table = shown(study)["gates-open"].numbers.set_index(["cell", "gate"])
    np.testing.assert_allclose(table.loc[("net: cell1", "reset")], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(table.loc[("net: cell1", "update")], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(table.loc["net: cell2"].sum(axis=1), 1)
    assert list(table.columns) == ["below 0.1", "0.1 to 0.9", "above 0.9"]
    over_steps = shown(study)["gates"].numbers.set_index(["cell", "gate", "step"])
    assert over_steps.loc[("net: cell1", "update", 3), "greatest"] < 1e-6
    assert (over_steps["images and seeds"] == 40).all()


def test_the_offset_of_a_norm_is_that_of_the_presynaptic_neuron() -> None:
    study = study_of(cell="simple")
    simulator = study.groups[0].simulator
    q = simulator.circuit.projection("U_cell1")
    weight = np.zeros(simulator.tensors()["U_cell1.weight"].shape)
    weight[0, :, :, 0, 1] = [[3.0, 0.0], [0.0, 4.0]]
    norms = norms_by_offset(weight)
    assert norms.shape == (1, 3, 3) and norms[0, 0, 1] == 5 and norms.sum() == 5
    shape = simulator.circuit.population("cell1").shape
    post, pre, slot = (np.asarray(one) for one in q.connectivity.synapses(shape, shape))
    used = np.isin(slot, np.flatnonzero(weight[0]))
    offsets = [
        np.subtract(*both) for both in zip(*(np.unravel_index(k[used], shape) for k in (pre, post)), strict=True)
    ]
    assert set(offsets[1]) == {-1} and set(offsets[2]) == {0}
    table = shown(study)["recurrent-kernels"].numbers
    assert len(table) == 2 * 9 and set(table["row offset"]) == {-1, 0, 1}


def test_numbers_are_those_of_the_weights() -> None:
    """Of the first seed for filters; means over seeds for norms; before and after in columns of their own."""
    study = study_of(0, 1, cell="gru")
    found, tensors = shown(study), study.tensors()
    filters = found["filters"].numbers
    assert filters["network"].unique().tolist() == ["net"]
    np.testing.assert_allclose(filters["after"], tensors["W1.weight"][0].ravel(), rtol=1e-6)
    np.testing.assert_allclose(filters["before"], filters["after"] / 2)
    kernels = found["recurrent-kernels"].numbers.set_index(["projection", "row offset", "column offset"])
    assert set(kernels.index.levels[0]) == {
        f"U_cell{k}_{part}" for k in (1, 2) for part in ("reset", "update", "candidate")
    }
    own = tensors["U_cell2_reset.weight"][:, :, :, 1, 2].astype(np.float64)
    expected = np.mean([np.linalg.norm(one) for one in own])
    np.testing.assert_allclose(kernels.loc[("U_cell2_reset", 0, 1), "after"], expected, rtol=1e-6)
    values = found["gate-values"].numbers
    np.testing.assert_allclose(values.groupby(["cell", "gate"])["mean"].sum(), 1)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"cell": "none"}, ["filters"]),
        ({"cell": "decay"}, ["filters"]),
        ({"cell": "simple"}, ["filters", "recurrent-kernels"]),
        ({"cell": "simple", "recurrent_kernel": 1}, ["filters"]),
        ({"cell": "ugrnn"}, ["filters", "recurrent-kernels", "gates", "gate-values", "gates-open"]),
    ],
)
def test_only_what_a_network_has_is_shown(keys: dict[str, Any], names: list[str]) -> None:
    assert list(shown(study_of(**keys))) == names


def test_networks_are_shown_by_their_labels() -> None:
    """Replicas of one label are one network; a tensor that a network lacks is none of its own."""
    keys = [{"feedback": feedback, "seed": seed, "cell": "gru"} for feedback in ("bp", "fa") for seed in (0, 1)]
    study = make_study(SCENARIO, [build(RecurrentSettings, {**TINY, **one}) for one in keys], "numba")
    labels = [one["feedback"] for one in keys]
    both = exhibits.networks(labels, study.tensors(), study.tensors())
    assert [one.label for one in both] == ["bp", "fa"]
    assert "B_W2.weight" not in both[0].after and both[1].after["B_W2.weight"].shape[0] == 2
    gates = exhibits.gates_by_network(study, labels)
    assert {label: one["cell1_reset"].means.shape for label, one in gates.items()} == dict.fromkeys(labels, (3, 2, 40))


@pytest.mark.parametrize("theme", ["page", "column"])
@pytest.mark.parametrize("cell", ["simple", nightly("lstm"), "reciprocal"])
def test_figures_have_no_empty_panel_and_no_text_on_another(cell: str, theme: str) -> None:
    faults: list[str] = []
    with themed(theme), figures_checked(faults):
        shown(study_of(0, 1, cell=cell, recurrent_kernel=3 if cell == "simple" else 9), ["bp, one", "bp, two"])
    assert not faults


@pytest.mark.nightly
def test_a_run_has_them_as_files_and_on_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_experiments(monkeypatch)
    for cell in ("gru", "simple"):
        keys = {**TINY, "cell": cell, "lr": 0.05}
        sets = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
        assert circuitsim("run", "recurrent-classifier", *sets, "--out", tmp_path / cell) == 0
    drawn = {cell: {path.name for path in (tmp_path / cell / "figures").iterdir()} for cell in ("gru", "simple")}
    alike = {"filters.csv", "filters.svg", "recurrent-kernels.csv", "recurrent-kernels.svg"}
    gated = {"gates.csv", "gates.svg", "gate-values.csv", "gate-values.svg", "gates-open.csv"}
    assert drawn["gru"] >= alike | gated and drawn["simple"] >= alike and not drawn["simple"] & gated
    pages = {cell: (tmp_path / cell / "report.html").read_text() for cell in drawn}
    assert "<h2>Gates over steps</h2>" in pages["gru"] and "Gates" not in pages["simple"]
    table = pd.read_csv(tmp_path / "gru" / "figures" / "filters.csv")
    assert (table["before"] != table["after"]).mean() > 0.9 and not table.isna().any(axis=None)


@pytest.mark.nightly
def test_a_campaign_measures_the_gates_of_its_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the weights of their folders: what the reports of the members themselves have."""
    skip_experiments(monkeypatch)
    keys = {**TINY, "train_limit": 40, "cells": '["gru"]', "seeds": 1, "lr": 0.05}
    sets = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    assert circuitsim("run", "recurrence", *sets, "--out", tmp_path / "run") == 0
    for name in ("gates", "gate-values", "gates-open", "recurrent-kernels"):
        own = pd.read_csv(tmp_path / "run" / "members" / "gru" / "figures" / f"{name}.csv")
        whole = pd.read_csv(tmp_path / "run" / "figures" / f"{name}.csv")
        own.iloc[:, 0] = "gru, " + own.iloc[:, 0]
        pd.testing.assert_frame_equal(whole, own.rename(columns={own.columns[0]: whole.columns[0]}))
    filters = pd.read_csv(tmp_path / "run" / "figures" / "filters.csv")
    assert filters["network"].unique().tolist() == ["feedforward", "gru, bp", "gru, fa"]
