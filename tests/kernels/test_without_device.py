"""Where the backend of a GPU is asked for and cannot be had: what is missing, what to do, and nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import standin

from circuitsim.errors import ConfigError
from circuitsim.kernels.gpu import device

WITHOUT = (sys.executable, "-c", "import sys; sys.modules['cupy'] = None; from circuitsim.cli import main; main()")


def failing(*_: object, **__: object) -> Any:
    raise RuntimeError("cudaErrorInsufficientDriver")


def cupy(**found: Any) -> SimpleNamespace:
    """A module of that name."""
    return SimpleNamespace(cuda=SimpleNamespace(**found))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            None,
            r"got no CuPy \(.+\); expected CuPy for this machine's CUDA\. Install it \(pip install 'circuitsim\[gpu\]'",
        ),
        (
            cupy(runtime=SimpleNamespace(getDeviceCount=failing)),
            r"got no device \(cudaErrorInsufficientDriver\); expected an NVIDIA GPU and its driver\. Run where there",
        ),
        (
            cupy(runtime=SimpleNamespace(getDeviceCount=lambda: 0)),
            r"got no device; expected an NVIDIA GPU and its driver\. Run where there is one, or choose numba\.",
        ),
        (
            cupy(runtime=SimpleNamespace(getDeviceCount=lambda: 1), cublas=None, Stream=failing),
            r"got a device that cannot be used \(cudaErrorInsufficientDriver\); expected CUDA's libraries and driver\.",
        ),
    ],
    ids=["no CuPy", "no driver", "no device", "no libraries"],
)
def test_what_is_missing_is_said(module: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(device, "driver", standin.real)
    with pytest.raises(ConfigError, match=f"backend 'cupy': {message}"):
        device.device.__wrapped__()


def test_a_run_ends_with_status_2_and_writes_nothing(tmp_path: Path) -> None:
    command = [*WITHOUT, "run", "autoencoder", "--backend", "cupy", "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and not ended.stdout and not list(tmp_path.iterdir())
    assert ended.stderr.startswith("circuitsim: backend 'cupy': got no CuPy (") and "Traceback" not in ended.stderr
