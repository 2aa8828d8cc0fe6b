"""Recordings: what they keep, that they change nothing, and what they refuse."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

import circuitsim as cs
from circuitsim.errors import CircuitError, ScheduleError

X = np.random.default_rng(0).random((50, 6))


def simulator(**options: Any) -> cs.Simulator:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6])
    made = cs.Simulator(
        circuit, protocol, batch=10, seeds=[0, 1], parameters={"lr": 0.1}, dtype="float64", backend="numpy", **options
    )
    made.use(X)
    return made


def batches(count: int, size: int = 10) -> np.ndarray:
    return np.random.default_rng(1).permutation(50)[: count * size].reshape(count, size)


def test_values_are_those_of_probes_and_change_nothing() -> None:
    plain, probed, recorded = simulator(), simulator(probes=[("layer1", "O", 1)]), simulator()
    activity = recorded.record("layer1", "O", cycle=1, every=2)
    weights = recorded.record("A1", "weight")
    recorded.present_each(batches(5))
    expected = []
    for k, rows in enumerate(batches(5)):
        plain.present(rows)
        probed.present(rows)
        assert np.array_equal(weights.values[k], plain.tensors()["A1.weight"])
        if k % 2:
            expected.append(probed.probe("layer1", "O", 1))
    assert activity.presentations == [2, 4] and weights.presentations == [1, 2, 3, 4, 5]
    assert np.array_equal(activity.values, expected) and activity.values.shape == (2, 2, 10, 3)
    assert np.array_equal(activity.rows, batches(5)[1::2])
    assert np.array_equal(recorded.tensors()["A2.weight"], plain.tensors()["A2.weight"])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_sequences_stop_where_a_value_is_due(backend: str) -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6])
    made = [cs.Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1}, backend=backend) for _ in range(2)]
    found = made[0].record("A2", "bias", every=7)
    order = np.random.default_rng(2).integers(0, 50, (30, 10))
    for one in made:
        one.use(X)
    made[0].present_each(order)
    expected = []
    for k, rows in enumerate(order):
        made[1].present(rows)
        if (k + 1) % 7 == 0:
            expected.append(made[1].tensors()["A2.bias"].copy())
    assert found.presentations == [7, 14, 21, 28] and np.array_equal(found.values, expected)


def test_shorter_batches_are_padded() -> None:
    made = simulator()
    found = made.record("layer1")
    made.present(range(10))
    made.present(range(4))
    assert found.values.shape == (2, 2, 10, 3) and np.isnan(found.values[1, :, 4:]).all()
    assert np.isfinite(found.values[1, :, :4]).all() and list(found.rows[1]) == [0, 1, 2, 3, *[-1] * 6]
    assert repr(found) == "<Recording of layer1.O(0): 2 values>"


def test_rows_of_replicas_that_see_different_data() -> None:
    made = simulator(shared=False)
    found = made.record("layer1")
    made.present(np.stack([np.arange(10), np.arange(10, 20)]))
    assert found.rows.shape == (1, 2, 10) and found.rows[0, 1, 0] == 10


def test_an_empty_recording() -> None:
    found = simulator().record("layer1", every=100)
    assert found.values.size == found.rows.size == 0


def test_named_dimensions() -> None:
    pytest.importorskip("xarray")
    made = simulator()
    activity, weights = made.record("layer1", "S"), made.record("A1", "weight", every=2)
    made.present_each(batches(4))
    dataset = activity.dataset()
    assert dict(dataset.sizes) == {"presentation": 4, "replica": 2, "example": 10, "neuron": 3}
    assert np.array_equal(dataset["S"].sel(presentation=3), activity.values[2])
    assert np.array_equal(dataset["row"], batches(4)) and dataset.attrs["owner"] == "layer1"
    assert dict(weights.dataset().sizes) == {"presentation": 2, "replica": 2, "axis0": 3, "axis1": 6}


def test_without_xarray_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    made = simulator()
    found = made.record("layer1")
    made.present(range(10))
    with pytest.raises(CircuitError, match=r"got no package xarray; .* pip install 'circuitsim\[record\]'; or use"):
        found.dataset()
    assert importlib.util.find_spec("circuitsim.engine.recording")


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (("layer9",), ScheduleError, r"readout \('layer9', 'O', 0\): got a quantity that nothing makes"),
        (("layer1", "O", {"cycle": 7}), ScheduleError, "expected .*one that happens"),
        (("A7", "weight"), CircuitError, r"recording of A7\.weight: got no such tensor; expected one of \['A1\.bias'"),
        (("layer1", "O", {"every": 0}), CircuitError, "every of a recording of layer1"),
    ],
)
def test_refusals_leave_the_simulator_as_it_was(asked: tuple[Any, ...], error: type[Exception], message: str) -> None:
    made, plain = simulator(), simulator()
    *names, options = asked if isinstance(asked[-1], dict) else (*asked, {})
    with pytest.raises(error, match=message):
        made.record(*names, **options)
    for one in (made, plain):
        one.present(range(10))
    assert np.array_equal(made.tensors()["A1.weight"], plain.tensors()["A1.weight"])
    assert made.protocol == plain.protocol
