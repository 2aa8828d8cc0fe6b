"""Runs that are killed and resumed end in the same bits; `python tests/kill.py` does this at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.nightly
def test_twenty_kills_of_runs_of_all_kinds() -> None:
    script = Path(__file__).parents[1] / "kill.py"
    command = [sys.executable, str(script), "--times", "20", "--seed", "8"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 kills of " in done.stdout and "differences\n" in done.stdout
