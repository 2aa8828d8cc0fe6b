"""SciPy is an extra: without it products are NumPy's OpenBLAS's, and what it computed is computed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import circuitsim as cs
from circuitsim.analysis.audits.fields import _joined
from circuitsim.analysis.averages import student_quantile
from circuitsim.analysis.classification import _softmax_entropy
from circuitsim.analysis.solving import initial_value_solver
from circuitsim.errors import ConfigError
from circuitsim.kernels.cpu import providers

SCIPY = pytest.importorskip("scipy")
KEYS = {"sizes": [64, 40, 10], "epochs": 2, "train_limit": 200, "test_limit": 50, "batch": 20, "lr": 0.2}
PROGRAM = f"""
import sys


class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "scipy":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Absent())
from circuitsim.kernels.cpu import providers
providers.has_scipy = lambda: False
import circuitsim as cs
run = cs.run("classifier", out=sys.argv[1], dtype=sys.argv[2], **{KEYS!r})
assert "scipy" not in sys.modules
"""


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-10), ("float32", 1e-4)])
def test_a_run_without_scipy_agrees(dtype: str, close: float, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "run"), dtype]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found, here = cs.load_run(tmp_path / "run"), cs.run("classifier", dtype=dtype, **KEYS)
    for name, array in here.tensors().items():
        np.testing.assert_allclose(found.tensors()[name], array, rtol=close, atol=close, err_msg=name)


def test_a_numpy_without_openblas_says_what_to_install() -> None:
    text = r"^matrix products: got a NumPy without OpenBLAS, and no SciPy; .* pip install 'circuitsim\[scipy\]'\.$"
    with pytest.raises(ConfigError, match=text):
        providers._of_numpy(None)


def test_equations_without_scipy_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(ConfigError, match=r"^solution of differential equations: got an environment without SciPy;"):
        initial_value_solver()


@pytest.mark.parametrize("scenario", ["feedback-ode", "recirculation-theory"])
def test_computations_that_need_it_begin_nothing(
    scenario: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(ConfigError, match=r"circuitsim\[scipy\]"):
        cs.run(scenario, quick=True, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_quantiles() -> None:
    from scipy.special import stdtrit

    for freedom in (*range(1, 40), 99, 1000):
        assert student_quantile(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-11)


def test_entropies() -> None:
    from scipy.special import logsumexp

    random = np.random.default_rng(0)
    s = random.normal(0, 1, (2, 7, 5)) * np.array([1.0, 300.0])[:, None, None]
    target = random.integers(0, 5, (1, 7))[..., None] == np.arange(5)
    expected = (logsumexp(s, axis=-1) - np.where(target, s, 0).sum(axis=-1)).sum(axis=1)
    np.testing.assert_allclose(_softmax_entropy(s, target), expected, rtol=1e-13)


@pytest.mark.parametrize("seed", range(20))
def test_sets_of_neurons(seed: int) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    random = np.random.default_rng(seed)
    slots, size, count = 12, 30, int(random.integers(1, 45))
    slot, ends = random.integers(0, slots, count), random.integers(0, size, count)
    joined = coo_array((np.ones(count, bool), (slot, slots + ends)), shape=(slots + size, slots + size))
    _, expected = connected_components(joined, directed=False)
    found = _joined(slot, ends, slots, size)
    same = found[:, None] == found
    assert np.array_equal(same, expected[slots:, None] == expected[slots:])
