"""Time that commands need to start: median processor time (user and system) in seconds.

Run: python benchmarks/startup.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

COMMANDS = ("--help", "--version", "list")
TIMES = 7


def seconds(command: str) -> float:
    """Return the processor time of a command in a process of its own."""
    before = os.times()
    code = "from circuitsim.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, *command.split()], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    for command in COMMANDS:
        print(f"circuitsim {command:10} {statistics.median(seconds(command) for _ in range(TIMES)):.2f} s")
