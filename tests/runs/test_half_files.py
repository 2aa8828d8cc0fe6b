"""Half files, damaged ones and bombs: removed, made again, or told in one line with what to do."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, installed, measured, outcome, run, skip_report, tree

from circuitsim.data import load
from circuitsim.errors import DataError, RunFolderError
from circuitsim.runs.config import Settings
from circuitsim.runs.scenario import Computation
from circuitsim.runs.tables import read_frame


class _Keys(Settings):
    most: int = 3


def _count(keys: _Keys) -> pd.DataFrame:
    return pd.DataFrame({"epoch": range(keys.most), "split": "train", "metric": "number", "value": range(keys.most)})


def _finish(folder: Path, frame: pd.DataFrame, _: object) -> None:
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "report.html").write_text(f"{len(frame)} numbers")


@pytest.fixture(autouse=True)
def _without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    installed(monkeypatch, Computation("counting", "whole numbers", _Keys, _count, _finish))


@pytest.mark.parametrize("place", ["", "figures", "checkpoint"])
def test_half_files_are_removed_at_the_next_start(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert circuitsim("run", "counting", "--out", folder) == 0
    (folder / place).mkdir(exist_ok=True)
    half = folder / place / ".depth.svg.0123.partial"
    half.write_bytes(b"<svg")
    assert circuitsim("resume", folder) == 0
    assert not half.exists()
    half.write_bytes(b"<svg")
    assert circuitsim("run", "counting", "--overwrite", "--out", folder) == 0
    assert not list(folder.rglob("*.partial"))


def _flip_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(np.int64(2).tobytes())] ^= 1
    path.write_bytes(content)


TABLES: dict[str, Callable[[Path], Any]] = {
    "no table": lambda path: path.write_bytes(b"PAR1 and nothing else"),
    "one bit": _flip_one_bit,
    "no rows": lambda path: pd.read_parquet(path).iloc[:0].to_parquet(path),
    "another order": lambda path: pd.read_parquet(path).iloc[::-1].to_parquet(path),
    "other words": lambda path: pd.read_parquet(path).assign(metric="x").to_parquet(path),
}


@pytest.mark.parametrize("damage", TABLES)
def test_a_damaged_table_of_a_finished_computation_is_computed_again(
    damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert circuitsim("run", "counting", "--out", folder) == 0
    whole = measured(folder)
    TABLES[damage](folder / "metrics.parquet")
    assert circuitsim("resume", folder) == 0
    assert "; it is computed again" in capfd.readouterr().out
    assert measured(folder).equals(whole)


@pytest.mark.nightly
def test_a_damaged_table_of_a_finished_member_is_written_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert circuitsim("run", "learning-channels", "--quick", "--set", "epochs=1", "--out", folder) == 0
    whole = measured(folder)
    member = json.loads((folder / "members.json").read_text())[0]["name"]
    (folder / "members" / member / "metrics.parquet").write_bytes(b"")
    assert circuitsim("resume", folder) == 0
    assert f"member {member}: table " in capfd.readouterr().out
    assert measured(folder).equals(whole)


def test_a_table_that_cannot_be_read_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "metrics.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunFolderError, match=r"got a file that cannot be read .* Write it again: circuitsim resume "):
        read_frame(tmp_path / "metrics.parquet")
    with pytest.raises(RunFolderError, match=r"No such file"):
        read_frame(tmp_path / "none.parquet")


DAMAGED_AUDITS: dict[str, Callable[[Path], Any]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "empty": lambda path: path.write_bytes(b""),
    "no UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a list": lambda path: path.write_text("[]"),
    "of another run": lambda path: path.write_text(path.read_text().replace('"hash": "', '"hash": "0')),
    "lost": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGED_AUDITS)
def test_a_damaged_audit_of_a_finished_run_is_made_again(damage: str, tmp_path: Path) -> None:
    assert run(tmp_path / "run") == 0
    before = tree(tmp_path / "run")
    path = tmp_path / "run" / "audit.json"
    DAMAGED_AUDITS[damage](path)
    assert tree(tmp_path / "run") != before
    assert circuitsim("resume", tmp_path / "run") == 0
    again, whole = json.loads(path.read_bytes()), json.loads(before["audit.json"] or b"")
    assert again["hash"] == whole["hash"] and again.keys() == whole.keys()
    assert {name: content for name, content in tree(tmp_path / "run").items() if name != "audit.json"} == {
        name: content for name, content in before.items() if name != "audit.json"
    }


def test_lost_checkpoints_beside_tensors_of_another_shape(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "run") == 0 and run(tmp_path / "other", sizes=[64, 5, 64]) == 0
    whole = outcome(tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoint").iterdir():
        path.unlink()
    assert circuitsim("resume", tmp_path / "run") == 0  # from the tensors before training
    assert outcome(tmp_path / "run") == whole
    for path in (tmp_path / "run" / "checkpoint").iterdir():
        path.unlink()
    other = (tmp_path / "other" / "initial.safetensors").read_bytes()
    (tmp_path / "run" / "initial.safetensors").write_bytes(other)
    capfd.readouterr()
    assert circuitsim("resume", tmp_path / "run") == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuitsim.data.npz.free_memory", lambda: 10**6)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((1000, 200)))
    assert path.stat().st_size < 10**4
    with pytest.raises(DataError, match=r"bomb\.npz: got \d+ bytes when unpacked; expected at most 1000000, as memory"):
        load(str(path))
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size > 10**6


def test_a_full_disk_at_the_start_of_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    optuna = pytest.importorskip("optuna")
    from sqlalchemy.exc import OperationalError

    def full(*_: object, **__: object) -> None:
        raise OperationalError("CREATE TABLE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(optuna.storages, "RDBStorage", full)
    assert circuitsim("run", "mirror-search", "--quick", "--out", tmp_path / "run") == 1
    err = capfd.readouterr().err
    assert "cannot be used now" in err and err.endswith("Free some space, then resume.\n") and err.count("\n") == 1


def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(tmp_path / "run") == 1
    assert "Free some space, then resume." in capfd.readouterr().err
    assert not list((tmp_path / "run").rglob("*.partial"))
