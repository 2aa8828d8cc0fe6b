"""A whole run from the start of its process to its report, beside a script in PyTorch that does the same.

Run: CIRCUITSIM_DATA=… python benchmarks/whole_run.py [--repetitions 3] [--epochs 10]

PyTorch has to be there (pip install torch). Both train 784-256-784 on MNIST by recirculation, batch 64, and evaluate
both splits after every epoch. Ours also audits what ran, writes checkpoints and its report. They take turns; a row has
the median of wall-clock and of CPU seconds, and the median of the ratios within a repetition: above 1 the engine is
faster. One run of each goes first, so that both find their caches.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).with_name("whole_run_torch.py")
KEYS = ("dataset=mnist", "sizes=[784,256,784]", "batch=64", "lr=0.1")


def command(name: str, folder: str, epochs: int) -> list[str]:
    """Return the command line of a contender."""
    if name == "PyTorch":
        return [sys.executable, str(SCRIPT), folder, "--epochs", str(epochs)]
    keys = [part for key in (*KEYS, f"epochs={epochs}") for part in ("--set", key)]
    return [
        sys.executable,
        "-c",
        "from circuitsim.cli import main; main()",
        "run",
        "autoencoder",
        "--out",
        folder,
        *keys,
    ]


def seconds(name: str, epochs: int) -> tuple[float, float]:
    """Return the wall-clock and the CPU seconds of a contender's process."""
    with tempfile.TemporaryDirectory() as folder:
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        line = command(name, f"{folder}/run", epochs)
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Time both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    for name in ("engine", "PyTorch"):
        seconds(name, 1)
    pairs = [(seconds("engine", given.epochs), seconds("PyTorch", given.epochs)) for _ in range(given.repetitions)]
    print("| seconds | engine | PyTorch | PyTorch ÷ engine |\n|---|---|---|---|")
    for index, clock in enumerate(("wall clock", "CPU")):
        mine, other = (statistics.median(pair[who][index] for pair in pairs) for who in (0, 1))
        ratio = statistics.median(theirs[index] / ours[index] for ours, theirs in pairs)
        print(f"| {clock} | {mine:.1f} | {other:.1f} | **{ratio:.2f}** |")


if __name__ == "__main__":
    main()
