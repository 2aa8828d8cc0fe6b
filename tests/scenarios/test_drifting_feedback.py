"""Random feedback that turns: how fast, that it is `rbp` at rest, what is written and refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.scenarios.drifting_feedback.scenario import SCENARIO as DRIFTING
from circuitsim.scenarios.drifting_feedback.scenario import Drift, DriftSettings, circuit_settings, compute

SMALL_DRIFT: dict[str, Any] = {
    "dataset": "digits", "hidden": [8, 6], "lr": 0.05, "batch": 20, "epochs": 2, "train_limit": 100, "test_limit": 40,
    "map_examples": 10,
}  # fmt: skip


def test_drift_turns_as_fast_as_it_says() -> None:
    """B(phi) is phi degrees from B(0), and as long; after a full turn it is B(0)."""
    circuit, protocol = circular_autoencoder([9, 7, 4, 6, 9], "rbp")
    one = Simulator(circuit, protocol, batch=6, seeds=(3,), dtype="float64", backend="numpy")
    drift = Drift(one, 60.0, seed=3)
    start = one.tensors()["B3.weight"][0].copy()
    for epochs, cosine in ((0.5, np.sqrt(3) / 2), (1.0, 0.5), (1.5, 0.0), (6.0, 1.0)):
        drift.turn_to(epochs)
        now = one.tensors()["B3.weight"][0]
        assert np.vdot(start, now) / np.vdot(start, start) == pytest.approx(cosine, abs=1e-12)
        assert np.linalg.norm(now) == pytest.approx(np.linalg.norm(start))


def test_drift_at_rest_is_fixed_random_feedback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit the numbers of the scenario `autoencoder`."""
    skip_report(monkeypatch)
    keys = DriftSettings(**SMALL_DRIFT, feedback=0.0, seed=4)
    resting, turning = compute(keys), compute(DriftSettings(**SMALL_DRIFT, feedback=40.0, seed=4))
    sets = circuit_settings(keys).model_dump(
        include={"sizes", "rule", "lr", "batch", "epochs", "train_limit", "test_limit"}
    )
    options = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    assert (
        circuitsim("run", "autoencoder", "--out", tmp_path / "run", *options, "--set", "seed=4", "--set", "data_seed=0")
        == 0
    )
    frame = metrics(tmp_path / "run")
    expected = frame[frame["metric"].isin(["mse", "bce"])]["value"].to_numpy()
    own = resting[resting["metric"].isin(["mse", "bce"])]["value"].to_numpy()
    assert (own == expected).all()
    other = turning[turning["metric"].isin(["mse", "bce"])]["value"].to_numpy()
    assert (other[:4] == own[:4]).all() and (other[4:] != own[4:]).all()


def test_drifting_feedback_quick(tmp_path: Path) -> None:
    out = tmp_path / "run"
    varied = ("--vary", "feedback=rec,bp,top,0,30", "--vary", "seed=0,1")
    assert circuitsim("run", "drifting-feedback", "--quick", *varied, "--out", out) == 0
    numbers = pd.read_csv(out / "figures" / "numbers.csv").set_index("feedback")
    assert list(numbers.index) == [
        "recirculation",
        "backpropagation",
        "top layer alone",
        "random, fixed",
        "random, 30° an epoch",
    ]
    angle = numbers["layer 1: angle to backpropagation"]
    assert angle["backpropagation"] == pytest.approx(0, abs=1e-3)
    assert angle["recirculation"] < angle["random, fixed"] < 90
    turned = numbers["layer 2: last rotation"]
    assert turned["random, 30° an epoch"] == pytest.approx(30, abs=5)
    frame = metrics(out)
    rec = frame[(frame["feedback"] == "rec") & (frame["metric"] == "turn/map2") & (frame["epoch"] == 4)]["value"]
    assert turned["recirculation"] == pytest.approx(rec.mean())
    assert "degrees an epoch" in (out / "figures" / "drift.svg").read_text()


REFUSED_DRIFT = {
    "feedback=-1": r"key feedback: got -1(\.0)?; expected rec, arbp, bp, top, or a number of degrees an epoch >= 0",
    "feedback=rbp": r"key feedback: got 'rbp'; expected rec, arbp, bp, top, or a number of degrees",
    "hidden=[]": r"key hidden: got \[\]; expected a list of at least one whole number >= 1, units by layer",
    "dataset=faces": r"key dataset: got 'faces'; expected one of digits, cluttered-digits, mnist, fashion-mni",
}


@pytest.mark.parametrize("setting", REFUSED_DRIFT)
def test_refusals_of_drift(setting: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key = setting.partition("=")[0]
    option = ("--vary", setting) if key == "feedback" else ("--set", setting)
    assert circuitsim("run", "drifting-feedback", "--out", tmp_path / "run", *option) == 2
    assert re.search(REFUSED_DRIFT[setting], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


def test_missing_data_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CIRCUITSIM_DATA", str(tmp_path))
    assert circuitsim("run", "drifting-feedback", "--set", "dataset=fashion-mnist", "--out", tmp_path / "run") == 2
    assert "data set 'fashion-mnist': got no files here" in capfd.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()
    assert DRIFTING.check is not None
