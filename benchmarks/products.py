"""Rates of the matrix products of presentations, by library, as the engine calls them, on one thread.

Run: python benchmarks/products.py [--repetitions 15]

The shapes are those of the circuits in benchmarks/speed.py and of classifiers, whole and in the parts of two threads.
MKL has to be installed beside (pip install 'circuitsim[mkl]'). Libraries take turns within a repetition; a row has
medians in GFLOP/s, and what the engine chooses by itself.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from numba import njit

from circuitsim.kernels.cpu import blas
from circuitsim.kernels.cpu.providers import openblas, provider

SHAPES = [
    (100, 784, 20), (50, 784, 20), (100, 20, 784), (50, 20, 784), (64, 784, 256), (64, 784, 128), (64, 256, 784),
    (64, 256, 392), (100, 784, 100), (50, 784, 100), (100, 100, 20), (50, 100, 20), (100, 20, 100), (100, 256, 10),
    (50, 256, 10), (100, 784, 32), (100, 784, 48), (100, 784, 64), (1, 784, 20), (1, 20, 784), (1, 784, 256),
    (10, 64, 16), (100, 64, 32), (16, 256, 256),
]  # fmt: skip


@njit(nogil=True)
def _often(how: Any, a: Any, b: Any, c: Any, times: int) -> None:
    for _ in range(times):
        blas.product(how, a, b, c, 0)


def operands(kind: str, batch: int, pre: int, post: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a product's operands: what arrives through (post, pre) weights, back through them, or an increment."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((batch, pre)).astype("f"), rng.standard_normal((batch, post)).astype("f")
    w = rng.standard_normal((post, pre)).astype("f")
    return {"forward": (x, w.T, y), "back": (y, w, x), "increment": (y.T, x, w)}[kind]


def rate(how: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Return the GFLOP/s of a product."""
    work = 2 * a.shape[0] * a.shape[1] * b.shape[1]
    times = max(1, int(2e8 // work))
    _often(how, a, b, c, 1)
    begin = time.perf_counter()
    _often(how, a, b, c, times)
    return work * times / (time.perf_counter() - begin) / 1e9


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    given = parser.parse_args()
    chosen = blas.gemm("float32")
    alone = chosen.copy()
    alone[2] = 0
    contenders = {str(openblas()): alone}
    if provider() is not openblas():
        contenders[str(provider())] = np.array([chosen[2], 0, 0], np.int64)
        contenders["as chosen"] = chosen
    print(f"{'product':30}" + "".join(f"{name:>26}" for name in contenders))
    for batch, pre, post in SHAPES:
        for kind in ("forward", "back", "increment"):
            found = operands(kind, batch, pre, post)
            rows = [[rate(how, *found) for how in contenders.values()] for _ in range(given.repetitions)]
            each = [statistics.median(column) for column in zip(*rows, strict=True)]
            (m, n), k = found[2].shape, found[0].shape[1]
            print(f"{kind:10}{m}×{k}·{k}×{n}".ljust(30) + "".join(f"{one:26.0f}" for one in each), flush=True)


if __name__ == "__main__":
    main()
