"""Bulk kernels, arrays in, arrays out. Every backend has the same functions; each binds arrays and returns a step.

`reference` is the specification: plain NumPy, no BLAS, nothing fused. `cpu` is BLAS and Numba. Both are held to each
other by the same tests; so is `gpu`, an NVIDIA GPU. A further backend is a module with these functions and a row in
`BACKENDS`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from circuitsim.errors import ConfigError
from circuitsim.kernels.steps import in_turn

__all__ = ["BACKENDS", "backend", "in_turn"]

BACKENDS = {
    "numpy": "circuitsim.kernels.reference",
    "numba": "circuitsim.kernels.cpu.backend",
    "cupy": "circuitsim.kernels.gpu.backend",
}


def backend(name: str) -> ModuleType:
    """The module of a backend, imported when first asked for; ConfigError for an unknown one, or without a device."""
    if name not in BACKENDS:
        raise ConfigError(
            "backend",
            got=repr(name),
            expected=f"one of {', '.join(BACKENDS)}",
            remedy="Choose one of these.",
        )
    if name == "numba":
        from circuitsim.compilation import expect_compiler  # here, since it takes long to import

        expect_compiler()
    return importlib.import_module(BACKENDS[name])
