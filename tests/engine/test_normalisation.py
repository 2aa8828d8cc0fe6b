"""Neurons that normalise: their statistics outlive presentations, and what does not fit is refused.

`tests/circuits/test_residual.py` compares every number with a loop by hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuitsim.circuit.norms import NORMS, Batch, Divisive, Norm, Online
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.timetable.schedule import make_schedule

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(1.0, 2.0, (24, 5)), RANDOM.integers(0, 3, 24)


def built(norm: Any, **more: Any) -> Simulator:
    """A classifier of five inputs, four linear neurons that normalise, and three outputs."""
    circuit, protocol = layered_classifier([5, 4, 3], hidden="identity")
    populations = tuple(replace(p, norm=norm) if p.name == "layer1" else p for p in circuit.populations)
    made = Simulator(replace(circuit, populations=populations), protocol, batch=6, dtype="float64",
                     parameters={"lr": 0.1}, probes=[("layer1", "O", 0)], **more)  # fmt: skip
    made.use(X, Y)
    return made


def trained(made: Simulator, first: int, last: int) -> Simulator:
    for k in range(first, last):
        made.present(np.arange(6 * k, 6 * k + 6))
    return made


@pytest.mark.parametrize("norm", [Online(0.9, 0.8), Batch(0.7), Divisive()], ids=list(NORMS))
def test_a_snapshot_continues_to_the_same_bits(norm: Norm) -> None:
    whole, halved = trained(built(norm), 0, 4), trained(built(norm), 0, 2)
    other = built(norm)
    other.restore(halved.snapshot())
    trained(other, 2, 4)
    for name, array in whole.snapshot().items():
        assert array.tobytes() == other.snapshot()[name].tobytes(), name


@pytest.mark.parametrize("norm", [Online(0.9, 0.8), Batch(0.7)], ids=["online", "batch"])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_what_does_not_teach_uses_the_statistics_as_they_stand(norm: Any, backend: str) -> None:
    made = trained(built(norm, backend=backend), 0, 3)
    kept = made.snapshot()
    mean, variance = (kept[f"state/layer1.{name}"] for name in ("mean", "variance"))
    ((_, (fired,)),) = made.observe([("layer1", "O", 0)], X[:6], Y[:6])
    weights, bias = (made.tensors()[f"W1.{name}"] for name in ("weight", "bias"))
    s = X[:6] @ weights[0].T + bias[0]
    np.testing.assert_allclose(fired[0], np.clip((s - mean) / np.sqrt(variance + norm.epsilon), -5, 5), rtol=1e-12)
    assert all(kept[name].tobytes() == array.tobytes() for name, array in made.snapshot().items())


def test_replicas_have_statistics_of_their_own() -> None:
    both = trained(built(Online(0.9, 0.8), seeds=[1, 2]), 0, 3).snapshot()
    for place, seed in enumerate((1, 2)):
        alone = trained(built(Online(0.9, 0.8), seeds=[seed]), 0, 3).snapshot()
        for name in ("mean", "variance", "error_mean", "error_scale"):
            one, other = (kept[f"state/layer1.{name}"] for kept in (both, alone))
            np.testing.assert_allclose(one[place], other[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        ("batch", "norm of population layer1: got 'batch'; expected Online, Batch or Divisive"),
        (Online(forward=1.0), r"got forward=1\.0; expected a number from 0 to below 1"),
        (Online(limit=0.0), r"got limit=0\.0; expected a number above 0"),
        (Batch(epsilon=-1.0), r"got epsilon=-1\.0; expected a number above 0"),
        (Divisive(groups=3), "got 3 groups of 4 neurons; expected groups of equal size"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(norm: Any, message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        built(norm)


def test_neurons_that_bend_do_not_normalise() -> None:
    circuit, _ = layered_classifier([5, 4, 3])
    populations = tuple(replace(p, norm=Batch()) if p.name == "layer1" else p for p in circuit.populations)
    with pytest.raises(CircuitError, match="expected linear neurons that are neither clamped"):
        replace(circuit, populations=populations)


def test_neurons_that_fire_again_do_not_normalise() -> None:
    circuit, protocol = circular_autoencoder([5, 4, 5], "rec", hidden="identity", output="identity")
    populations = tuple(
        replace(p, norm=Online(), mixes=False) if p.name == "layer2" else p for p in circuit.populations
    )
    with pytest.raises(ScheduleError, match="norm of population layer2: got 1 recirculation cycles; expected one"):
        make_schedule(replace(circuit, populations=populations), protocol)


def test_gains_are_the_neurons_own() -> None:
    """Errors pass back through the same gain, and no wire is declared for it."""
    circuit, protocol = layered_classifier(parse_layers(["dense 4", "norm online", "dense 3"], (5,)), "fa",
                                           output="logistic")  # fmt: skip
    assert circuit.projection("B2").tensor_owner == "W2"
    assert {finding.kind for finding in make_schedule(circuit, protocol).findings} == {"label"}
    assert Simulator(circuit, protocol, batch=2).tensors()["W2.weight"].tolist() == [[1.0] * 4]
