"""Time of a presentation with one device of the CPU kernels switched off, relative to all of them on.

Usage: python benchmarks/ablations.py [--repetitions N]

All variants run in turn, in random order, within one process; each ratio is the median over repetitions of the time
with the device off, divided by the time with it on that was measured beside it. A ratio above 1 is a gain.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
from cases import CASES, STUDY, BenchmarkCase

from circuitsim import data
from circuitsim.kernels.cpu import activations, backend, blas, ops, products, program

LIBM = """
import numpy as np
from numba import njit
from circuitsim.kernels.cpu.expansions import softmax_of

@njit(nogil=True, error_model="numpy")
def tanh_of(row):
    for i in range(row.shape[0]):
        row[i] = np.tanh(row[i])

@njit(nogil=True, error_model="numpy")
def logistic_of(row):
    one = row.dtype.type(1)
    for i in range(row.shape[0]):
        row[i] = one / (one + np.exp(-row[i]))
"""


def without_expansions() -> types.ModuleType:
    """Return the activations with tanh and exp of the C library."""
    functions, made = types.ModuleType("libm_functions"), types.ModuleType("libm_activations")
    exec(LIBM, vars(functions))
    sys.modules |= {functions.__name__: functions, made.__name__: made}
    source = Path(activations.__file__).read_text().replace("circuitsim.kernels.cpu.expansions", functions.__name__)
    exec(compile(source, "libm_activations.py", "exec"), vars(made))
    return made


def in_pieces(dtype: str) -> np.ndarray:
    """Return what `blas.gemm` returns, with products of floats always in pieces."""
    how: np.ndarray = blas.gemm(dtype).copy()
    how[1] = blas.SMALL if dtype == "float32" else 0
    return how


def in_one_piece(dtype: str) -> np.ndarray:
    """Return what `blas.gemm` returns, with products never in pieces."""
    how: np.ndarray = blas.gemm(dtype).copy()
    how[1] = 0
    return how


LIBM_ACTIVATIONS = without_expansions()
VARIANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "all on": nullcontext,
    "all on, again": nullcontext,
    "no scratch buffers": lambda: patch.object(program, "scratch_buffers", lambda *_: []),
    "tanh and exp of libm": lambda: patch.object(backend, "activations", LIBM_ACTIVATIONS),
    "products in one piece": lambda: patch.object(products, "gemm", in_one_piece),
    "products in pieces": lambda: patch.object(products, "gemm", in_pieces),
    "split by neurons alone": lambda: patch.object(ops, "TRAFFIC_RATIO", 0.0),
    "split by examples alone": lambda: patch.object(ops, "TRAFFIC_RATIO", np.inf),
}


def measure(case: BenchmarkCase, x: np.ndarray, repetitions: int) -> dict[str, float]:
    """Return each variant's median ratio to `all on`."""
    draw = np.random.default_rng(1)
    runs = {}
    for name, variant in VARIANTS.items():
        with variant():
            simulator = case.engine(x)
            simulator.present_each(draw.integers(0, len(x), (2, case.batch)))  # compiles and binds
        runs[name] = simulator.present_each
    count = 200 if case.batch == 1 else 4
    times = {name: np.empty(repetitions) for name in runs}
    for repetition in range(repetitions):
        for name in draw.permutation(list(runs)):
            batches = draw.integers(0, len(x), (count, case.batch))
            begin = time.perf_counter()
            runs[name](batches)
            times[name][repetition] = time.perf_counter() - begin
    return {name: float(np.median(taken / times["all on"])) for name, taken in times.items()}


def main() -> None:
    """Print a table with a row for each case."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repetitions", type=int, default=60)
    repetitions = arguments.parse_args().repetitions
    x = data.load("mnist", "float32", 20000, 1).train
    chosen = [c for c in (*CASES, STUDY) if c.rule in ("rec-rwcc", "bp", "own")]
    print("| case | " + " | ".join(list(VARIANTS)[1:]) + " |")
    for case in chosen:
        ratios = measure(case, x, repetitions if case.replicas == 1 else max(10, repetitions // 4))
        print(
            f"| {case.label} | " + " | ".join(f"{ratio:.2f}" for ratio in list(ratios.values())[1:]) + " |", flush=True
        )


if __name__ == "__main__":
    main()
