"""Odd command lines and configurations end in words; `python tests/fuzz.py` gives many more, and damaged files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import Fuzzer
from running import skip_report


def test_odd_lines_and_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    fuzzer = Fuzzer(tmp_path, 6)
    for _ in range(5):
        fuzzer.line()
        fuzzer.configuration()
    assert fuzzer.faults == [] and sum(fuzzer.counts.values()) == 10


def test_a_fault_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a traceback, of another exit status, and of what is left behind at status 2."""
    fuzzer = Fuzzer(tmp_path, 0)
    ends = iter([(0, ""), (-1, "Traceback"), (1, ""), (2, ""), (2, "")])
    left: list[dict[str, int]] = [{}, {}, {}, {}, {}, {}, {"x": 1}, {"x": 1}]  # before, and with status 2 after
    states = iter(left)
    monkeypatch.setattr("fuzz.outcome_of", lambda *_: next(ends))
    for _ in range(5):
        fuzzer.carry_out("line", ["run"], before=lambda: next(states))
    assert [fault.partition(": run")[0] for fault in fuzzer.faults] == [
        "line: status -1", "line: status 1", "line: left behind: ['x']",
    ]  # fmt: skip


@pytest.mark.nightly
def test_many_odd_inputs() -> None:
    script = Path(__file__).parent / "fuzz.py"
    command = [sys.executable, str(script), "--lines", "300", "--configurations", "300", "--files", "300"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("900 cases, 0 faults\n")
