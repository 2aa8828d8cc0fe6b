"""Sweeps over any key: their table, shards, processes, and what a stopped one leaves."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import SMALL, circuitsim, measured, settings, skip_report, vary

import circuitsim as cs
from circuitsim.api.sweep_plan import divide
from circuitsim.errors import BadInput, Interrupted
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.training import TrainingRun

FIXED = {key: value for key, value in SMALL.items() if key != "sizes"} | {"epochs": 1}
VARY = {"sizes": [[64, 4, 64], [64, 8, 64]], "lr": [0.05, 0.5], "seed": range(2)}
LINEAR = {"hidden": "identity", "output": "identity"}


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def without_seconds(sweep: cs.Sweep) -> pd.DataFrame:
    """The metrics without those that no two runs have in common."""
    return sweep.metrics[sweep.metrics["metric"] != "seconds"].reset_index(drop=True)


def test_shapes_are_runs_and_the_rest_replicas(tmp_path: Path) -> None:
    sweep = cs.sweep("autoencoder", VARY, out=tmp_path / "sweep", **FIXED)
    assert [len(run.replicas) for run in sweep.runs] == [4, 4]
    assert list(sweep.metrics) == ["run", "replica", "epoch", "split", "metric", "value", "sizes", "lr", "seed"]
    assert sweep.metrics["lr"].dtype == float and sweep.metrics["replica"].nunique() == 8
    alone = cs.run("autoencoder", **FIXED, sizes=[64, 8, 64], lr=0.5, seed=1)
    rows = without_seconds(sweep).query("sizes == '[64, 8, 64]' and lr == 0.5 and seed == 1")["value"]
    assert list(rows) == list(measured(alone.folder)["value"])
    table = sweep.table
    assert list(table["sizes"]) == ["[64, 4, 64]"] * 2 + ["[64, 8, 64]"] * 2 and list(table["replicas"]) == [2] * 4
    assert sweep.best()["test mse"] == table["test mse"].min() and type(sweep.best()["lr"]) is float
    assert json.loads((tmp_path / "sweep/sweep.json").read_bytes())["vary"]["seed"] == [0, 1]
    assert repr(sweep).startswith("<Sweep: autoencoder over sizes, lr, seed, 2 runs, in ")


def test_division() -> None:
    scenario = load_scenario("autoencoder")
    values = {"rule": ["rec", "bp"], "sizes": [[64, 2, 64]], "lr": [0.1, 0.2, 0.3], "seed": list(range(10))}
    parts = divide(scenario, {}, values, 30)
    assert [part.count for part in parts] == [30, 30] and [part.values["rule"] for part in parts] == ["rec", "bp"]
    assert [part.count for part in divide(scenario, {}, values, 100)] == [60]
    assert [part.count for part in divide(scenario, {}, values, 10)] == [10] * 6
    assert len(divide(scenario, {}, values, 1)) == 60


@pytest.mark.nightly
def test_shards_and_processes_give_the_table_of_one(tmp_path: Path) -> None:
    whole = cs.sweep("autoencoder", VARY, out=tmp_path / "whole", replicas=2, **FIXED)
    assert len(whole.runs) == 4
    options: dict[str, Any] = {"out": tmp_path / "parts", "replicas": 2, **FIXED}
    first = cs.sweep("autoencoder", VARY, shard="1/2", **options)
    assert [int(run.folder.name) for run in first.runs] == [0, 2]
    both = cs.sweep("autoencoder", VARY, shard="2/2", workers="local:2", **options)
    pd.testing.assert_frame_equal(without_seconds(both), without_seconds(whole))


def test_a_stopped_sweep_goes_on_to_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cs.sweep("autoencoder", VARY, out=tmp_path / "whole", **FIXED)
    with monkeypatch.context() as patch:
        saved, count = TrainingRun.save_checkpoint, []

        def stop(self: TrainingRun) -> None:
            saved(self)
            count.append(1)
            if len(count) == 3:
                raise Interrupted("interrupted in a test", self.folder)

        patch.setattr(TrainingRun, "save_checkpoint", stop)
        with pytest.raises(Interrupted, match="run 1 of the sweep: interrupted in a test; the same sweep goes on with"):
            cs.sweep("autoencoder", VARY, out=tmp_path / "part", **FIXED)
    before = (tmp_path / "part/runs/0000/metrics.parquet").stat().st_mtime_ns
    again = cs.sweep("autoencoder", VARY, out=tmp_path / "part", **FIXED)
    assert (tmp_path / "part/runs/0000/metrics.parquet").stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(without_seconds(again), without_seconds(whole))


def test_divergence_is_an_outcome(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    values = {"sizes": [[64, 4, 64]], "lr": [0.01, 1e30]}
    sweep = cs.sweep("autoencoder", values, replicas=1, out=tmp_path / "sweep", **FIXED, **LINEAR)
    assert [one["state"] for one in sweep.states.values()] == ["complete", "diverged"]
    assert list(sweep.table["diverged"]) == [0, 1] and sweep.table["test mse"].isna().tolist() == [False, True]
    assert sweep.best()["lr"] == 0.01
    options = [*settings(epochs=1, **LINEAR), *vary(lr="1e30"), "--out", tmp_path / "other"]
    assert circuitsim("sweep", "autoencoder", *options) == 3
    assert "1 of 1 runs diverged, what they did is kept: run 0: " in capfd.readouterr().err


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = [*settings(epochs=1)[2:], *vary(sizes="[64,4,64],[64,8,64]", seed="0,1"), "--out", tmp_path / "sweep"]
    assert circuitsim("sweep", "autoencoder", *options) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "2 runs, 0 of them complete"
    assert lines[-4].split()[:5] == ["sizes", "replicas", "diverged", "test", "mse"]
    assert lines[-2].startswith("[64, 8, 64]  2") and lines[-1] == f"done: {tmp_path / 'sweep'}"
    assert circuitsim("sweep", "autoencoder", *options) == 0
    assert "2 runs, 2 of them complete" in capfd.readouterr().out
    assert circuitsim("sweep", "autoencoder", *options, "--set", "lr=0.5") == 2
    assert "expected values {" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"shard": "3"}, r"--shard 3: got '3'; expected K/N with 1 <= K <= N\. Write for example 3/10\."),
        ({"shard": "4/3"}, "--shard 4/3: got"),
        ({"workers": "9" * 5000}, r"--workers 9+\.\.\. \(5000 characters\): got "),
        ({"shard": f"{'9' * 5000}/1"}, r"--shard 9+\.\.\. \(5002 characters\): got "),
        ({"backend": "gpu"}, "backend: got 'gpu'; expected one of numpy, numba, cupy"),
        ({"dataset": "none.npz"}, r"data file none\.npz: got no such file"),
        ({"vary": {"sizes": [[64, 2, 64], [64, 2, 64]]}}, "key sizes: .* expected each value once: equal runs are not"),
        ({"lr": 0.1}, "key lr: got 'lr both set and varied'; expected one of the two"),
        ({"vary": {"sizes": [[64, 2, 64], [3, 2]]}}, r"key sizes: got \[3, 2\]; expected the last size equal to t"),
        ({"vary": {"learning_rate": [1]}}, r"key learning_rate: .* Did you mean lr\?"),
    ],
)
def test_refusals_come_before_anything_is_written(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    options = {"vary": {"lr": [0.1]}, **keys}
    with pytest.raises(BadInput, match=message):
        cs.sweep("autoencoder", out=tmp_path / "deep" / "sweep", **options)
    assert not list(tmp_path.iterdir())


def test_other_folders_and_scenarios_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"got a folder with 1 files; expected a new or empty folder\. Choose another"):
        cs.sweep("autoencoder", {"lr": [0.1]}, out=tmp_path)
    with pytest.raises(
        BadInput, match="sweep of recirculation-theory: got a computation; expected a scenario that tra"
    ):
        cs.sweep("recirculation-theory", {})
    with pytest.raises(BadInput, match=r"got no sweep\.json; expected a sweep's folder"):
        cs.Sweep(tmp_path)


def test_figures_by_kind_of_key() -> None:
    sweep = cs.sweep("autoencoder", {"rule": ["rec", "bp"], "lr": [0.01, 0.5]}, sizes=[64, 4, 64], **FIXED)
    (lines,) = sweep.plot().axes
    assert lines.get_xlabel() == "lr (logarithmic)" and len(lines.containers) == 2
    assert [text.get_text() for text in lines.get_legend().get_texts()] == ["rule rec", "rule bp"]
    cells = cs.sweep("autoencoder", {"momentum": [0.0, 0.5], "lr": [0.01, 0.5]}, sizes=[64, 4, 64], **FIXED).plot("bce")
    assert len(cells.axes[0].images) == 1 and len(cells.axes[0].texts) == 4
    with pytest.raises(BadInput, match="got accuracy; expected one of mse, bce"):
        sweep.plot("accuracy")
    shown = sweep._repr_html_()
    assert "<svg" in shown and "SD of test mse" in shown


def test_a_temporary_folder_goes_with_the_sweep() -> None:
    sweep = cs.sweep("autoencoder", {"lr": [0.1]}, sizes=[64, 4, 64], **(FIXED | {"epochs": 0}))
    folder = sweep.folder
    assert (folder / "metrics.parquet").is_file()
    del sweep
    gc.collect()
    assert not folder.exists()
