"""The floor under a presentation: its matrix products at the best rate seen, and one pass over what it touches."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
from cases import BenchmarkCase


@cache
def rate(m: int, n: int, k: int) -> float:
    """The best floating-point operations a second of a product (m, k) (k, n), by NumPy's BLAS on all cores."""
    random = np.random.default_rng(0)
    best = 0.0
    left, right = (random.random(shape, np.float32) for shape in ((m, k), (k, n)))
    out = np.empty((m, n), np.float32)
    for _ in range(30):
        begin = time.perf_counter()
        for _ in range(5):
            np.matmul(left, right, out=out)
        best = max(best, 5 * 2 * m * n * k / (time.perf_counter() - begin))
    return best


@cache
def bandwidth() -> float:
    """The best bytes a second of a copy that fits no core's own cache, read and written."""
    source = np.ones(1 << 21, np.float32)
    target, best = np.empty_like(source), 0.0
    for _ in range(30):
        begin = time.perf_counter()
        np.copyto(target, source)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - begin))
    return best


def floor(case: BenchmarkCase) -> float:
    """Seconds."""
    batch, top = case.batch, len(case.sizes) - 1
    seconds = 0.0
    for h, (pre, post) in enumerate(zip(case.sizes, case.sizes[1:], strict=False), 1):
        again = (h < top) if case.rule not in ("bp", "rbp") else (h > 1)  # the second cycle, or the error's way down
        best = max(rate(batch, post, pre), rate(post, pre, batch), rate(batch, pre, post))
        seconds += (2 + again) * 2 * batch * pre * post / best
        seconds += 4 * (2 * pre * post + 2 * batch * post) / bandwidth()
    return seconds + 4 * 2 * batch * case.sizes[0] / bandwidth()
