"""Measure what an epoch costs after many others: metrics are appended, so that the time of a run is linear in epochs.

Run: python benchmarks/epochs.py --epochs 250 500 1000 2000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = "from circuitsim.cli import main; main()"
SMALL = {"train_limit": 8, "test_limit": 8, "batch": 8, "sizes": "[64,2,64]"}


def cpu_seconds(epochs: int) -> tuple[float, int]:
    """Return the CPU time of a run of four replicas, and the bytes of its last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        keys = SMALL | {"epochs": epochs}
        options = [f"--set={key}={value}" for key, value in keys.items()]
        command = [sys.executable, "-c", RUN, "run", "autoencoder", *options, "--vary=seed=0,1,2,3", "--out=run"]
        before = os.times()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return used, max(path.stat().st_size for path in (Path(folder) / "run" / "checkpoint").iterdir())


def main() -> None:
    """Print a line for each number of epochs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, nargs="+", default=[250, 500, 1000, 2000])
    options = parser.parse_args()
    cpu_seconds(1)  # compiles
    base, _ = cpu_seconds(1)
    for epochs in options.epochs:
        used, size = cpu_seconds(epochs)
        each = 1000 * (used - base) / epochs
        print(f"{epochs} epochs: {used:.1f} s CPU, {each:.2f} ms an epoch; checkpoint {size} bytes", flush=True)


if __name__ == "__main__":
    main()
