"""Matrix products: what arrives at neurons, and what their synapses are to become."""

from __future__ import annotations

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.blas import gemm, product
from circuitsim.kernels.cpu.operands import read_all, read_examples, read_part, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")


def deliver(emitted: Array, across: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, i] (+)= sum_j emitted[r, b, j] across[r, j, i]."""
    how, kept = read_all(gemm(arriving.dtype.name)), read_all(np.array([1.0 if accumulate else 0.0], arriving.dtype))
    work = arriving.size * across.shape[1]
    return bind(
        _deliver, how, kept, read_examples(emitted), read_part(across, examples=None), write_part(arriving), work=work
    )


@kernel
def _deliver(how, kept, emitted, across, arriving, first, last, low, high, begin, end):
    for r in range(first, last):
        e = emitted[min(r, emitted.shape[0] - 1)]
        product(how, e[begin:end], across[r][:, low:high], arriving[r][begin:end, low:high], kept[0])


def outer(post: Array, pre: Array, target: Array) -> Step:
    """target[r, i, j] = sum_b post[r, b, i] pre[r, b, j]."""
    how, work = read_all(gemm(target.dtype.name)), target.size * post.shape[1]
    return bind(outer_kernel, how, read_part(post, examples=None), read_all(pre), write_part(target, 1), work=work)


@kernel
def outer_kernel(how, post, pre, target, first, last, low, high, begin, end):
    for r in range(first, last):
        across = post[min(r, post.shape[0] - 1)][:, low:high].T
        product(how, across, pre[min(r, pre.shape[0] - 1)], target[r][low:high], 0)
