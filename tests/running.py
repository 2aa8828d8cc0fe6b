"""The real command line in tests, in this process or in one of its own, and what it leaves on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from circuitsim.analysis.audits.audit import Audit, audit
from circuitsim.circuit.circuit import Circuit
from circuitsim.cli import main
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import spell
from circuitsim.runs.files import write_bytes
from circuitsim.runs.lookup import SCENARIOS
from circuitsim.runs.runfolder import read_tensors
from circuitsim.runs.study import Study
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedules

REAL_DATA = os.environ.get("CIRCUITSIM_DATA", "")
COMMAND = (sys.executable, "-c", "from circuitsim.cli import main; main()")
SMALL = {"sizes": [64, 6, 64], "train_limit": 40, "test_limit": 20, "batch": 8, "epochs": 3, "dtype": "float64"}
ENTRIES = {
    "config.json",
    "metrics.parquet",
    "metrics.jsonl",
    "initial.safetensors",
    "final.safetensors",
    "audit.json",
    "report.html",
    "figures",
    "checkpoint",
}


def nightly(*values: Any) -> Any:
    """Values of a parametrised test that only `-m nightly` takes."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def skip_report(monkeypatch: pytest.MonkeyPatch, *, experiments: bool = False) -> None:
    """Skip the report and, unless they are wanted, the experiments of the audit: both take longer than a small run."""

    def write(path: Path, content: object) -> None:
        write_bytes(path, b"<html></html>")
        (path.parent / "figures").mkdir(exist_ok=True)

    monkeypatch.setattr("circuitsim.analysis.reports.report.write_report", write)
    if not experiments:
        skip_experiments(monkeypatch)


def skip_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the experiments of the audit: it reads declarations alone."""

    def declared(circuit: Circuit, protocol: Protocol, *_: object, **__: object) -> Audit:
        return audit(make_schedules(circuit, protocol))

    monkeypatch.setattr("circuitsim.analysis.audits.examine.examine", declared)


def circuitsim(*arguments: object) -> int:
    """Run the command line in this process; return its exit status."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main() returned; it must exit with a status")


def settings(**keys: Any) -> list[str]:
    """`--set` options, on top of SMALL."""
    return [part for key, value in (SMALL | keys).items() for part in ("--set", f"{key}={spell(value)}")]


def vary(**keys: str) -> list[str]:
    """`--vary` options."""
    return [part for key, values in keys.items() for part in ("--vary", f"{key}={values}")]


def run(out: Path, *options: object, **keys: Any) -> int:
    """Run a small autoencoder into a folder; return the exit status."""
    return circuitsim("run", "autoencoder", "--out", out, *settings(**keys), *options)


def start(*arguments: object, **kwargs: Any) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C sends."""
    os.kill(process.pid, signal.SIGINT)


def metrics(folder: Path) -> pd.DataFrame:
    """metrics.parquet."""
    return pd.read_parquet(folder / "metrics.parquet")


def measured(folder: Path) -> pd.DataFrame:
    """metrics.parquet without the seconds, which no two runs have in common."""
    frame = metrics(folder)
    return frame[frame["metric"] != "seconds"].reset_index(drop=True)


def final(folder: Path) -> dict[str, np.ndarray]:
    """The tensors of final.safetensors."""
    return read_tensors(folder / "final.safetensors")


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, oldest first."""
    return sorted((folder / "checkpoint").iterdir())


def outcome(folder: Path) -> tuple[bytes, bytes]:
    """Everything of a run that must be the same to the last bit however often it was interrupted."""
    return (folder / "final.safetensors").read_bytes(), measured(folder).to_csv(float_format="%.17g").encode()


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def flat(lists: Iterable[list[int]]) -> list[int]:
    """One list of many."""
    return [number for one in lists for number in one]


class _Point:
    """An entry point that is not installed."""

    def __init__(self, scenario: AnyScenario) -> None:
        self.name, self._scenario = scenario.name, scenario

    def load(self) -> AnyScenario:
        return self._scenario


def installed(monkeypatch: pytest.MonkeyPatch, *scenarios: AnyScenario) -> None:
    """Let the command line find these scenarios beside those that are installed."""

    def points(group: str) -> list[Any]:
        own = [_Point(one) for one in scenarios] if group == SCENARIOS else []
        return [*own, *entry_points(group=group)]

    monkeypatch.setattr("circuitsim.runs.lookup.entry_points", points)
    monkeypatch.setattr("circuitsim.runs.tools.entry_points", points)


@contextmanager
def stopped_after(epoch: int) -> Iterator[None]:
    """End every run with an error after an epoch, which leaves what there is to resume."""
    ended = Study.end_epoch

    def end_epoch(self: Study) -> None:
        ended(self)
        if self.epoch == epoch:
            raise MemoryError("stopped here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "end_epoch", end_epoch)
        yield
