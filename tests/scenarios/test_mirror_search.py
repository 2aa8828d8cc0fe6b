"""The search for a weight mirror: what it leaves, that it resumes to the same bits, and that its errors are right."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, nightly, skip_report, start, tree

from circuitsim import data
from circuitsim.analysis.reports.maps import Matrix, draw_matrices
from circuitsim.analysis.reports.search_plots import Searched, draw_history, draw_slices
from circuitsim.scenarios.mirror_search.report import ERROR, command, paired, transfer_table
from circuitsim.scenarios.mirror_search.runs import Runs
from circuitsim.scenarios.mirror_search.settings import SEARCHED, MirrorSearchSettings
from circuitsim.scenarios.trials import Notebook, Search, Trial

pytest.importorskip("optuna")

TINY: dict[str, Any] = {
    "hidden": [[6], [6, 5]],
    "trials": 4,
    "startup": 2,
    "seeds": 2,
    "test_seeds": 2,
    "epochs": 1,
    "train_limit": 200,
    "test_limit": 50,
    "angle_examples": 20,
}
DEPTHS = ["64-6-10", "64-6-5-10"]
OWN = {"config.json", "metrics.parquet", "report.html", "kept", "figures"}


def search(out: Path, *options: object, **keys: Any) -> int:
    """Run a tiny search into a folder; return the exit status."""
    given = [part for key, value in (TINY | keys).items() for part in ("--set", f"{key}={value}")]
    return circuitsim("run", "mirror-search", "--out", out, *given, *options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nothing interrupted."""
    out = tmp_path_factory.mktemp("search") / "whole"
    assert search(out) == 0
    return out


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def same(folder: Path, other: Path) -> None:
    """Numbers and figures are the same to the last bit."""
    pd.testing.assert_frame_equal(metrics(folder), metrics(other), check_exact=True)
    assert tree(folder / "figures") == tree(other / "figures")


