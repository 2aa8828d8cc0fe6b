"""Every CUDA source compiles for real devices: by NVRTC from its wheel, which needs neither a device nor a driver."""

from __future__ import annotations

import ctypes
import importlib.metadata
from functools import cache
from pathlib import Path

import pytest
import sympy

from circuitsim.kernels.gpu import device
from circuitsim.lowering import cuda

SOURCES = sorted(path.name for path in Path(device.__file__).parent.glob("*.cu"))
ARCHITECTURES = ("sm_75", "sm_90")
WORDS = 63
pytestmark = pytest.mark.nightly


@cache
def nvrtc() -> ctypes.CDLL | None:
    """NVRTC of an installed wheel, whatever CUDA it is of."""
    for name in ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu13", "nvidia-cuda-nvrtc-cu12"):
        try:
            files = importlib.metadata.files(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name.startswith("libnvrtc.so"):
                return ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
    return None


def compiled(source: str, architecture: str, real: str) -> str:
    """Compile a source as the device would; return the compiler's log if it failed."""
    library, program = nvrtc(), ctypes.c_void_p()
    assert library is not None
    code = (device.text("device.cuh") + source).encode()
    assert library.nvrtcCreateProgram(ctypes.byref(program), code, b"source.cu", 0, None, None) == 0
    texts = (f"--gpu-architecture={architecture}", f"-DREAL={real}", f"-DTHREADS={device.THREADS}", f"-DWORDS={WORDS}")
    options = (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))
    failed = library.nvrtcCompileProgram(program, len(texts), options)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode(errors="replace") if failed else ""


@pytest.fixture(autouse=True)
def _present() -> None:
    if nvrtc() is None:
        pytest.skip("NVRTC is not installed (pip install 'circuitsim[nvrtc]')")


@pytest.mark.parametrize("real", sorted(device.REALS.values()))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", SOURCES)
def test_sources_compile(name: str, architecture: str, real: str) -> None:
    assert compiled(device.text(name), architecture, real) == ""


@pytest.mark.parametrize("real", sorted(device.REALS.values()))
@pytest.mark.parametrize("form", ["factor", "synapse", "every", "pairs"])
def test_generated_kernels_compile(form: str, real: str) -> None:
    x, y = sympy.symbols("x y", real=True)
    expression = (
        sympy.tanh(x) * y**2 + sympy.Max(x, y) - sympy.sign(x) * sympy.Abs(y) / 3 + sympy.Mod(x, 2) + sympy.exp(-x)
    )
    places = {"factor": "[b, i]", "synapse": "[i, j]", "every": "[b, j]", "pairs": "[b, pres[k]]"}
    source = cuda.written(form, expression, [(x, places[form]), (y, "")], batch=5)
    assert compiled(source, ARCHITECTURES[0], real) == ""


def test_an_error_in_a_source_is_found() -> None:
    assert "undefined" in compiled("KERNEL(rule) { missing = 1; }", ARCHITECTURES[0], "float")
