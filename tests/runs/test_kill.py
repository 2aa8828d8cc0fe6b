"""A run that is killed and resumed ends in the same bits; `python tests/kill.py` does this at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.nightly
def test_five_kills() -> None:
    script = Path(__file__).parents[1] / "kill.py"
    command = [sys.executable, str(script), "--times", "5", "--epochs", "5", "--seed", "8"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("5 kills, 0 differences\n")
