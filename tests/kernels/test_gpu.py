"""On a real GPU: sizes for which libraries choose other algorithms, the same bits again, and memory that comes back."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import standin

from circuitsim import Simulator
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.hooks import Hook

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(standin.missing() is not None or standin.stands_in(), reason="no GPU with CuPy here"),
]
ROWS = np.random.default_rng(1).integers(0, 500, (6, 64))


def shown(rule: str, backend: str = "cupy", replicas: int = 1, together: bool = True, **more: Any) -> Simulator:
    """Six presentations of a circuit as wide as MNIST's images."""
    if rule == "fa":
        circuit, protocol = layered_classifier([784, 256, 100, 10], "fa")
    else:
        circuit, protocol = circular_autoencoder([784, 256, 784], rule)
    options = {"batch": 64, "seeds": list(range(replicas)), "parameters": {"lr": 0.1, "momentum": 0.5}, **more}
    made = Simulator(circuit, protocol, backend=backend, **options)
    random = np.random.default_rng(0)
    made.use(random.random((500, 784)), random.integers(0, 10, 500) if rule == "fa" else None)
    if together:
        made.present_each(ROWS)
    else:
        for rows in ROWS:
            made.present(rows)
    return made


def apart(one: Simulator, other: Simulator) -> float:
    """The largest difference of any weight."""
    first = one.tensors()
    return max(float(np.abs(first[name] - w).max()) for name, w in other.tensors().items())


@pytest.mark.parametrize("replicas", [1, 64])
@pytest.mark.parametrize("rule", ["rec", "bp", "fa"])
def test_wide_circuits_are_as_on_the_processor(rule: str, replicas: int) -> None:
    start = shown(rule, "numba", replicas, parameters={"lr": 0.0, "momentum": 0.5})
    expected = shown(rule, "numba", replicas)
    assert apart(shown(rule, replicas=replicas), expected) < 1e-4 * apart(start, expected)


@pytest.mark.parametrize("replicas", [1, 5])
def test_the_same_bits_again_one_by_one_event_by_event_and_with_code_between(replicas: int) -> None:
    expected = shown("rec", replicas=replicas)
    for more in ({}, {"together": False}, {"order": list}, {"hooks": [Hook(lambda tensors: None, "delivery")]}):
        assert apart(shown("rec", replicas=replicas, **more), expected) == 0, more


def test_a_replica_has_the_bits_that_it_has_with_as_many_others() -> None:
    both = shown("rec", replicas=2), shown("rec", seeds=[1, 0])
    for name, w in both[0].tensors().items():
        assert np.array_equal(w[::-1], both[1].tensors()[name])


def test_memory_comes_back() -> None:
    import cupy

    def free() -> int:
        gc.collect()
        shown("rec", batch=64)  # what has been let go is freed when something is allocated
        gc.collect()
        return int(cupy.cuda.runtime.memGetInfo()[0])

    before = free()
    for _ in range(5):
        shown("rec", replicas=16)
    assert free() > before - 64 * 2**20