def test_what_a_search_leaves(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == OWN
    drawn = {f"{name}.{kind}" for name in ("history", "slices", "transfer") for kind in ("svg", "csv")}
    assert {path.name for path in (whole / "figures").iterdir()} == drawn | {"best.csv"}
    frame = metrics(whole)
    assert list(frame.columns[:5]) == ["replica", "epoch", "split", "metric", "value"]
    tried = frame[(frame["stage"] == "search") & (frame["metric"] == "error")]
    assert set(tried["split"]) == {"held-out"}
    assert tried.groupby(["depth", "trial", "seed"]).ngroups == len(tried) == 2 * 4 * 2
    assert set(tried["seed"]) == {0, 1}
    for key in SEARCHED:
        assert tried[key].between(*config(whole)[key]).all()
        assert tried[key].nunique() == 8


def test_the_best_settings_are_those_of_least_error_and_all_are_tested_everywhere(whole: Path) -> None:
    frame, best = metrics(whole), pd.read_csv(whole / "figures" / "best.csv").set_index("depth")
    for depth in DEPTHS:
        own = frame[(frame["stage"] == "search") & (frame["depth"] == depth) & (frame["metric"] == "error")]
        means = own.groupby("trial")["value"].mean()
        assert best.loc[depth, "trial"] == means.idxmin() + 1
        assert best.loc[depth, ERROR] == means.min()
    table = pd.read_csv(whole / "figures" / "transfer.csv")
    ways = [*(f"wm of {depth}" for depth in DEPTHS), "bp", "fa"]
    assert [(row[0], row[1]) for row in table.to_numpy()] == [(depth, way) for depth in DEPTHS for way in ways]
    assert (table["seeds"] == 2).all()
    assert set(frame[frame["stage"] == "transfer"]["seed"]) == {2, 3}
    angles = table.set_index("feedback")["angle of B and Wᵀ (degrees)"]
    assert (angles["bp"] == 0).all()
    assert (angles["fa"] > 45).all()


def held_out_file(path: Path, limit: int, kept: int) -> Path:
    """The search's data as a file whose test examples are those that it holds out."""
    digits = data.load("digits", "float32", limit, 50)
    assert digits.train_labels is not None
    x, y = digits.train, digits.train_labels
    np.savez(path, x=x[:kept], y=y[:kept], x_test=x[kept:], y_test=y[kept:])
    return path


def test_the_objective_is_what_a_classifier_with_these_settings_gives(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    frame = metrics(whole)
    for depth, trial in ((DEPTHS[0], 0), (DEPTHS[1], 3)):
        rows = frame[(frame["depth"] == depth) & (frame["trial"] == trial) & (frame["metric"] == "error")]
        rate, decay, scale = (float(rows[key].iloc[0]) for key in SEARCHED)
        mirror = f"mirror={{ block_bias = true, rate = {rate!r}, decay = {decay!r}, scale = {scale!r} }}"
        own = {"dataset": str(held_out_file(tmp_path / f"{depth}.npz", 200, 160)), "feedback": "wm", "lr": 0.1}
        own |= {"batch": 20, "epochs": 1, "sizes": [int(n) for n in depth.split("-")]}
        given = [part for key, value in own.items() for part in ("--set", f"{key}={value}")]
        out = tmp_path / depth
        assert circuitsim("run", "classifier", *given, "--set", mirror, "--vary", "seed=0,1", "--out", out) == 0
        made = metrics(out)
        made = made[(made["split"] == "test") & (made["epoch"] == 1) & (made["metric"] == "error")]
        assert list(made.sort_values("seed")["value"]) == list(rows.sort_values("seed")["value"])


def test_the_command_in_the_report_gives_the_numbers_of_the_matrix(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    frame = metrics(whole)
    own = frame[(frame["stage"] == "transfer") & (frame["depth"] == DEPTHS[0]) & (frame["source"] == DEPTHS[0])]
    tried = {key: own[key].to_numpy()[:1] for key in SEARCHED}
    told = command(Searched(DEPTHS[0], np.zeros(1), tried), config(whole))
    assert told.replace("'", "&#x27;").replace('"', "&quot;") in (whole / "report.html").read_text()
    assert circuitsim(*shlex.split(told)[1:], "--out", tmp_path / "run") == 0
    made = metrics(tmp_path / "run")
    made = made[made["epoch"] == 1]
    for metric in ("error", "loss", "angle/W2", "angle/delta1", "norm_ratio/W2"):
        keys = ["split", "seed"]
        one, other = (f[f["metric"] == metric].sort_values(keys)["value"] for f in (made, own))
        assert len(one) >= 2
        assert list(one) == list(other)


@pytest.mark.parametrize(("where", "calls"), [nightly("trial", 0), ("trial", 5), nightly("transfer", 1)])
def test_interrupted_and_resumed_to_the_same_bits(
    where: str,
    calls: int,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The trials that ended before the interruption are not made again."""
    made, original = [0], getattr(Runs, where)

    def stop(self: Runs, *arguments: Any) -> Any:
        if made[0] == calls:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        made[0] += 1
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Runs, where, stop)
        assert search(tmp_path / "run") == 130
    assert capfd.readouterr().err == (
        "circuitsim: computation mirror-search: interrupted before its numbers were complete, kept/ has those that "
        f"were; go on with: circuitsim resume {tmp_path / 'run'}\n"
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "kept"}
    again: list[Any] = []

    def count(self: Runs, *arguments: Any) -> Any:
        again.append(arguments)
        return original(self, *arguments)

    monkeypatch.setattr(Runs, where, count)
    assert circuitsim("resume", tmp_path / "run") == 0
    assert len(again) == (8 if where == "trial" else 2) - calls
    same(tmp_path / "run", whole)


@pytest.mark.nightly
def test_killed_and_resumed_to_the_same_bits(whole: Path, tmp_path: Path) -> None:
    given = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    out = tmp_path / "a folder? 100% of #1"
    process = start("run", "mirror-search", *given, "--out", out)
    assert process.stdout is not None
    for line in process.stdout:
        if "trial 2 of 4" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    assert not (out / "metrics.parquet").exists()
    assert circuitsim("resume", out) == 0
    same(out, whole)


@pytest.mark.nightly
def test_another_seed_and_another_list_of_depths(whole: Path, tmp_path: Path) -> None:
    """What is tried at a depth depends on the seed and on no other depth."""
    assert search(tmp_path / "seed", "--seed", 1) == 0
    assert search(tmp_path / "depths", hidden=[[6, 5], [4]]) == 0
    found = []
    for folder in (whole, tmp_path / "depths", tmp_path / "seed"):
        frame = metrics(folder)
        rows = frame[(frame["stage"] == "search") & (frame["depth"] == DEPTHS[1])]
        found.append(rows[["value", *SEARCHED]].to_numpy())
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_resume_of_a_complete_search_draws_again(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs neither optuna nor the trials."""
    for name in ("config.json", "metrics.parquet"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert circuitsim("resume", tmp_path) == 0
    assert tree(tmp_path / "figures") == tree(whole / "figures")
    assert (tmp_path / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def test_overwritten(tmp_path: Path) -> None:
    """An earlier search is replaced whole; its trials are not taken for this one's."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "study.db").write_text("an earlier search's")
    assert search(tmp_path, trials=1) == 2
    assert search(tmp_path, "--overwrite", trials=1) == 0
    assert len(pd.read_csv(tmp_path / "figures" / "history.csv")) == 2


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert search(tmp_path / "run") == 2
    assert capfd.readouterr().err == (
        "circuitsim: scenario mirror-search: got no package optuna; expected optuna 4 or newer, which proposes the "
        "trials. Install it: pip install 'circuitsim[search]'\n"
    )
    assert not list(tmp_path.iterdir())


def test_old_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("optuna.__version__", "3.6.1")
    assert search(tmp_path / "run") == 2
    assert "scenario mirror-search: got optuna 3.6.1; expected optuna 4 or newer" in capfd.readouterr().err


LISTS = "a list of at least two lists of whole numbers >= 1, hidden units by layer, no list twice and none empty"
RANGE = "a list of two numbers above 0, the lower first. Correct the value of "
REFUSED = {
    "hidden=[[6]]": f"key hidden: got [[6]]; expected {LISTS}. Correct the value of hidden.",
    "hidden=[[6],[6]]": f"key hidden: got [[6], [6]]; expected {LISTS}. Correct the value of hidden.",
    "hidden=[[6],[]]": f"key hidden: got [[6], []]; expected {LISTS}. Correct the value of hidden.",
    "hidden=[[6],[0]]": f"key hidden: got [[6], [0]]; expected {LISTS}. Correct the value of hidden.",
    "rate=[0.0,1.0]": f"key rate: got [0.0, 1.0]; expected {RANGE}rate.",
    "decay=[1.0,0.1]": f"key decay: got [1.0, 0.1]; expected {RANGE}decay.",
    "scale=[0.1,0.5,1.0]": f"key scale: got [0.1, 0.5, 1.0]; expected {RANGE}scale.",
    "trials=0": "key trials: got 0; expected a whole number >= 1. Correct the value of trials.",
    "held_out=1.0": "key held_out: got 1.0; expected a number above 0 and below 1. Correct the value of held_out.",
    "held_out=0.001": "key held_out: got 0.001; expected a fraction that leaves at least one example on either side. "
    "There are 200 training examples.",
    "dataset=lowrank": "key dataset: got 'lowrank'; expected a data set with classes.",
    "dataset=nowhere": "name of a data set: got 'nowhere'; expected one of ",
    "train_limit=9999": "train_limit",
}


@pytest.mark.parametrize("given", REFUSED)
def test_bad_settings(given: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key, _, value = given.partition("=")
    assert search(tmp_path / "run", **{key: value}) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {REFUSED[given]}")
    assert not list(tmp_path.iterdir())


def test_nothing_is_varied(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "mirror-search", "--vary", "seed=0,1", "--out", tmp_path / "run") == 2
    assert "key seed: got '--vary seed'" in capfd.readouterr().err
    assert set(MirrorSearchSettings.FIXED) == set(MirrorSearchSettings.model_fields)


def keys(**own: Any) -> MirrorSearchSettings:
    return MirrorSearchSettings(**(TINY | own))


TOO_MUCH = {"rate": 1e38, "decay": 0.1, "scale": 1e30}


def test_settings_that_diverge_at_another_depth_do_not_end_the_others() -> None:
    mild = {"rate": 0.1, "decay": 0.1, "scale": 1.0}
    rows = pd.DataFrame(Runs(keys(), "numba").transfer(DEPTHS[1], {DEPTHS[0]: TOO_MUCH, DEPTHS[1]: mild}))
    table = transfer_table(rows, DEPTHS).set_index(["tested at", "feedback"]).loc[DEPTHS[1]]
    assert dict(table["diverged"]) == {f"wm of {DEPTHS[0]}": 2, f"wm of {DEPTHS[1]}": 0, "bp": 0, "fa": 0}
    assert table.loc[f"wm of {DEPTHS[0]}", "test error (%)"] == 100
    assert (table["test error (%)"][1:] < 95).all()
    alone = pd.DataFrame(Runs(keys(), "numba").transfer(DEPTHS[1], {DEPTHS[1]: mild}))
    both = rows[rows["source"] != DEPTHS[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone, check_exact=True)


def test_a_circuit_that_diverged_has_the_worst_error() -> None:
    value, rows = Runs(keys(), "numba").trial(DEPTHS[1], 0, TOO_MUCH)
    assert value == 100
    assert [(row.split, row.metric, row.value, row.seed) for row in rows] == [
        ("held-out", metric, v, seed) for seed in (0, 1) for metric, v in (("error", 100.0), ("diverged", 1.0))
    ]


def test_proposals_follow_from_the_trials_alone(tmp_path: Path) -> None:
    ranges = {"rate": (0.01, 1.0), "scale": (0.1, 10.0)}

    def tried(path: Path, seed: int) -> list[dict[str, float]]:
        found = []
        for _ in range(6):  # opened anew for each trial
            with Notebook(path, "of these settings") as notebook:
                one = Search(notebook, "depth", ranges, 3, seed)
                given = one.propose(one.trials())
                one.record(given, abs(np.log(given["rate"] / 0.1)) + given["scale"], [])
                found.append(given)
        return found

    first = tried(tmp_path / "a.db", 0)
    assert first == tried(tmp_path / "b.db", 0)
    assert first != tried(tmp_path / "c.db", 1)


def test_proposals_come_close_to_what_was_good(tmp_path: Path) -> None:
    with Notebook(tmp_path / "a.db", "of these settings") as notebook:
        search = Search(notebook, "depth", {"scale": (0.01, 100.0)}, 3, 0)
        drawn = 10 ** np.linspace(-2, 2, 30)
        trials = [Trial(n, {"scale": float(x)}, abs(float(np.log10(x)) - 1), []) for n, x in enumerate(drawn)]
        proposed = [np.log10(search.propose(trials[n:] + trials[:n])["scale"]) for n in range(10)]
        random = [np.log10(search.propose(trials[:n])["scale"]) for n in range(3)]
        assert np.mean(np.abs(np.array(proposed) - 1)) < 0.5  # at random it is 1.25
        backwards = [Trial(t.number, t.parameters, -t.value, []) for t in trials]
        assert random == [np.log10(search.propose(backwards[:n])["scale"]) for n in range(3)]
        assert search.propose(trials) != search.propose(backwards)


@pytest.mark.parametrize("kind", ["other settings", "no database", "other database"])
def test_a_file_of_trials_that_is_not_this_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(self: Runs, *_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Runs, "transfer", stop)
        assert search(tmp_path / "run", trials=1) == 130
    path = tmp_path / "run" / "kept" / "study.db"
    if kind == "other settings":
        text = (tmp_path / "run" / "config.json").read_text()
        (tmp_path / "run" / "config.json").write_text(text.replace('"lr": 0.1', '"lr": 0.2'))
    elif kind == "no database":
        path.write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    else:
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("create table version_info (a integer)")
        database.close()
    capfd.readouterr()
    assert circuitsim("resume", tmp_path / "run") == 2
    err = capfd.readouterr().err
    assert err.startswith(f"circuitsim: run folder {path}: got ")
    assert "; expected the trials that the run in this folder wrote. Put it back, or start the run anew" in err
    assert "Traceback" not in err


def test_differences_are_taken_between_equal_seeds() -> None:
    rows = [("transfer", "a", "test", "error", "wm", s, seed, v) for s, values in
            (("a", (5.0, 7.0, 9.0)), ("b", (6.0, 9.0, 12.0))) for seed, v in enumerate(values)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["stage", "depth", "split", "metric", "feedback", "source", "seed", "value"])
    mean, error = paired(frame, "a", "b")
    assert (mean, error) == (2.0, pytest.approx(1 / np.sqrt(3)))


def test_figures_of_what_is_unusual() -> None:
    """One trial, an error of nought, equal errors, a cell without a number."""
    tried = {"rate": np.array([0.1, 0.1]), "scale": np.array([1.0, 2.0])}
    searches = [
        Searched("a", np.array([0.0, 0.0]), tried),
        Searched("b", np.array([5.0]), {k: v[:1] for k, v in tried.items()}),
    ]
    assert [one.least for one in searches] == [0, 0]
    assert "a 0.000 at trial 1; b 5.000 at trial 1" in draw_history(searches, "error (%)").alt
    assert "rate, SD" in draw_slices(searches, {"rate": "rate", "scale": "SD"}, "error (%)").alt
    means = np.array([[1.0, np.nan], [100.0, 10.0]])
    for logarithmic in (False, True):
        matrix = Matrix("errors", "%", ["a", "b"], ["c", "d"], means, np.full((2, 2), np.nan), logarithmic)
        assert "a: 1.000, –; b: 100.0, 10.00" in draw_matrices([matrix], "tested at").alt
