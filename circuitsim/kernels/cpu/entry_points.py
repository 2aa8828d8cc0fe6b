"""Kernels at an address: all are called alike, with a table that says where their operands are, and a share.

A kernel is a function of arrays in Numba's subset. For the types of its operands an entry is generated and compiled
that takes the arrays from the table; it is cached on disk, under a name that changes with the kernels' sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from circuitsim.compilation import compiled_callback
from circuitsim.kernels.sources import loaded

ENTRY = """# {name} of {module}, kernels of {digest}
from numba import types

from circuitsim.kernels.cpu.native import operand

{kinds}


def entry(table, first, last, low, high, begin, end):
    kernel({operands}, first, last, low, high, begin, end)
"""
SIGNATURE = types.void(types.CPointer(types.int64), *[types.int64] * 6)  # type: ignore[no-untyped-call]


def address_of(kernel: Any, arrays: Sequence[np.ndarray]) -> tuple[int, np.ndarray]:
    """Return the address of a kernel for operands of these types, and the table of these operands."""
    kinds = tuple((a.dtype.name, a.ndim, "C" if a.flags.c_contiguous else "A") for a in arrays)
    words = [[a.ctypes.data, *a.shape, *a.strides] for a in arrays]
    return _entry(kernel, kinds).address, np.array([word for array in words for word in array], np.int64)


@cache
def _entry(kernel: Any, kinds: tuple[tuple[str, int, str], ...]) -> Any:
    """The compiled entry of a kernel for operands of some types."""
    offsets = np.cumsum([0, *(1 + 2 * ndim for _, ndim, _ in kinds)])
    spelled = [
        f'K{n} = types.Array(types.{"bool_" if dtype == "bool" else dtype}, {ndim}, "{layout}")'
        for n, (dtype, ndim, layout) in enumerate(kinds)
    ]
    source = ENTRY.format(
        digest=_digest(),
        module=kernel.py_func.__module__,
        name=kernel.py_func.__name__,
        kinds="\n".join(spelled),
        operands=", ".join(f"operand(table, {offsets[n]}, K{n})" for n in range(len(kinds))),
    )
    module, kept = loaded(source)
    module.kernel = kernel
    return compiled_callback(SIGNATURE, module.entry, kept)


@cache
def _digest() -> str:
    """Return a digest of all kernels' sources."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
