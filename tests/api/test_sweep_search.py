"""Searches: ranges, proposals that follow from outcomes alone, examples held out, the test of what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import skip_report

import circuitsim as cs
from circuitsim.api.sweep_search import read_range
from circuitsim.errors import BadInput, Interrupted
from circuitsim.runs.training import TrainingRun

TINY: dict[str, Any] = {"epochs": 1, "train_limit": 100, "test_limit": 40, "batch": 20, "sizes": [64, 4, 10]}
VARY = {"lr": "0.01..1", "hidden": ["tanh", "relu"], "seed": range(2)}
SEARCH: dict[str, Any] = {"search": "tpe", "trials": 5, "at_once": 2}


@pytest.fixture(scope="module", autouse=True)
def _ready() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        yield


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, _ready: None) -> cs.Sweep:
    """A search over a range and choices, carried out whole."""
    return cs.sweep("classifier", VARY, out=tmp_path_factory.mktemp("search") / "whole", **SEARCH, **TINY)


def without_seconds(sweep: cs.Sweep) -> pd.DataFrame:
    return sweep.metrics[sweep.metrics["metric"] != "seconds"].reset_index(drop=True)


def test_ranges() -> None:
    assert read_range("1e-3..1") == (0.001, 1.0) and read_range(" 8 .. 64 ") == (8, 64)
    assert type(read_range("8..64")[0]) is int and type(read_range("8..64.0")[0]) is float  # type: ignore[index]
    assert [read_range(text) for text in ("tanh", "1", 3, "a..b", "..2")] == [None] * 5


@pytest.mark.nightly
def test_a_search_that_was_stopped_tries_the_same(
    found: cs.Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        saved, count = TrainingRun.save_checkpoint, list[int]()

        def stop(self: TrainingRun) -> None:
            saved(self)
            count.append(1)
            if len(count) == 6:
                raise Interrupted("interrupted in a test", self.folder)

        patch.setattr(TrainingRun, "save_checkpoint", stop)
        with pytest.raises(Interrupted, match="run 2 of the sweep: interrupted in a test"):
            cs.sweep("classifier", VARY, out=tmp_path / "part", **SEARCH, **TINY)
    again = cs.sweep("classifier", VARY, out=tmp_path / "part", **SEARCH, **TINY)
    pd.testing.assert_frame_equal(without_seconds(again), without_seconds(found))


def test_trials_are_judged_by_examples_held_out(found: cs.Sweep) -> None:
    table = found.table
    assert list(table["trial"]) == [0, 1, 2, 3, 4, -1] and list(table["replicas"]) == [2] * 5 + [5]
    trials, test = table.iloc[:-1], table.iloc[-1]
    assert (
        trials["lr"].between(0.01, 1).all()
        and trials["lr"].nunique() == 5
        and set(trials["hidden"]) <= {"tanh", "relu"}
    )
    least = trials.loc[trials["held-out error"].idxmin()]
    assert (test["lr"], test["hidden"]) == (least["lr"], least["hidden"]) and np.isnan(test["held-out error"])
    assert trials["test error"].isna().all() and found.best()["test error"] == test["test error"]
    assert not any("held-out" in key for key in found.best())
    assert {run.settings["held_out"] for run in found.runs[:-1]} == {0.2} and found.runs[-1].settings["held_out"] == 0
    assert sorted(found.metrics.query("trial == -1")["seed"].unique()) == [2, 3, 4, 5, 6]
    alone = cs.run(
        "classifier", lr=float(least["lr"]), hidden=least["hidden"], held_out=0.2, vary={"seed": [0, 1]}, **TINY
    )
    last = alone.metrics.query("epoch == 1 and split == 'test' and metric == 'error'")["value"]
    assert last.mean() == least["held-out error"]
    assert len(found.plot().axes) == 2


def test_trials_are_kept_where_optuna_reads_them(found: cs.Sweep) -> None:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(found.folder / "trials.log")))
    study = optuna.load_study(study_name="classifier", storage=storage)
    trials = found.table.iloc[:-1]
    assert [trial.value for trial in study.trials] == list(trials["held-out error"])
    assert [trial.params["lr"] for trial in study.trials] == list(trials["lr"])


def test_a_divergence_is_the_worst_outcome(tmp_path: Path) -> None:
    linear = {"hidden": "identity", "output": "identity", "epochs": 1, "train_limit": 100, "sizes": [64, 4, 64]}
    found = cs.sweep("autoencoder", {"lr": [0.01, 1e30]}, out=tmp_path / "s", search="tpe", trials=3, **linear)
    assert found.best()["lr"] == 0.01 and 0 < found.table["diverged"].sum() < 3
    with pytest.raises(BadInput, match="got trials that all diverged; expected at least one that did not"):
        cs.sweep("autoencoder", {"lr": [1e29, 1e30]}, out=tmp_path / "lost", search="tpe", trials=1, **linear)


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ({"lr": "1..0.1"}, {}, r"key lr: got \['1\.\.0\.1'\]; expected one range LOW\.\.HIGH with LOW < HIGH"),
        ({"lr": ["0.1..1", "2..3"]}, {}, "key lr: .* expected one range"),
        ({"seed": "0..9"}, {}, "key seed: got .*; expected one range|nothing to search"),
        ({"seed": range(3)}, {}, "--search: got 'nothing to search'; expected a key with a range"),
        ({"lr": "0.1..1"}, {"trials": 0}, r"--trials: got \[0, 4\]; expected numbers >= 1 of trials"),
        ({"lr": "0.1..1"}, {"search": "grid"}, "--search: got 'grid'; expected tpe, or no search"),
        ({"lr": "0.1..1"}, {"shard": "1/2"}, "--shard: got '1/2'; expected no shard. Trials follow from earlier ones"),
        ({"lr": [0.1]}, {"search": None}, "--trials: got 3; expected a search. Add --search tpe"),
        ({"lr": "0.1..1"}, {"lr": 0.1}, "key lr: got 'lr both set and varied'"),
        (
            {"lr": "0.1..1"},
            {"held_out": 0},
            "key held_out: got 0; expected a fraction above 0. The test split must not",
        ),
        ({"lr": "0.1..1"}, {"held_out": "x"}, "key held_out: got 'x'; expected a number from 0 to below 1"),
        ({"lr": "-1..1"}, {}, r"key lr: got -1\.0; expected"),
        ({"epochs": "1..3"}, {"epochs": 1}, "key epochs: got 'epochs both set and varied'"),
    ],
)
def test_refusals(vary: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"search": "tpe", "trials": 3, **options}
    with pytest.raises(BadInput, match=message):
        cs.sweep("classifier", vary, out=tmp_path / "sweep", **given)
    assert not list(tmp_path.iterdir())
