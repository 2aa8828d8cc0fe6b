"""Time that commands need to start: median processor time (user and system) in seconds, with compiled bytecode.

Run: python benchmarks/startup.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

COMMANDS = ("--help", "--version", "list")
TIMES = 7


def seconds(command: str, bytecode: str) -> float:
    """Return the processor time of a command in a process of its own that keeps bytecode in a folder."""
    before = os.times()
    code = "from circuitsim.cli import main; main()"
    given = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        stdout=subprocess.DEVNULL,
        env=given | {"PYTHONPYCACHEPREFIX": bytecode},
        check=True,
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as bytecode:
        for command in COMMANDS:
            seconds(command, bytecode)  # compiles
            median = statistics.median(seconds(command, bytecode) for _ in range(TIMES))
            print(f"circuitsim {command:10} {median:.2f} s")
