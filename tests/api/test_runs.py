"""Runs from Python: the same keys, errors and bits as on the command line."""

from __future__ import annotations

import gc
import json
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import SMALL, circuitsim, measured, outcome, settings, skip_report, vary

import circuitsim as cs
from circuitsim.errors import BadInput, Diverged, Interrupted, RunFolderError
from circuitsim.randomness import generator
from circuitsim.runs.training import TrainingRun

VARY = {"rule": ["rec", "bp"], "seed": range(2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command line, with two rules and two seeds."""
    found = tmp_path_factory.mktemp("runs") / "by-command"
    options = [*settings(momentum=0.5), *vary(rule="rec,bp", seed="0,1")]
    assert circuitsim("run", "autoencoder", "--out", found, *options) == 0
    return found


def small(**keys: Any) -> cs.Run:
    """A small autoencoder, started from Python."""
    return cs.run("autoencoder", **{**SMALL, "sizes": (64, 6, 64), **keys})


def test_python_gives_the_bits_of_the_command_line(folder: Path, tmp_path: Path) -> None:
    here = small(momentum=np.float64(0.5), vary=VARY, out=tmp_path / "by-python")
    assert outcome(here.folder) == outcome(folder)
    pd.testing.assert_frame_equal(measured(here.folder), measured(folder))
    read = [json.loads((one / "config.json").read_bytes()) for one in (here.folder, folder)]
    assert read[0] == read[1]


def test_metrics_are_tidy_and_numbers_are_numbers() -> None:
    run = small(epochs=1, vary={"max_norm": [None, 2], "lam": [0.5, [0.1, 0.2]], "seed": [3]})
    frame = run.metrics
    assert list(frame) == ["replica", "epoch", "split", "metric", "value", "max_norm", "lam", "seed"]
    assert frame["max_norm"].dtype == np.float64 and frame["seed"].dtype == np.int64
    first = frame[frame["replica"] == 0]
    assert first["max_norm"].isna().all() and set(frame["max_norm"].dropna()) == {2.0}
    assert set(frame["lam"]) == {0.5, "[0.1, 0.2]"}
    assert set(frame["epoch"]) == {0, 1}


def test_one_replica_has_its_varied_key_as_a_column() -> None:
    assert set(small(epochs=0, vary={"seed": [4]}).metrics["seed"]) == {4}


def test_settings_audit_report_and_folder(folder: Path) -> None:
    run = cs.load_run(folder)
    assert run.settings["rule"] == ["rec", "rec", "bp", "bp"] and run.settings["lr_bias"] == 0.01
    assert (run.settings["scenario"], run.settings["backend"], run.settings["sizes"]) == (
        "autoencoder",
        "numba",
        [64, 6, 64],
    )
    assert run.audit is not None and not run.audit.local
    assert repr(run.audit) == "<Audit: not local: weight-transport>"
    assert "Remedy: give the feedback projection weights" in str(run.audit)
    assert json.loads(json.dumps(run.audit)) == json.loads((folder / "audit.json").read_bytes())
    assert run.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run.folder == folder and repr(run) == f"<Run: autoencoder, 4 replicas, in {folder}>"


def test_tensors_of_a_replica_and_of_all(folder: Path) -> None:
    run = cs.load_run(folder)
    every = run.tensors(replica=None)
    assert every["A1.weight"].shape == (4, 6, 64)
    assert np.array_equal(run.tensors(2)["A1.weight"], every["A1.weight"][2])
    assert not np.array_equal(run.tensors(2)["A1.weight"], run.tensors(2, initial=True)["A1.weight"])
    alone = small(epochs=0)
    assert alone.tensors()["A1.weight"].shape == (6, 64) and alone.tensors(None)["A1.weight"].shape == (1, 6, 64)


def test_tensors_that_a_replica_lacks_are_left_out() -> None:
    run = small(epochs=0, sizes=[64, 6, 64], vary={"rule": ["rec", "rbp"]})
    assert "B2.weight" not in run.tensors(0) and "B2.weight" in run.tensors(1)


@pytest.mark.parametrize("replica", range(4))
def test_a_simulator_goes_on_as_the_run_would_have(folder: Path, replica: int) -> None:
    """With momentum, whose velocities no tensor has: three more presentations against a run that is longer."""
    simulator = cs.load_run(folder).simulator(replica)
    assert np.array_equal(simulator.tensors()["A1.weight"][0], cs.load_run(folder).tensors(replica)["A1.weight"])
    assert simulator.presentations == 15 and simulator.examples == 40
    rule, seed = [(rule, seed) for rule in ("rec", "bp") for seed in (0, 1)][replica]
    longer = small(momentum=0.5, rule=rule, seed=seed, epochs=4)
    order = generator(0, "order of presentations", 3).permutation(40)
    for first in range(0, 40, 8):
        simulator.present(order[first : first + 8])
    assert np.array_equal(simulator.tensors()["A2.weight"][0], longer.tensors()["A2.weight"])


def test_a_simulator_without_checkpoints_has_the_final_weights(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("checkpoint"))
    simulator = cs.load_run(copy).simulator(1)
    assert np.array_equal(simulator.tensors()["A2.weight"][0], cs.load_run(folder).tensors(1)["A2.weight"])


def test_a_temporary_folder_lives_as_long_as_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    run = small(epochs=0)
    folder = run.folder
    assert (folder / "config.json").is_file()
    del run
    gc.collect()
    assert not folder.parent.exists()


def test_a_refused_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(BadInput, match="Set sizes"):
        small(sizes=[5, 5])
    assert not list(tmp_path.iterdir())


def test_a_diverged_run_keeps_its_folder_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Diverged) as caught:
        small(lr=1e30, hidden="identity", output="identity")
    (kept,) = tmp_path.glob("*/autoencoder")
    assert f"circuitsim.load_run({str(kept)!r})" in "".join(caught.value.__notes__)
    assert set(cs.load_run(kept).metrics["epoch"]) == {0}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"learning_rate": 1}, r"key learning_rate: got 1; expected one of .* Did you mean lr\?"),
        ({"lr": "x"}, r"key lr: got 'x'; expected a number >= 0, or a list .*\. Correct the value of lr\."),
        ({"vary": {"rule": "rec"}}, r"key rule: got 'rec'; expected a list of the values to vary\. Write vary="),
        ({"vary": {"seed": []}}, r"key seed: got 'vary without values'; expected a list of at least one value\."),
        ({"vary": {"sizes": [[64, 2, 64]]}, "sizes": [64, 2, 64]}, "key sizes: got '--vary sizes'; expected a key th"),
        ({"vary": {"n_epochs": [1]}}, r"key n_epochs: got --vary of an unknown key; .* Did you mean epochs\?"),
        ({"config": "missing.toml"}, "--config missing.toml: got .* expected a readable TOML file"),
        ({"backend": "fortran"}, "fortran"),
    ],
)
def test_errors_are_those_of_the_command_line(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        cs.run("autoencoder", **keys)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(BadInput, match=r"scenario autoencodr: got an unknown name; .* Did you mean autoencoder\?"):
        cs.run("autoencodr")


def test_precedence_of_config_quick_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    run = cs.run("autoencoder", config={"epochs": 7, "lr": 0.5, "batch": 9}, quick=True, train_limit=30, epochs=0)
    assert [run.settings[key] for key in ("epochs", "lr", "batch", "train_limit", "test_limit")] == [0, 0.5, 9, 30, 200]


def test_an_interrupted_run_is_resumed(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = TrainingRun.save_checkpoint

    def stop(self: TrainingRun) -> None:
        saved(self)
        if self.study.epoch == 1:
            raise Interrupted("interrupted in a test", self.folder)

    monkeypatch.setattr(TrainingRun, "save_checkpoint", stop)
    with pytest.raises(Interrupted, match="go on with: circuitsim resume"):
        small(momentum=0.5, vary=VARY, out=tmp_path / "stopped")
    monkeypatch.setattr(TrainingRun, "save_checkpoint", saved)
    assert outcome(cs.resume(tmp_path / "stopped").folder) == outcome(folder)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"got no config\.json; expected a run folder"):
        cs.load_run(tmp_path)


def test_plots_of_what_was_measured(folder: Path) -> None:
    run = cs.load_run(folder)
    figure = run.plot()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["mse on test data", "mse on train data"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [group.label for group in run.results.groups]
    curve = figure.axes[0].lines[0].get_ydata()
    rows = run.metrics[(run.metrics["metric"] == "mse") & (run.metrics["split"] == "test")]
    best = rows[rows["rule"] == run.results.groups[0].label].groupby("epoch")["value"].mean()
    assert np.allclose(curve, best)
    assert len(run.plot("bce", "test").axes) == 1
    with pytest.raises(BadInput, match=r"plot: got metric accuracy; expected one that was measured: mse, bce, seconds"):
        run.plot("accuracy")
    with pytest.raises(BadInput, match=r"replica of <Run: .*>: got 4; expected a whole number from 0 to 3\."):
        run.tensors(4)


def test_a_run_pickles_as_its_folder(folder: Path) -> None:
    again = pickle.loads(pickle.dumps(cs.load_run(folder)))
    assert again.folder == folder and again.settings == cs.load_run(folder).settings


@pytest.mark.nightly
def test_the_other_kinds_of_scenario() -> None:
    computed = cs.run("recirculation-theory", quick=True)
    assert computed.audit is None and len(computed.metrics) and computed.report.is_file()
    with pytest.raises(BadInput, match=r"simulator of recirculation-theory: got a computation; expected a scenario th"):
        computed.simulator()


def test_a_run_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the worker of a cluster, where no handlers of signals can be set."""
    skip_report(monkeypatch)
    found: list[cs.Run] = []
    thread = threading.Thread(target=lambda: found.append(small(epochs=1)))
    thread.start()
    thread.join()
    here = small(epochs=1)
    assert list(measured(found[0].folder)["value"]) == list(measured(here.folder)["value"])
