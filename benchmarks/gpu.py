"""The engine on a GPU beside PyTorch on the same one, eager and as CUDA graphs; and many replicas beside one.

Run: python benchmarks/gpu.py [--repetitions 9] [--seconds 0.2] [--only TEXT] [--json FILE]
PyTorch has to be there, built for CUDA. All start from the same weights, must make the same of five batches before
anything is timed (speed.py), and then take turns. Batches are random numbers: what is computed takes as long as with
MNIST. `engine` is `present_each`, `one by one` the same through `present`. With --device cpu the engine's default
backend runs beside eager PyTorch on the processor: that tries the program out where there is no GPU, and says nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import Net, present
from cases import BenchmarkCase
from speed import verify

from circuitsim.errors import ConfigError
from circuitsim.kernels import backend

EXAMPLES, REPLICAS = 20_000, 64
LARGE, SMALL = ((784, 256, 784), 64), ((784, 20, 784), 100)
CASES = tuple(BenchmarkCase(sizes, batch, rule) for sizes, batch in (LARGE, SMALL) for rule in ("rec-pr", "bp"))
Contender = tuple[Callable[[np.ndarray], None], Callable[[], list[np.ndarray]]]


class Eager:
    """Presentations by hand, one kernel after the other."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def run(self, batches: np.ndarray) -> None:
        """Show the batches (batch, rows)."""
        with torch.no_grad():
            for rows in torch.from_numpy(batches).to(self.net.x.device):
                self.step(rows)

    def step(self, rows: torch.Tensor) -> None:
        """Show one."""
        present(self.net, rows)


class Graphed(Eager):
    """The same presentation captured once and replayed; its rows are copied to where it expects them."""

    def __init__(self, net: Net, batch: int) -> None:
        super().__init__(net)
        self._rows = torch.zeros(batch, dtype=torch.int64, device=net.x.device)
        kept = [w.clone() for w in (*net.weights, *net.biases)]
        with torch.no_grad():
            torch.cuda.synchronize()
            aside = torch.cuda.Stream()
            with torch.cuda.stream(aside):
                for _ in range(3):  # libraries take the memory that they want
                    present(net, self._rows)
            aside.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                present(net, self._rows)
            for w, values in zip((*net.weights, *net.biases), kept, strict=True):
                w.copy_(values)

    def step(self, rows: torch.Tensor) -> None:
        """Show one."""
        self._rows.copy_(rows)
        self._graph.replay()


def on(net: Net, device: str) -> Net:
    """A net on a device."""
    moved = {key: [w.to(device) for w in getattr(net, key)] for key in ("weights", "biases", "feedback")}
    return Net(net.x.to(device), **moved, activations=net.activations, rule=net.rule, lam=net.lam, rate=net.rate)


def contenders(case: BenchmarkCase, x: np.ndarray, device: str) -> dict[str, Contender]:
    """A contender: its name, a function that shows batches, and its weights."""
    kind = "cupy" if device == "cuda" else "numba"
    made, single = (case.engine(x, backend=kind) for _ in range(2))

    def of_engine(simulator: Any) -> Callable[[], list[np.ndarray]]:
        names = [f"A{h}.{q}" for q in ("weight", "bias") for h in range(1, len(case.sizes))]
        return lambda: [simulator.tensors()[name][r].copy() for r in range(case.replicas) for name in names]

    def one_by_one(batches: np.ndarray) -> None:
        for rows in batches:
            single.present(rows)

    found: dict[str, Contender] = {
        "engine": (made.present_each, of_engine(made)),
        "one by one": (one_by_one, of_engine(single)),
    }
    if case.replicas == 1:
        shared = torch.from_numpy(x)
        loops: dict[str, Eager] = {"eager": Eager(on(case.nets(made, shared)[0], device))}
        if device == "cuda":
            loops["graphs"] = Graphed(on(case.nets(made, shared)[0], device), case.batch)
        found |= {name: (loop.run, of_net(loop.net)) for name, loop in loops.items()}
    return found


def of_net(net: Net) -> Callable[[], list[np.ndarray]]:
    """Tells a net's weights."""
    return lambda: [w.detach().cpu().numpy().copy() for w in (*net.weights, *net.biases)]


def measure(
    parts: dict[str, tuple[BenchmarkCase, Contender]], repetitions: int, seconds: float, device: str
) -> dict[str, Any]:
    """Seconds of a presentation of each contender in each repetition, in turns."""
    random = np.random.default_rng(1)
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def taken(name: str, count: int) -> float:
        case, (run, _) = parts[name]
        batches = random.integers(0, EXAMPLES, (count, case.batch))
        run(batches[:1])
        wait()
        begin = time.perf_counter()
        run(batches)
        wait()
        return (time.perf_counter() - begin) / count

    for name in parts:
        taken(name, 20)
    counts = {name: max(4, int(seconds / taken(name, 20))) for name in parts}
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(repetitions):
        for name, count in counts.items():
            times[name].append(taken(name, count))
    return times


def told(times: dict[str, list[float]], label: str, columns: list[str]) -> str:
    """A line of the table: medians in microseconds, and ratios to the engine within a repetition."""
    cells = [f"{statistics.median(times[name]) * 1e6:.1f}" if name in times else "–" for name in columns]
    for name in columns[1:]:
        ratios = [b / a for a, b in zip(times["engine"], times.get(name, []), strict=False)]
        cells.append(f"**{statistics.median(ratios):.2f}**" if ratios else "–")
    return f"| {label} | " + " | ".join(cells) + " |"


def device_for(asked: str) -> str:
    """The device that can be had; the program ends where it cannot, and says what is missing."""
    if asked == "cpu":
        return asked
    try:
        backend("cupy")
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU; expected one built for CUDA. Install that, or try --device cpu.")
    torch.backends.cuda.matmul.allow_tf32 = False  # as the engine: float32 throughout
    return asked


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="that each contender runs in a repetition, about")
    parser.add_argument("--only", default="", help="measure cases whose label has this text")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--json", type=Path, help="where to keep all times")
    given = parser.parse_args()
    device = device_for(given.device)
    x = np.random.default_rng(0).random((EXAMPLES, 784), np.float32)
    kept = {}
    columns = ["engine", "one by one", "eager", *(["graphs"] if device == "cuda" else [])]
    print(
        "| case | " + " | ".join(f"{c}, µs" for c in columns) + "".join(f" | {c} ÷ engine" for c in columns[1:]) + " |"
    )
    print("|---" * (2 * len(columns)) + "|")
    for case in (case for case in CASES if given.only in case.label):
        found = contenders(case, x, device)
        verify(case, found, x)
        parts = {name: (case, part) for name, part in found.items()}
        kept[case.label] = measure(parts, given.repetitions, given.seconds, device)
        print(told(kept[case.label], case.label, columns), flush=True)
    print(f"\n| case | one, µs | {REPLICAS} replicas, µs | replicas ÷ one |\n|---|---|---|---|")
    for rule in ("rec-pr", "bp"):
        one, many = (BenchmarkCase(*LARGE, rule, seeds=tuple(range(n))) for n in (1, REPLICAS))
        if given.only in one.label:
            pair = {"engine": (one, contenders(one, x, device)["engine"])}
            pair["replicas"] = many, contenders(many, x, device)["engine"]
            kept[f"{REPLICAS} of {one.label}"] = measure(pair, given.repetitions, given.seconds, device)
            print(told(kept[f"{REPLICAS} of {one.label}"], one.label, ["engine", "replicas"]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
