"""Cost of a presentation as circuits grow: against layer width, batch, depth and replicas; draws docs/costs.svg.

Run: python benchmarks/costs.py [--repetitions 7] [--cpu-time] [--audit] [--out docs]

`--audit` measures the audit of all synapses instead, and draws nothing.

Recirculation (RWCC) through 784 units unless said. Engine and hand-written eager PyTorch take turns, as in `speed.py`;
points are medians, and bars reach from the lowest to the highest repetition. The floor is `speed.py`'s.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cases import BenchmarkCase
from speed import measure

from circuitsim import Simulator, data
from circuitsim.analysis.audits.examine import random_examples
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.circuits.autoencoder import circular_autoencoder

matplotlib.use("Agg")
import matplotlib.pyplot as plt

AXES: dict[str, dict[int, BenchmarkCase]] = {
    "hidden units": {n: BenchmarkCase((784, n, 784), 100, "rec-rwcc") for n in (8, 16, 32, 64, 128, 256, 512)},
    "examples in a batch": {n: BenchmarkCase((784, 64, 784), n, "rec-rwcc") for n in (1, 4, 16, 64, 256)},
    "hidden layers of 64": {n: BenchmarkCase((784, *[64] * n, 784), 100, "rec-rwcc") for n in (1, 2, 4, 8)},
    "replicas": {
        n: BenchmarkCase((784, 20, 784), 100, "rec-rwcc", seeds=tuple(range(n))) for n in (1, 2, 4, 8, 16, 32)
    },
}
STYLES = {"engine": ("#0072B2", "o", "-"), "eager": ("#D55E00", "s", "--")}
LABELS = {"engine": "engine", "eager": "PyTorch by hand", "floor": "floor"}


def table(x: np.ndarray, repetitions: int, clock: Callable[[], float]) -> list[dict[str, Any]]:
    """A row for each axis, value and contender, microseconds of a presentation of all replicas."""
    rows: list[dict[str, Any]] = []
    for axis, cases in AXES.items():
        for value, case in cases.items():
            found = measure(case, x, repetitions, 0.1, False, clock, kinds=tuple(STYLES))
            for name, times in found["times"].items():
                low, middle, high = np.quantile(times, [0, 0.5, 1]) * 1e6
                rows.append({"axis": axis, "value": value, "who": name, "low": low, "median": middle, "high": high})
            least = found["floor"] * 1e6
            rows.append({"axis": axis, "value": value, "who": "floor", "low": least, "median": least, "high": least})
            print(axis, value, *(f"{r['who']} {r['median']:.0f}" for r in rows[-3:]), flush=True)
    return rows


def audits() -> None:
    """Print processor time to test all synapses of an autoencoder by intervention, once, by its width."""
    for hidden in (16, 64, 256):
        circuit, protocol = circular_autoencoder([784, hidden, 784], bias=False)
        made = Simulator(circuit, protocol, batch=6, parameters={"lr": 0.1})
        made.use(*random_examples(circuit, 0))
        made.present(np.arange(6))  # compiles
        begin = time.process_time()
        found = intervene(made, np.arange(6), runs=1, seed=0)
        seconds = time.process_time() - begin
        print(f"784-{hidden}-784: {found.synapses} of {found.existing} synapses, {seconds:.2f} s", flush=True)


def draw(rows: list[dict[str, Any]], path: Path, unit: str) -> None:
    """Four panels side by side in two rows, both axes logarithmic."""
    figure, panels = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for axis, panel in zip(AXES, panels.flat, strict=True):
        for who, label in LABELS.items():
            own = [r for r in rows if r["axis"] == axis and r["who"] == who]
            values, medians = [r["value"] for r in own], [r["median"] for r in own]
            if who == "floor":
                panel.plot(values, medians, color="0.4", linestyle=":", label=label)
                continue
            colour, marker, line = STYLES[who]
            bars = [[r["median"] - r["low"] for r in own], [r["high"] - r["median"] for r in own]]
            panel.errorbar(values, medians, bars, color=colour, marker=marker, linestyle=line, label=label, capsize=2)
        panel.set(xscale="log", yscale="log", xlabel=axis, ylabel=unit)
        panel.set_xticks(list(AXES[axis]), [str(n) for n in AXES[axis]])
        panel.minorticks_off()
    panels[0, 0].legend()
    figure.savefig(path)


def main() -> None:
    """Measure, write the numbers, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--cpu-time", action="store_true", help="of all threads, in the place of wall-clock time")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--audit", action="store_true", help="measure the audit of all synapses alone")
    given = parser.parse_args()
    if given.audit:
        audits()
        return
    x = data.load("mnist", "float32", 20_000, 1).train
    rows = table(x, given.repetitions, time.process_time if given.cpu_time else time.perf_counter)
    with (given.out / "costs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, given.out / "costs.svg", "CPU time, µs a presentation" if given.cpu_time else "µs a presentation")


if __name__ == "__main__":
    main()
