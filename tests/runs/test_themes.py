"""The theme of a run's figures: an option of `run`, kept in config.json, changed by `resume`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from running import circuitsim, outcome, run, tree

import circuitsim as cs


def widths(folder: Path) -> dict[str, float]:
    """The width in inches of each figure that a run has drawn."""
    found = {}
    for path in (folder / "figures").glob("*.svg"):
        number, unit = re.findall(r'<svg [^>]*\bwidth="([0-9.]+)(pt)?"', path.read_text())[0]
        found[path.stem] = float(number) / (72 if unit else 96)
    return found


def theme_of(folder: Path) -> str:
    """The theme in config.json."""
    return str(json.loads((folder / "config.json").read_text())["theme"])


def test_a_theme_is_kept_and_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert run(folder, "--theme", "column", epochs=1) == 0
    assert theme_of(folder) == "column"
    first = widths(folder)
    assert first["test-mse"] == pytest.approx(3.3, abs=0.01) and max(first.values()) <= 3.31
    before = outcome(folder)
    assert circuitsim("resume", folder) == 0
    assert theme_of(folder) == "column" and widths(folder) == first
    assert circuitsim("resume", folder, "--theme", "columns") == 0
    assert theme_of(folder) == "columns" and 3.31 < max(widths(folder).values()) <= 7.01
    assert outcome(folder) == before
    kept = tree(folder)
    capsys.readouterr()
    assert circuitsim("resume", folder, "--theme", "wide") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--theme wide: got an unknown theme; expected one of page, column, columns." in said
    assert tree(folder) == kept
    assert circuitsim("run", "autoencoder", "--out", tmp_path / "none", "--theme", "wide") == 2
    assert not (tmp_path / "none").exists()


def test_the_help_names_the_themes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "resume"):
        assert circuitsim(command, "--help") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "--theme NAME" in said and "column (of a paper, 3.3 inches" in said


def test_a_folder_of_a_run_without_a_theme_has_that_of_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = cs.run("autoencoder", sizes=[64, 4, 64], epochs=1, train_limit=40, test_limit=20, out=folder, progress=False)
    assert done.settings["theme"] == theme_of(folder) == "page"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if key != "theme"}))
    cs.resume(folder, progress=False)
    assert max(widths(folder).values()) > 4
    cs.resume(folder, theme="column", progress=False)
    assert theme_of(folder) == "column" and max(widths(folder).values()) <= 3.31
