"""The library of matrix products, on which the bits of a run depend: recorded when it starts, the same when resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circuitsim.errors import RunFolderError

KEY = "products"


def product_library(backend: str) -> dict[str, str]:
    """Return the entry of config.json that names the library which multiplies matrices, for the compiled backend."""
    if backend != "numba":
        return {}
    from circuitsim.kernels.cpu.providers import provider  # imports the compiler

    return {KEY: str(provider())}


def check_products(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise RunFolderError where a resumed run would multiply with a library that it did not start with."""
    before, now = config.get(KEY), product_library(str(config["backend"])).get(KEY)
    if before == now:
        return
    name = str(before).partition(" ")[0]
    raise RunFolderError(
        f"run folder {folder}",
        got=f"matrix products by {before} when it started, by {now} now, so that its bits would change",
        expected="the library that the run started with",
        remedy=f"Install {before} and set CIRCUITSIM_BLAS={name}, or start the run anew in another folder.",
    )
