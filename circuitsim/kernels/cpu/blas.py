"""Matrix products by BLAS from compiled code, on arrays whose rows or columns need not follow each other."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from circuitsim.kernels.cpu.native import address, call_gemm
from circuitsim.kernels.cpu.providers import openblas, provider, unpacks_small

# mypy: disable-error-code="no-untyped-def"


SMALL = 1_000_000
"""Multiplications up to which OpenBLAS, where it has AVX-512, multiplies floats without repacking them first."""
# Products that OpenBLAS without repacking does faster than MKL, on a Xeon with AVX-512 (benchmarks/products.py):
FEW, LITTLE = 24, 250_000  # rows or columns, and multiplications, at most


@cache
def gemm(dtype: str) -> np.ndarray:
    """Return (3,): OpenBLAS's gemm, the multiplications above which it works in pieces, and another library's gemm.

    Measured on an AMD EPYC with AVX-512, one thread: (64, 784) by (784, 128) takes 85 GFLOP/s as a whole, 111 in pieces
    of 16 columns. 0: in one piece, and no other library.
    """
    first, other = openblas(), provider()
    pieces = dtype == "float32" and unpacks_small()
    more = 0 if other is first else other.addresses[dtype]
    return np.array([first.addresses[dtype], SMALL if pieces else 0, more], np.int64)


@njit(nogil=True, error_model="numpy")
def product(how, a, b, c, kept):
    """c = a b, or c += a b where c is kept: (m, k), (k, n), (m, n), each with rows or columns in one piece, c rows."""
    (m, n), k, width = c.shape, a.shape[1], c.itemsize
    # a single row or column lies either way
    turn_a, turn_b = int(k > 1 and a.strides[1] != width), int(n > 1 and b.strides[1] != width)
    lda = max(a.strides[turn_a] // width, m if turn_a else k)
    ldb = max(b.strides[turn_b] // width, k if turn_b else n)
    ldc = max(c.strides[0] // width, n)
    one = c.dtype.type(1)
    other = how[2] != 0 and not _is_unpacked(how[1], m, n, k, turn_b)
    library = how[2] if other else how[0]
    rows, columns = (m, max(n, 1)) if other else _pieces(how[1], m, n, k, turn_b)
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            # BLAS counts by columns: it is told the transposes, c' = b' a'
            call_gemm(library, turn_b, turn_a, min(columns, n - j), min(rows, m - i), k, one,
                      address(b) + j * b.strides[1], ldb, address(a) + i * a.strides[0], lda,
                      one if kept else one - one, address(c) + i * c.strides[0] + j * width, ldc)  # fmt: skip


@njit(nogil=True, error_model="numpy")
def _is_unpacked(small, m, n, k, turned):
    """Return True for a product that OpenBLAS does without repacking, and faster than another library."""
    if small == 0 or k < 8 or (turned and k < 64):
        return False
    return n <= FEW or ((m <= FEW or m * n * k <= LITTLE) and not (turned and k < 256))


@njit(nogil=True, error_model="numpy")
def _pieces(small, m, n, k, turned):
    """Return the rows and columns of one piece of a product; narrow pieces do not pay."""
    if m * n * k <= small or small == 0 or (turned and k < 256):  # b lies by columns, and these are short
        return m, max(n, 1)
    if n <= 32:
        most = small // (n * k)
        return (most // 4 * 4 if most >= 16 else m), n
    most = small // (m * k)
    if turned:
        return m, (min(most // 4 * 4, 16) if most >= 8 else n)
    return m, (most // 16 * 16 if most >= 16 else 8 if most >= 8 else n)
