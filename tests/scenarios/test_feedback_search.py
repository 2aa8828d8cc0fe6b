"""The comparison of kinds of feedback: equal budgets, examples held out, errors that a run of `classifier` repeats."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, nightly, skip_report

from circuitsim.analysis.averages import half_width
from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.runs.config import spell
from circuitsim.scenarios.feedback_search.runs import own_keys
from circuitsim.scenarios.feedback_search.settings import FeedbackSearchSettings

pytest.importorskip("optuna")

RATES = ("top", "below", "layer1", "layer2")
TINY: dict[str, Any] = {
    "dataset": "digits",
    "hidden": [6, 5],
    "methods": ["aa", "wm"],
    "trials": 3,
    "startup": 2,
    "test_seeds": 3,
    "train_limit": 240,
    "test_limit": 50,
    "batch": 20,
    "angle_examples": 20,
}


def sets(keys: dict[str, Any]) -> list[str]:
    return [part for key, value in keys.items() for part in ("--set", f"{key}={toml(value)}")]


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + " }"
    return spell(value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "whole"
    assert circuitsim("run", "feedback-search", "--out", out, *sets(TINY)) == 0
    return out


def test_every_method_has_the_same_budget(whole: Path) -> None:
    rows = metrics(whole)
    trials = rows[(rows["stage"] == "search") & (rows["metric"] == "error") & (rows["split"] == "held-out")]
    assert trials.groupby(["feedback", "trial"]).size().to_dict() == {
        (method, k): 2 for method in TINY["methods"] for k in range(3)
    }
    assert set(trials["seed"]) == {0, 1}
    tested = rows[(rows["stage"] == "test") & (rows["metric"] == "error") & (rows["split"] == "test")]
    assert tested.groupby("feedback")["seed"].apply(list).to_dict() == {m: [2, 3, 4] for m in TINY["methods"]}
    assert not ((rows["stage"] == "search") & (rows["split"] == "test")).any(), "the test split is not searched on"


def test_the_table_is_of_the_best_trial(whole: Path) -> None:
    rows, table = metrics(whole), pd.read_csv(whole / "figures" / "final.csv").set_index("feedback")
    assert table["mean"].is_monotonic_increasing and (table["seeds"] == 3).all()
    for method in TINY["methods"]:
        own = rows[(rows["feedback"] == method) & (rows["metric"] == "error")]
        trials = own[own["split"] == "held-out"].groupby("trial")["value"].mean()
        assert table.loc[method, "held-out error (%)"] == pytest.approx(trials.min())
        best = own[own["trial"] == trials.idxmin()]["parameters"].iloc[0]
        tested = own[(own["stage"] == "test") & (own["split"] == "test")]
        assert set(tested["parameters"]) == {best}
        errors = tested["value"].to_numpy()
        assert table.loc[method, "mean"] == pytest.approx(errors.mean())
        assert table.loc[method, "SD"] == pytest.approx(errors.std(ddof=1))
        assert table.loc[method, "± 95 %"] == pytest.approx(half_width(errors))


@pytest.mark.parametrize("method", ["aa", nightly("wm")])
def test_errors_are_those_of_the_scenario_classifier(
    method: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    rows = metrics(whole)
    tested = rows[(rows["stage"] == "test") & (rows["feedback"] == method)]
    keys = {key: TINY[key] for key in ("train_limit", "test_limit", "batch", "angle_examples")}
    keys |= own_keys(method, json.loads(tested["parameters"].iloc[0]), 3) | {"sizes": [64, 6, 5, 10], "epochs": 1}
    assert circuitsim("run", "classifier", "--out", tmp_path / "run", *sets(keys), "--vary", "seed=2,3,4",
                      "--set", "data_seed=0") == 0  # fmt: skip
    again = metrics(tmp_path / "run")
    again = again[(again["epoch"] == 1) & (again["split"] == "test") & (again["metric"] == "error")]["value"]
    errors = tested[(tested["metric"] == "error") & (tested["split"] == "test")]["value"]
    np.testing.assert_array_equal(again.to_numpy(), errors.to_numpy())


def test_a_search_that_stopped_goes_on_to_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    """The trials that are there are kept; the rest follows from them."""
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "metrics.parquet").unlink()
    assert circuitsim("resume", tmp_path / "run") == 0
    pd.testing.assert_frame_equal(metrics(tmp_path / "run"), metrics(whole))


def test_all_parameters_reach_a_key() -> None:
    for method, rates in itertools.product(FEEDBACK, ("two", "each")):
        ranges = FeedbackSearchSettings(rates=rates).ranges(method)  # type: ignore[arg-type]
        keys = own_keys(method, {name: low for name, (low, _) in ranges.items()}, 3)
        assert keys["lr"] == [0.01, 0.01, 0.01]
        table = keys.get("mirror", keys.get("primitives", keys))
        assert {name for name in ranges if name not in RATES} <= set(table)


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert circuitsim("run", "feedback-search", "--out", tmp_path / "run", *sets(TINY)) == 2
    assert "scenario feedback-search: got no package optuna; expected optuna 4 or newer" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()
