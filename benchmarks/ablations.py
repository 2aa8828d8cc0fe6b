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
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from cases import CASES, STUDY
from image_speed import EXAMPLES, autoencoder, classifier

from circuitsim import Simulator, data
from circuitsim.kernels.cpu import activations, backend, blas, correlation, ops, products, program

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
Variants = dict[str, Callable[[], AbstractContextManager[object]]]
VARIANTS: Variants = {
    "all on": nullcontext,
    "all on, again": nullcontext,
    "no scratch buffers": lambda: patch.object(program, "scratch_buffers", lambda *_: []),
    "tanh and exp of libm": lambda: patch.object(backend, "activations", LIBM_ACTIVATIONS),
    "products in one piece": lambda: patch.object(products, "gemm", in_one_piece),
    "products in pieces": lambda: patch.object(products, "gemm", in_pieces),
    "split by neurons alone": lambda: patch.object(ops, "TRAFFIC_RATIO", 0.0),
    "split by examples alone": lambda: patch.object(ops, "TRAFFIC_RATIO", np.inf),
}
OF_IMAGES: Variants = {
    "all on": nullcontext,
    "all on, again": nullcontext,
    "convolutions unfolded": lambda: patch.object(correlation, "suits", lambda _: False),
    "no scratch buffers": lambda: patch.object(program, "scratch_buffers", lambda *_: []),
}


def measure(
    engine: Callable[[], Simulator], variants: Variants, shape: tuple[int, int, int], repetitions: int
) -> dict[str, float]:
    """Return each variant's median ratio to `all on`; the shape is of examples, presentations and batch."""
    draw = np.random.default_rng(1)
    examples, count, batch = shape
    runs = {}
    for name, variant in variants.items():
        with variant():
            simulator = engine()
            simulator.present_each(draw.integers(0, examples, (2, batch)))  # compiles and binds
        runs[name] = simulator.present_each
    times = {name: np.empty(repetitions) for name in runs}
    for repetition in range(repetitions):
        for name in draw.permutation(list(runs)):
            batches = draw.integers(0, examples, (count, batch))
            begin = time.perf_counter()
            runs[name](batches)
            times[name][repetition] = time.perf_counter() - begin
    return {name: float(np.median(taken / times["all on"])) for name, taken in times.items()}


def head(variants: Variants) -> None:
    """Print the head of a table."""
    print("| case | " + " | ".join(list(variants)[1:]) + " |\n|" + "---|" * len(variants))


def row(label: str, ratios: dict[str, float]) -> None:
    """Print a row of a table."""
    print(f"| {label} | " + " | ".join(f"{ratio:.2f}" for ratio in list(ratios.values())[1:]) + " |", flush=True)


def main() -> None:
    """Print a table of dense circuits and one of images, with a row for each case."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repetitions", type=int, default=60)
    repetitions = arguments.parse_args().repetitions
    x = data.load("mnist", "float32", 20000, 1).train
    head(VARIANTS)
    for case in (c for c in (*CASES, STUDY) if c.rule in ("rec-rwcc", "bp", "own")):
        shape = (len(x), 200 if case.batch == 1 else 4, case.batch)
        times = repetitions if case.replicas == 1 else max(10, repetitions // 4)
        label = f"{case.replicas} replicas, {case.label}" if case.replicas > 1 else case.label
        row(label, measure(lambda case=case: case.engine(x), VARIANTS, shape, times))
    found = data.load("cifar10", "float32", EXAMPLES, 1)
    x, y = found.train, found.train_labels
    head(OF_IMAGES)
    nets: list[tuple[int, Callable[[], Any]]] = [
        *((64, partial(autoencoder, rule, 64, x)) for rule in ("rec", "bp")),
        *((100, partial(classifier, rule, 100, x, y, untied=False)) for rule in ("bp", "urfb")),
    ]
    for batch, net in nets:
        ratios = measure(lambda net=net: net()[1], OF_IMAGES, (len(x), 3, batch), max(10, repetitions // 4))
        row(net()[0], ratios)


if __name__ == "__main__":
    main()
