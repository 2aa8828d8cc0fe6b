"""Feedback rules on residual networks: equal budgets, settings carried over, noise, and ranks of errors by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics

from circuitsim.analysis.error_signals import effective_rank
from circuitsim.runs.config import build, spell
from circuitsim.scenarios.alignment_depth.report import budget
from circuitsim.scenarios.alignment_depth.runs import Runs, noisy, own_keys
from circuitsim.scenarios.alignment_depth.settings import AlignmentDepthSettings
from circuitsim.scenarios.classifier.ended import ended, trained

pytest.importorskip("optuna")

TINY: dict[str, Any] = {
    "dataset": "digits",
    "downsample": 1,
    "carried": ["chain20"],
    "methods": ["kp", "frozen"],
    "trials": 2,
    "startup": 1,
    "noise": [1.0],
    "test_seeds": 2,
    "epochs": 1,
    "batch": 20,
    "train_limit": 60,
    "test_limit": 20,
    "angle_examples": 10,
}


def test_ranks_by_hand() -> None:
    """One direction has rank 1, equal variances along n axes have rank n, zeros have none."""
    one = np.outer([1.0, -2.0, 0.5], [3.0, 0.0, 1.0, 2.0])
    many = np.eye(4)[:3]
    uneven = np.diag([2.0, 1.0, 0.0, 0.0])[:3]
    found = effective_rank(np.stack([one, many, uneven, np.zeros((3, 4))]))
    np.testing.assert_allclose(found[:3], [1.0, 3.0, (4 + 1) ** 2 / (16 + 1)])
    assert np.isnan(found[3])


def test_the_frozen_baseline_learns_above_alone() -> None:
    assert own_keys("frozen", {"lr": 0.5}, 5, 2) == {"feedback": "bp", "lr": [0.0, 0.0, 0.0, 0.5, 0.5]}
    runs = Runs(build(AlignmentDepthSettings, TINY), "numba")
    (one,) = runs.settings_of("resnet8", "frozen", {"lr": 0.5}, [0])
    study = trained(noisy(0.0, 0), [one], runs.data, "numba")
    (group,) = study.groups
    fresh = noisy(0.0, 0).design(one)
    drawn = type(group.simulator)(fresh.circuit, fresh.protocol, seeds=[0], batch=20).tensors()
    changed = {name for name, array in group.simulator.tensors().items() if (array != drawn[name]).any()}
    top = one.top
    learning = {h for h in range(1, top + 1) if f"W{h}.weight" in changed}
    assert learning == set(range(top - 6, top + 1))  # the last block: three convolutions, three gains; the top


@pytest.mark.nightly
def test_noise_is_the_rate_times_a_normal_number() -> None:
    runs = Runs(build(AlignmentDepthSettings, TINY), "numba")
    (one,) = runs.settings_of("resnet8", "bp", {"lr": 1e-3}, [0])
    still, shaken = (trained(noisy(level, 3), [one], runs.data, "numba").tensors() for level in (0.0, 50.0))
    apart = (shaken["W1.weight"] - still["W1.weight"]).ravel()
    updates = 3  # of 60 examples in batches of 20
    assert np.std(apart) == pytest.approx(1e-3 * 50.0 * np.sqrt(updates), rel=0.25)


@pytest.mark.nightly
def test_budgets_transfer_and_resumption(tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = [part for key, value in TINY.items() for part in ("--set", f"{key}={spell(value)}")]
    assert circuitsim("run", "alignment-depth", "--out", out, *sets) == 0
    rows = metrics(out)
    errors = rows[(rows["metric"] == "error") & (rows["split"] != "train")]
    trials = errors[errors["stage"] == "search"].groupby("feedback")["trial"].nunique()
    assert trials.to_dict() == dict.fromkeys(TINY["methods"], 2)
    tested = errors[errors["stage"] == "test"].groupby(["feedback", "network"])["seed"].apply(list).to_dict()
    assert tested == {(m, n): [1, 2] for m in TINY["methods"] for n in ("resnet8", "chain20")}
    assert (errors[errors["stage"] == "noise"]["noise"] == 1.0).all()
    assert rows["metric"].str.startswith("rank/bp").any()
    table = pd.read_csv(out / "figures" / "transfer.csv")
    assert len(table) == 4 and (table["seeds"] == 2).all()
    assert (out / "report.html").exists()


@pytest.mark.parametrize("rates", [[1e12], [0.01, 1e12]])
def test_a_trial_that_diverges_counts_as_the_worst(rates: list[float]) -> None:
    """The statistics of neurons that normalise overflow before weights do; the others go on."""
    runs = Runs(build(AlignmentDepthSettings, {**TINY, "epochs": 2}), "numba")
    trained = [runs.settings_of("resnet8", "sa", {"lr": lr, "rate": 1.0, "decay": 10.0}, [0])[0] for lr in rates]
    found = ended(trained, runs.data, "numba", noisy(0.0, 0))
    errors = {replica: value for replica, split, metric, value in found if (split, metric) == ("test", "error")}
    assert errors.pop(len(rates) - 1) == 100.0
    assert all(0 < value <= 100 for value in errors.values())


def test_the_budget_is_said_in_whole_words() -> None:
    config = {
        "trials": 1,
        "network": "resnet8",
        "startup": 1,
        "seeds": 1,
        "held_out": 0.25,
        "test_seeds": 1,
        "epochs": 1,
    }
    text = budget(config)
    assert "1 trial on resnet8" in text and "1 circuit on the last 25 %" in text
    assert "1 other seed. " in text and text.endswith("for 1 epoch.")
    assert "16 trials" in budget({**config, "trials": 16}) and "5 epochs." in budget({**config, "epochs": 5})
