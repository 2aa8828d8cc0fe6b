"""Matrix products by BLAS from compiled code, on arrays whose rows or columns need not follow each other."""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numba import njit
from numba.extending import get_cython_function_address
from threadpoolctl import LibController, ThreadpoolController

from circuitsim.kernels.cpu.native import address, call_gemm

# mypy: disable-error-code="no-untyped-def"


SMALL = 1_000_000
"""Multiplications up to which OpenBLAS, where it has AVX-512, multiplies floats without repacking them first."""
# Off elsewhere: forced on an AMD EPYC with AVX2 alone it takes up to 1.56 times the CPU time of a presentation.
UNPACKED = ("SkylakeX", "Cooperlake", "SapphireRapids")


@cache
def gemm(dtype: str) -> np.ndarray:
    """Return (2,): the address of SciPy's gemm, and the number of multiplications above which it works in pieces.

    Measured on an AMD EPYC with AVX-512, one thread: (64, 784) by (784, 128) takes 85 GFLOP/s as a whole, 111 in pieces
    of 16 columns. 0: in one piece.
    """
    name = {"float32": "sgemm", "float64": "dgemm"}[dtype]
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    library = _openblas()
    pieces = dtype == "float32" and library is not None and library.architecture in UNPACKED
    return np.array([address, SMALL if pieces else 0], np.int64)


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
    rows, columns = _pieces(how[1], m, n, k, turn_b)
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            # BLAS counts by columns: it is told the transposes, c' = b' a'
            call_gemm(how[0], turn_b, turn_a, min(columns, n - j), min(rows, m - i), k, one,
                      address(b) + j * b.strides[1], ldb, address(a) + i * a.strides[0], lda,
                      one if kept else one - one, address(c) + i * c.strides[0] + j * width, ldc)  # fmt: skip


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


@cache
def _openblas() -> LibController | None:
    """SciPy's OpenBLAS, if that is what it multiplies with."""
    importlib.import_module("scipy.linalg")
    found = ThreadpoolController().select(internal_api="openblas").lib_controllers
    return next((library for library in found if "scipy" in Path(library.filepath).parent.name), None)


@cache
def _setter() -> Callable[[int], int]:
    """Return the function that sets how many threads SciPy's OpenBLAS uses and returns how many there were.

    Where there is none it does nothing: then the library decides by itself.
    """
    library = _openblas()
    for name in ("scipy_openblas_set_num_threads_local", "openblas_set_num_threads_local"):
        function = getattr(ctypes.CDLL(library.filepath), name, None) if library else None
        if function is not None:
            found: Callable[[int], int] = function
            return found
    return lambda count: count


class OneThread:
    """Let SciPy's OpenBLAS use one thread a product for as long as any program runs.

    The number of threads decides the last bits of a product. It is set before the first part of a program may begin,
    and given back after the last part of the last program has ended.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._before = threading.Lock(), 0, 1

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._before = _setter()(1)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                _setter()(self._before)

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of the programs that ran."""
        self._lock, self._running = threading.Lock(), 0


one_thread = OneThread()
os.register_at_fork(after_in_child=one_thread.forget)
