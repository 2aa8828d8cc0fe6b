"""The log of metrics: what a checkpoint knows of it, and what becomes of a damaged one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import checkpoints, circuitsim, metrics, outcome, run, skip_report, vary

from circuitsim.errors import RunFolderError
from circuitsim.runs.metrics_log import MetricRow, MetricsLog
from circuitsim.runs.progress import RunProgress
from circuitsim.runs.training import TrainingRun

ROWS = [MetricRow(n % 2, n // 2, "test", "mse", 0.1 / (n + 1)) for n in range(6)]


def log(folder: Path) -> MetricsLog:
    return MetricsLog(folder / "metrics.jsonl", folder / "metrics.parquet")


def test_rows_come_back_to_the_last_bit(tmp_path: Path) -> None:
    made = log(tmp_path)
    made.append(ROWS[:2])
    early = made.mark()
    made.append(ROWS)
    assert log(tmp_path).restore(made.mark()) == ROWS
    again = log(tmp_path)
    assert again.restore(early) == ROWS[:2]
    again.append([*ROWS[:2], ROWS[5]])  # what came after that checkpoint is cut off
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [MetricRow(*json.loads(line)) for line in lines] == [*ROWS[:2], ROWS[5]]


@pytest.mark.parametrize("damage", ["cut", "altered", "lost"])
@pytest.mark.parametrize("table", [True, False])
def test_a_damaged_log_is_made_again_from_the_table(damage: str, table: bool, tmp_path: Path) -> None:
    made, path = log(tmp_path), tmp_path / "metrics.jsonl"
    made.append(ROWS)
    if table:
        pd.DataFrame(ROWS, columns=list(MetricRow._fields)).to_parquet(tmp_path / "metrics.parquet")
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:40], "altered": whole.replace(b"mse", b"bce"), "lost": b""}[damage])
    if table:
        again = log(tmp_path)
        damaged = path.read_bytes()
        assert again.restore(made.mark()) == ROWS and path.read_bytes() == damaged  # the run may still be refused
        again.append(ROWS)
        assert path.read_bytes() == whole
    else:
        with pytest.raises(RunFolderError, match=r"metrics\.jsonl: got a content that does not .*; expected the file"):
            log(tmp_path).restore(made.mark())


@pytest.mark.parametrize("mark", [b"", b"{}", b'{"rows":-1,"length":1,"sha256":""}', b"[" * 10_000])
def test_a_mark_that_is_none(mark: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="validation error"):
        log(tmp_path).restore(np.frombuffer(mark, np.uint8))


def test_checkpoints_do_not_grow_and_tables_are_written_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    sizes: list[int] = []
    tables: list[int] = []
    write = TrainingRun._write_metrics

    def noted(self: TrainingRun) -> None:
        tables.append(self.study.epoch)
        write(self)

    def measured(self: RunProgress) -> None:
        if self._study.epoch:
            sizes.append(checkpoints(tmp_path / "run")[-1].stat().st_size)

    monkeypatch.setattr(TrainingRun, "_write_metrics", noted)
    monkeypatch.setattr(RunProgress, "measured", measured)
    assert run(tmp_path / "run", *vary(seed="0,1,2"), epochs=100, train_limit=8, test_limit=4) == 0
    # digits of counters and lengths; the last one has what the audit saw at the end as well
    assert max(sizes[:-1]) - min(sizes) <= 16
    assert tables[:8] == [1, 2, 3, 4, 5, 6, 7, 8] and len(tables) < 45 and tables[-1] == 100
    assert set(metrics(tmp_path / "run")["epoch"]) == set(range(101))


def test_a_lost_log_and_a_damaged_table_after_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    folder = tmp_path / "run"
    assert run(folder) == 0
    whole = outcome(folder)
    (folder / "metrics.parquet").write_bytes(b"PAR1")
    assert circuitsim("resume", folder) == 0 and outcome(folder) == whole
    (folder / "metrics.jsonl").unlink()
    assert circuitsim("resume", folder) == 0 and outcome(folder) == whole
    (folder / "metrics.jsonl").write_bytes(b"")
    (folder / "metrics.parquet").write_bytes(b"")
    assert circuitsim("resume", folder) == 2
    assert "Put it back, or start the run anew in another folder." in capfd.readouterr().err
