"""Comparison of runs: the table of differing settings, and the curves of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import circuitsim, run, skip_report, vary

import circuitsim as cs
from circuitsim.errors import BadInput


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        root = tmp_path_factory.mktemp("compared")
        assert run(root / "slow", *vary(seed="0,1,2")) == 0
        assert run(root / "fast", *vary(rule="rec,bp"), lr=0.1, epochs=2) == 0
    return root / "slow", root / "fast"


def test_the_table_has_what_differs_and_how_it_ended(folders: tuple[Path, Path]) -> None:
    found = cs.compare(folders)
    assert found.differing == ("epochs", "lr", "rule")
    table = found.table
    assert list(table["run"]) == ["slow", "fast", "fast"] and list(table["rule"]) == ["rec", "rec", "bp"]
    assert list(table["lr"]) == ["0.01", "0.1", "0.1"] and list(table["replicas"]) == [3, 1, 1]
    slow = cs.load_run(folders[0]).metrics
    last = slow[(slow["epoch"] == 3) & (slow["split"] == "test") & (slow["metric"] == "mse")]["value"]
    assert np.isclose(table["test mse"][0], last.mean()) and np.isclose(table["SD of test mse"][0], last.std())
    assert table["SD of test mse"].isna().tolist() == [False, True, True]


def test_the_figure_has_a_curve_for_each_group(folders: tuple[Path, Path]) -> None:
    figure = cs.compare([cs.load_run(folders[0]), folders[1]]).plot("mse", "test")
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"epochs 3, lr 0.01, rec", "epochs 2, lr 0.1, rec", "epochs 2, lr 0.1, bp"}


def test_equal_runs_are_told_apart(folders: tuple[Path, Path]) -> None:
    found = cs.compare([folders[0], folders[0]])
    assert found.names == ("slow-1", "slow-2") and found.differing == ()
    assert list(found.table["run"]) == ["slow-1", "slow-2"]
    assert repr(found) == "<Comparison of slow-1, slow-2>"


def test_the_command(folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("compare", *folders, "--out", tmp_path / "curves.svg") == 0
    out, _ = capfd.readouterr()
    lines = out.splitlines()
    assert lines[0].split()[:6] == ["run", "epochs", "lr", "rule", "replicas", "test"]
    assert lines[1].split()[:5] == ["slow", "3", "0.01", "rec", "3"] and "±" in lines[1] and "±" not in lines[2]
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8").count("</svg>") == 1
    assert circuitsim("compare", *folders, "--out", tmp_path / "curves.svg") == 2
    assert "Add --overwrite" in capfd.readouterr().err
    assert circuitsim("compare", *folders, "--out", tmp_path / "curves.txt") == 2
    assert "got the ending '.txt'; expected one of .pdf, .png, .svg" in capfd.readouterr().err


def test_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"compare: got no runs; expected at least one\. Name runs or their folders\."):
        cs.compare([])
    assert circuitsim("compare", tmp_path) == 2


def test_scenarios_may_differ(folders: tuple[Path, Path]) -> None:
    other = cs.run("classifier", train_limit=40, test_limit=20, epochs=1, sizes=[64, 10])
    found = cs.compare([folders[0], other])
    assert {"scenario", "sizes", "output"} <= set(found.differing) and "feedback" not in found.differing
    labels = [text.get_text() for text in found.plot("mse", "test").legends[0].get_texts()]
    assert any(label.startswith("autoencoder, ") and "sizes [64, 6, 64]" in label for label in labels)
    assert list(found.table["epochs"]) == [3, 1]
