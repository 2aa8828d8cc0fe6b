"""Libraries of matrix products: which is chosen, what a run folder says of it, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from running import circuitsim, settings, skip_report

from circuitsim.errors import ConfigError
from circuitsim.kernels.cpu import blas, providers


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(providers.VARIABLE, raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    providers.provider.cache_clear()
    blas.gemm.cache_clear()


def _pretend(monkeypatch: pytest.MonkeyPatch, *, intel: bool, mkl: bool) -> providers.Provider:
    """Another library under the name of MKL: OpenBLAS's own products, so that results can be compared."""
    made = providers.Provider("mkl", "1.2", providers.openblas().addresses)
    monkeypatch.setattr(providers, "mkl", lambda: made if mkl else None)
    monkeypatch.setattr(providers, "_is_intel", lambda: intel)
    return made


@pytest.mark.parametrize(
    ("asked", "intel", "mkl", "expected"),
    [
        ("", True, True, "mkl"),
        ("", True, False, "openblas"),
        ("", False, True, "openblas"),
        ("mkl", False, True, "mkl"),
        ("OpenBLAS", True, True, "openblas"),
    ],
)
def test_mkl_is_chosen_on_intel_or_where_asked_for(
    asked: str, intel: bool, mkl: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _pretend(monkeypatch, intel=intel, mkl=mkl)
    monkeypatch.setenv(providers.VARIABLE, asked)
    found = providers.provider()
    assert found is (made if expected == "mkl" else providers.openblas())
    assert (blas.gemm("float32")[2] != 0) == (expected == "mkl")


def test_an_unknown_library_and_one_that_is_missing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, intel=True, mkl=False)
    monkeypatch.setenv(providers.VARIABLE, "blis")
    with pytest.raises(ConfigError) as refused:
        providers.provider()
    assert str(refused.value) == (
        "environment variable CIRCUITSIM_BLAS: got 'blis'; expected openblas or mkl. "
        "Unset it: then the faster of the installed ones is used."
    )
    monkeypatch.setenv(providers.VARIABLE, "mkl")
    with pytest.raises(ConfigError) as refused:
        providers.provider()
    assert str(refused.value) == (
        "environment variable CIRCUITSIM_BLAS: got mkl, which is not installed; expected an installed library. "
        "Install it (pip install 'circuitsim[mkl]'), or unset the variable."
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_installed_libraries_multiply_alike(dtype: str) -> None:
    installed = providers.mkl()
    if installed is None:
        pytest.skip("MKL is not installed")
    rng, how = np.random.default_rng(0), np.array([providers.openblas().addresses[dtype], 0, 0], np.int64)
    other = np.array([installed.addresses[dtype], 0, 0], np.int64)
    for m, k, n in [(1, 1, 1), (64, 784, 256), (20, 100, 784), (100, 784, 20)]:
        a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (n, k)))
        found = [np.zeros((m, n), dtype) for _ in range(2)]
        for words, c in zip((how, other), found, strict=True):
            blas.product(words, a, b.T, c, 0)
        np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-3 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("shape", [(100, 784, 20), (20, 100, 784), (64, 784, 256), (1, 20, 784), (784, 1, 20)])
def test_products_shared_by_two_libraries_are_whole(shape: tuple[int, int, int]) -> None:
    (m, k, n), rng = shape, np.random.default_rng(1)
    address = providers.openblas().addresses["float32"]
    a, b, c = (rng.standard_normal(s).astype("f") for s in ((m, k), (k, n), (m, n)))
    for small in (0, blas.SMALL):
        for right in (b, np.asfortranarray(b)):
            blas.product(np.array([address, small, address], np.int64), a, right, c, 0)
            np.testing.assert_allclose(c, a.astype(float) @ b, rtol=1e-3, atol=1e-4)


def test_a_run_names_its_library_and_is_not_resumed_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    monkeypatch.setenv(providers.VARIABLE, "openblas")
    folder = tmp_path / "run"
    assert circuitsim("run", "autoencoder", *settings(), "--out", folder) == 0
    config = json.loads((folder / "config.json").read_text())
    assert config["products"] == str(providers.provider())

    made = _pretend(monkeypatch, intel=True, mkl=True)
    monkeypatch.delenv(providers.VARIABLE)
    _forget()
    assert circuitsim("resume", folder) == 0  # a complete run multiplies nothing any more
    shutil.rmtree(folder / "checkpoint")  # all training is left
    capsys.readouterr()
    assert circuitsim("resume", folder) == 2
    assert " ".join(capsys.readouterr().err.split()).endswith(
        f"got matrix products by {config['products']} when it started, by {made} now, so that its bits would change; "
        "expected the library that the run started with. "
        f"Install {config['products']} and set CIRCUITSIM_BLAS=openblas, or start the run anew in another folder."
    )
