"""The engine beside hand-written PyTorch, torch.compile, autograd, and the floor; side by side in one process.

Run: python benchmarks/speed.py [--repetitions 7] [--only TEXT] [--no-compile] [--no-study] [--json FILE]
PyTorch has to be there (pip install torch); nothing else here needs it. On a machine that others use too, threads that
wait for each other wait for the others: many short repetitions with every thread on a core of its own, of which the
fastest tenth is quoted, tell what two undisturbed cores do:

NUMBA_NUM_THREADS=2 GOMP_CPU_AFFINITY="0 1" python benchmarks/speed.py --pinned --repetitions 200 --seconds 0.002 \
    --quantile 0.1 --no-compile

Before anything is timed every contender shows the same batches from the same weights, and must end in the same
weights. Then they take turns; a row has medians over repetitions, and medians of ratios within a repetition. The floor
is what the matrix products alone take at the best rate that this machine was seen to reach for them, on all its cores,
and one pass over the data that is read and the activities and weights that are written.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import Autograd, Loop
from cases import CASES, STUDY, BenchmarkCase
from floor import floor

from circuitsim import data

EXAMPLES = 20_000
COLUMNS = ("engine", "eager", "compiled", "autograd")
Run = Callable[[np.ndarray], None]


def contenders(
    case: BenchmarkCase, x: np.ndarray, compiled: bool
) -> dict[str, tuple[Run, Callable[[], list[np.ndarray]]]]:
    """A contender: its name, a function that shows batches, and its weights."""
    made = case.engine(x)
    shared = torch.from_numpy(x.copy())  # the data are read-only, which PyTorch does not know

    def weights(nets: list[Any]) -> Callable[[], list[np.ndarray]]:
        return lambda: [w.detach().numpy() for net in nets for w in (*net.weights, *net.biases)]

    def of_engine() -> list[np.ndarray]:
        tensors, layers = made.tensors(), range(1, len(case.sizes))
        names = [f"A{h}.{kind}" for kind in ("weight", "bias") for h in layers]
        return [tensors[name][replica] for replica in range(case.replicas) for name in names]

    found: dict[str, tuple[Run, Callable[[], list[np.ndarray]]]] = {"engine": (made.present_each, of_engine)}
    kinds: dict[str, Callable[[Any], Any]] = {"eager": Loop}
    if compiled and case.replicas == 1:
        kinds["compiled"] = lambda net: Loop(net, compiled=True)
    kinds["autograd"] = Autograd
    for name, kind in kinds.items():
        nets = case.nets(made, shared)
        loops = [kind(net) for net in nets]
        found[name] = (lambda batches, loops=loops: [loop.run(batches) for loop in loops] and None), weights(nets)
    return found


def verify(case: BenchmarkCase, taking_part: dict[str, Any], x: np.ndarray) -> None:
    """All must make of five batches the same weights, to what float32 allows, and of none other than they had."""
    batches = np.random.default_rng(0).integers(0, len(x), (5, case.batch))
    before = [w.copy() for w in taking_part["engine"][1]()]
    for run, _ in taking_part.values():
        run(batches)
    expected = taking_part["eager"][1]()
    moved = max(float(np.abs(a - b).max()) for a, b in zip(before, expected, strict=True))
    for name, (_, weights) in taking_part.items():
        apart = max(float(np.abs(a - b).max()) for a, b in zip(weights(), expected, strict=True))
        if not apart < 1e-3 * moved:
            raise SystemExit(f"{case.label}: {name} is {apart:.2g} from eager PyTorch, of {moved:.2g} that was learned")


def measure(
    case: BenchmarkCase,
    x: np.ndarray,
    repetitions: int,
    seconds: float,
    compiled: bool,
    clock: Callable[[], float],
    kinds: Sequence[str] = COLUMNS,
    pinned: bool = False,
) -> dict[str, Any]:
    """Seconds of a presentation of each contender in each repetition."""
    torch.compiler.reset()  # else it gives up after eight nets
    taking_part = {name: part for name, part in contenders(case, x, compiled).items() if name in kinds}
    verify(case, taking_part, x)
    random = np.random.default_rng(1)
    counts = {}
    for name, (run, _) in taking_part.items():
        batches = random.integers(0, len(x), (8 if case.replicas == 1 else 2, case.batch))
        run(batches)
        begin = clock()
        run(batches)
        counts[name] = max(2, int(seconds * len(batches) / (clock() - begin)))
    if pinned:
        _pin()
    times: dict[str, list[float]] = {name: [] for name in taking_part}
    for _ in range(repetitions):
        for name, (run, _) in taking_part.items():
            batches = random.integers(0, len(x), (counts[name], case.batch))
            time.sleep(0.02 if seconds > 0.05 else 0.002)  # threads of the one before go to sleep
            run(batches[:1])
            begin = clock()
            run(batches)
            times[name].append((clock() - begin) / len(batches))
    return {"case": case.label, "replicas": case.replicas, "floor": case.replicas * floor(case), "times": times}


def _pin() -> None:
    """The caller on the first core, the engine's helpers on those that follow."""
    helpers = [thread for thread in threading.enumerate() if thread.name.startswith("circuitsim-")]
    for core, thread in enumerate([threading.main_thread(), *helpers]):
        os.sched_setaffinity(thread.native_id or 0, {core})


def row(measured: dict[str, Any], quantile: float) -> str:
    """A line of the table: microseconds, and ratios to the engine."""
    times = measured["times"]
    medians = {name: float(np.quantile(found, quantile)) * 1e6 for name, found in times.items()}
    hand = {name: medians[name] for name in ("eager", "compiled") if name in medians}
    best = min(hand, key=hand.__getitem__)

    def ratio(name: str) -> float:
        if quantile != 0.5:
            return medians[name] / medians["engine"]
        return statistics.median(b / a for a, b in zip(times["engine"], times[name], strict=True))

    cells = [f"{medians[n]:.0f}" if n in medians else "–" for n in COLUMNS]
    cells += [f"{measured['floor'] * 1e6:.0f}", f"**{ratio(best):.2f}**", f"{ratio('autograd'):.2f}"]
    return f"| {measured['case']} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="that each contender runs in a repetition")
    parser.add_argument("--only", default="", help="measure cases whose label has this text")
    parser.add_argument("--quantile", type=float, default=0.5, help="of repetitions that is quoted")
    parser.add_argument("--pinned", action="store_true", help="every thread of the engine on a core of its own")
    parser.add_argument("--cpu-time", action="store_true", help="of all threads, in the place of wall-clock time")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--no-study", action="store_true", help="leave the study out")
    parser.add_argument("--json", type=Path, help="where to keep all times")
    given = parser.parse_args()
    x = data.load("mnist", "float32", EXAMPLES, 1).train
    print(
        "| case | " + " | ".join(f"{n}, µs" for n in (*COLUMNS, "floor")) + " | by hand ÷ engine | autograd ÷ engine |"
    )
    print("|---" * 8 + "|")
    clock = time.process_time if given.cpu_time else time.perf_counter
    found = []
    for case in (*CASES, *(() if given.no_study else (STUDY,))):
        if given.only in case.label + (", study" if case is STUDY else ""):
            found.append(
                measure(case, x, given.repetitions, given.seconds, not given.no_compile, clock, pinned=given.pinned)
            )
            if case is STUDY:
                found[-1]["case"] = f"study of {case.replicas} replicas, {case.label}"
            print(row(found[-1], given.quantile), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
