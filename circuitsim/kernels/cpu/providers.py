"""Libraries of matrix products: SciPy's OpenBLAS where SciPy is installed, else NumPy's, and MKL where it is installed.

Bits depend on the library, so the choice follows from what is installed and from the processor alone, and a run folder
names it. The environment variable CIRCUITSIM_BLAS forces one.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from numba.extending import get_cython_function_address
from threadpoolctl import LibController, ThreadpoolController

from circuitsim.errors import ConfigError

VARIABLE = "CIRCUITSIM_BLAS"
NAMES = {"float32": "sgemm", "float64": "dgemm"}
# OpenBLAS multiplies small products without repacking them where it has AVX-512. Off elsewhere: forced on an AMD EPYC
# with AVX2 alone it takes up to 1.56 times the CPU time of a presentation.
UNPACKED = ("SkylakeX", "Cooperlake", "SapphireRapids")
_FORMS = ("scipy_{}_64_", "{}_64_", "scipy_{}_", "{}_")
"""Names of Fortran's gemm in the OpenBLAS of NumPy's wheels, and in others."""
_SEQUENTIAL = 1  # MKL_THREADING_SEQUENTIAL: the engine has threads of its own, and no OpenMP is loaded
_SAME_BITS = 0x10002  # MKL_CBWR_AUTO | MKL_CBWR_STRICT: bits that do not depend on where arrays lie in memory


@dataclass(frozen=True)
class Provider:
    """A library of matrix products.

    Parameters
    ----------
    name, version : of the library. addresses : of its Fortran gemm, by dtype.
    """

    name: str
    version: str
    addresses: dict[str, int]

    def __str__(self) -> str:
        """Name and version, as a run folder has it."""
        return f"{self.name} {self.version}"


@cache
def provider() -> Provider:
    """Return the library that multiplies large matrices; ConfigError where the one asked for is not there."""
    asked = os.environ.get(VARIABLE, "").strip().lower()
    if asked not in ("", "openblas", "mkl"):
        raise ConfigError(
            f"environment variable {VARIABLE}",
            got=repr(asked),
            expected="openblas or mkl",
            remedy="Unset it: then the faster of the installed ones is used.",
        )
    if asked == "openblas" or (not asked and not _is_intel()):
        return openblas()
    found = mkl()
    if found is None and asked:
        raise ConfigError(
            f"environment variable {VARIABLE}",
            got="mkl, which is not installed",
            expected="an installed library",
            remedy="Install it (pip install 'circuitsim[mkl]'), or unset the variable.",
        )
    return found or openblas()


@cache
def openblas() -> Provider:
    """Return the BLAS that SciPy brings, OpenBLAS in its wheels; without SciPy, the OpenBLAS of NumPy's wheels.

    Raises
    ------
    ConfigError : there is neither.
    """
    library = openblas_library()
    if not has_scipy():
        return _of_numpy(library)
    addresses = {dtype: get_cython_function_address("scipy.linalg.cython_blas", name) for dtype, name in NAMES.items()}
    name, version = ("openblas", library.version) if library else ("scipy's blas", importlib.metadata.version("scipy"))
    return Provider(name, str(version), addresses)


def _of_numpy(library: LibController | None) -> Provider:
    if library is not None:
        loaded = ctypes.CDLL(library.filepath)
        for form in _FORMS:
            if all(hasattr(loaded, form.format(name)) for name in NAMES.values()):
                addresses = {dtype: _address(loaded, form.format(name)) for dtype, name in NAMES.items()}
                return Provider("openblas", str(library.version), addresses)
    raise ConfigError(
        "matrix products",
        got="a NumPy without OpenBLAS, and no SciPy",
        expected="one of the two",
        remedy="Install SciPy: pip install 'circuitsim[scipy]'.",
    )


def has_scipy() -> bool:
    """Return whether SciPy is installed."""
    return find_spec("scipy") is not None


@cache
def openblas_library() -> LibController | None:
    """Return the OpenBLAS of SciPy, or without SciPy that of NumPy, if that is what they multiply with."""
    scipy = has_scipy()
    importlib.import_module("scipy.linalg" if scipy else "numpy")
    found = ThreadpoolController().select(internal_api="openblas").lib_controllers
    if not scipy:
        return next(iter(found), None)
    return next((library for library in found if "scipy" in Path(library.filepath).parent.name), None)


def unpacks_small() -> bool:
    """Return True if OpenBLAS multiplies small matrices without repacking them on this processor."""
    library = openblas_library()
    return library is not None and library.architecture in UNPACKED


def mkl() -> Provider | None:
    """Return MKL, made sequential before its first product, or None where there is none that loads."""
    for path in _mkl_files():
        try:
            library = ctypes.CDLL(str(path))
            version = ctypes.create_string_buffer(200)
            library.MKL_Set_Threading_Layer(_SEQUENTIAL)
            library.MKL_CBWR_Set(_SAME_BITS)
            library.MKL_Get_Version_String(version, len(version))
            addresses = {dtype: _address(library, f"{name}_") for dtype, name in NAMES.items()}
        except (OSError, AttributeError):
            continue
        number = re.search(r"Version ([0-9.]+)", version.value.decode(errors="replace"))
        return Provider("mkl", number[1] if number else "of unknown version", addresses)
    return None


def _address(library: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def _mkl_files() -> Iterator[Path]:
    """Yield where MKL may lie: in its package on PyPI, then in the environment's folder of libraries (conda)."""
    try:
        for file in importlib.metadata.files("mkl") or ():
            if file.name.startswith("libmkl_rt.so"):
                yield Path(str(file.locate()))
    except importlib.metadata.PackageNotFoundError:
        pass
    yield from sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))


def _is_intel() -> bool:
    """Return True on Intel's processors: on others MKL takes its slow path, and its licence forbids to change that."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
