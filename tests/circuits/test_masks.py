"""Which synapses are missing: each drawn by itself, one pattern for all locations, or source neurons."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from building import digits

from circuitsim.circuit.parts import Masks
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

UNTIED = ["local 4 3/2", "local 5 3", "dense 10"]
TIED = ["conv 4 3/2", "conv 5 3", "dense 10"]


def made(texts: list[str], masks: Masks, density: float = 0.5, **options: Any) -> Simulator:
    described = layered_classifier(parse_layers(texts, (1, 8, 8)), "urfb", masked=True, masks=masks, **options)
    return Simulator(*described, batch=5, seeds=[3, 4], dtype="float64", parameters={"density": density, "lr": 0.1})


def there(simulator: Simulator, name: str) -> np.ndarray:
    return np.asarray(simulator.tensors()[f"{name}.weight"] != 0)


def test_each_synapse_by_itself() -> None:
    kept = there(made(UNTIED, Masks.SYNAPSE), "W2")
    assert not (kept[:, 1, 1] == kept[:, 2, 2]).all()  # two locations inside the image
    assert 0.4 < kept[:, 1:3, 1:3].mean() < 0.6


@pytest.mark.parametrize("name", ["W1", "W2", "B2"])
def test_one_pattern_for_all_locations(name: str) -> None:
    kept = there(made(UNTIED, Masks.LOCATION), name)
    inner = kept[:, 1:3, 1:3].reshape(2, 4, *kept.shape[3:])
    assert (inner == inner[:, :1]).all()
    assert 0 < inner.mean() < 1
    assert (inner[0] != inner[1]).any()  # replicas differ


def test_one_pattern_for_all_locations_is_what_shared_weights_have() -> None:
    found = [there(made(TIED, masks), "W2") for masks in (Masks.SYNAPSE, Masks.LOCATION)]
    assert np.array_equal(*found)


@pytest.mark.parametrize("name", ["W1", "W2", "W3", "B2", "B3"])
def test_source_neurons_reach_all_above_or_none(name: str) -> None:
    simulator = made(UNTIED, Masks.SOURCE)
    kept, circuit = there(simulator, name), simulator.circuit
    q = circuit.projection(name)
    if q.dense:
        columns = kept.mean(axis=1)
    else:
        _, pre, slot = circuit.synapses(name)
        count = np.bincount(pre)
        columns = np.stack([np.bincount(pre, one.reshape(-1)[slot]) / count for one in kept])
    assert set(columns.ravel()) == {0.0, 1.0}
    assert 0.25 < columns.mean() < 0.75


@pytest.mark.parametrize("masks", Masks)
def test_missing_synapses_stay_missing(masks: Masks) -> None:
    simulator = made(UNTIED, masks)
    before = {name: values == 0 for name, values in simulator.tensors().items() if name.endswith("weight")}
    first = simulator.tensors()["W1.weight"].copy()
    simulator.use(digits()[:40], np.arange(40) % 10)
    for k in range(4):
        simulator.present(np.arange(5 * k, 5 * k + 5))
    for name, none in before.items():
        assert not simulator.tensors()[name][none].any(), name
    assert np.abs(simulator.tensors()["W1.weight"] - first).max() > 1e-4


def test_shared_weights_have_no_sources_of_their_own() -> None:
    text = (
        "projection W1: got a mask on its source neurons, with weights that locations share; expected a mask on the "
        "shared weights, or weights of their own at each location. Set masks=Masks.SYNAPSE, or untie the layer."
    )
    with pytest.raises(CircuitError, match=re.escape(text)):
        made(TIED, Masks.SOURCE)
