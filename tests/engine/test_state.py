"""The owner of all arrays: what it allocates, how parameters spread over replicas, what it refuses to take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from building import Setting
from sample_rules import oja

from circuitsim.engine.activity import Activity
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError, TensorError
from circuitsim.locality import Access, Mode


def state(rule: Any = "rbp", seeds: tuple[int, ...] = (0, 1, 2), **given: Any) -> State:
    circuit, _ = Setting((5, 4, 3, 5), rule=rule).described()
    return State(circuit, seeds=seeds, **{"dtype": np.float64} | given)


def test_tensors_have_the_names_and_shapes_of_the_interface() -> None:
    found = state("rbp", dtype=np.float32).tensors()
    assert {name: tensor.shape for name, tensor in found.items()} == {
        "A1.weight": (3, 4, 5), "A1.bias": (3, 4), "A2.weight": (3, 3, 4), "A2.bias": (3, 3), "A3.weight": (3, 5, 3),
        "A3.bias": (3, 5), "B2.weight": (3, 4, 3), "B3.weight": (3, 3, 5),
    }  # fmt: skip
    assert all(tensor.dtype == np.float32 for tensor in found.values())
    assert all((tensor == 0).all() == name.endswith("bias") for name, tensor in found.items())
    direct = state("srbp").tensors()
    assert direct["D1.weight"].shape == (3, 4, 5) and direct["D2.weight"].shape == (3, 3, 5)
    assert "B2.weight" not in state("bp").tensors()  # it transports those of A2


def test_velocities_are_there_only_where_some_replica_has_momentum() -> None:
    def velocities(**parameters: Any) -> set[str]:
        return {name for name in state("arbp", parameters=parameters).persistent() if "velocity" in name}

    assert velocities() == velocities(momentum=0.0) == set()
    every = {f"A{h}.{kind}" for h in (1, 2, 3) for kind in ("velocity", "bias_velocity")}
    assert velocities(momentum=[0.0, 0.5, 0.0]) == every  # and none for B, whose rule has no momentum
    missing = state().view(Access(Mode.ADD, "A1", "velocity"))
    assert missing is None


def test_a_checkpoint_holds_all_that_outlives_a_presentation() -> None:
    found = state("rbp", parameters={"momentum": 0.5}).persistent()
    tensors = {f"A{h}.{q}" for h in (1, 2, 3) for q in ("weight", "bias", "velocity", "bias_velocity")}
    assert found.keys() == tensors | {"B2.weight", "B3.weight", "circuit.alive"}


@pytest.mark.parametrize(
    "given, owner, quantity, expected",
    [
        ({}, "A1", "lr", 0.01),
        ({}, "A1", "momentum", 0.0),
        ({}, "layer1", "max_norm", np.inf),
        ({}, "layer1", "emits", 0.0),
        ({"lr": 0.5}, "A1", "lr", 0.5),
        ({"lr": 0.5}, "A1", "lr_bias", 0.5),
        ({"lr": 0.5, "lr_bias": 0.1}, "A1", "lr_bias", 0.1),
        ({("A1", "lr"): 0.25}, "A1", "lr_bias", 0.25),
        ({"lr": 0.5, ("A2", "lr"): 0.25}, "A1", "lr", 0.5),
        ({"lr": 0.5, ("A2", "lr"): 0.25}, "A2", "lr", 0.25),
        ({"lr": [0.1, 0.2, 0.3]}, "A1", "lr_bias", [0.1, 0.2, 0.3]),
        ({}, "A1", "oja.decay", 0.3),
        ({"oja.decay": [1, 2, 3]}, "A1", "oja.decay", [1, 2, 3]),
        ({("A2", "oja.decay"): 2}, "A1", "oja.decay", 0.3),
    ],
)
def test_parameters_and_their_defaults(given: Any, owner: str, quantity: str, expected: Any) -> None:
    made = state(oja, parameters=given)
    assert np.array_equal(made.parameter(owner, quantity), np.broadcast_to(expected, 3))
    with pytest.raises(ValueError, match="read-only"):
        made.parameter(owner, quantity)[...] = 1


@pytest.mark.parametrize(
    "given, message",
    [
        ({("A9", "lr"): 0.1}, r"parameter \('A9', 'lr'\): got the owner 'A9'; expected a part of circuit circular"),
        ({"momentum": [1, 2]}, r"momentum of A1: got an array of shape \(2,\); expected one number, or one for each"),
        ({"momentum": [[1], [2], [3]]}, r"parameter momentum of A1: got an array of shape \(3, 1\); expected one"),
        ({"momentum": np.nan}, r"momentum of A1: got nan; expected one number, or one for each of 3 replicas\."),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(given: Any, message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        state("rec", parameters=given)


def test_a_parameter_without_a_value() -> None:
    message = (
        r"parameter size of A1: got no value; expected a number, or one for each replica\. Pass it in parameters\."
    )
    with pytest.raises(CircuitError, match=message):
        state().parameter("A1", "size")


def test_a_misspelt_quantity_is_refused() -> None:
    with pytest.raises(CircuitError, match="learning_rate"):
        state(parameters={"learning_rate": 0.1})


def test_a_misspelt_quantity_of_an_owner_is_refused() -> None:
    with pytest.raises(CircuitError, match="learning_rate"):
        state(parameters={("A1", "learning_rate"): 0.1})


def test_a_word_for_a_number_is_refused() -> None:
    with pytest.raises(CircuitError, match="momentum of A1"):
        state(parameters={"momentum": "fast"})


# ---------------------------------------------------------------------------------------------------------- loading


def test_loading_replaces_a_tensor_in_place() -> None:
    made = state(dtype=np.float32)
    weight = made.tensors()["A1.weight"]
    made.load("A1.weight", np.full((4, 5), 0.5))
    assert (
        np.shares_memory(weight, made.tensors()["A1.weight"]) and weight.dtype == np.float32 and (weight == 0.5).all()
    )
    with pytest.raises(ValueError, match="read-only"):
        weight[...] = 1
    each = np.arange(60.0).reshape(3, 4, 5)
    made.load("A1.weight", each)
    assert np.array_equal(weight, each)


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("A9.weight", np.ones((4, 5)), r"tensor A9\.weight: got a name that the circuit lacks; expected one of A1\.b"),
        ("A1.weight", np.ones((5, 4)), r"tensor A1\.weight: got shape \(5, 4\); expected \(4, 5\), or \(3, 4, 5\) w"),
        ("A1.weight", np.ones((1, 4, 5)), r"tensor A1\.weight: got shape \(1, 4, 5\); expected \(4, 5\)"),
        ("A1.bias", np.float64(1), r"tensor A1\.bias: got shape \(\); expected \(4,\)"),
        ("A1.bias", np.ones(4, int), r"tensor A1\.bias: got int64 with values that are not finite floats; expe"),
        ("A1.bias", np.array([1, 2, np.nan, 4]), r"tensor A1\.bias: got float64 with values that are not finite fl"),
        ("A1.bias", np.array([1, 2, np.inf, 4]), r"expected finite floats\. Correct the weights that are given\."),
        ("A1.increment", np.ones((4, 5)), r"tensor A1\.increment: got a name that the circuit lacks"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit(name: str, values: np.ndarray, message: str) -> None:
    made = state()
    before = {key: tensor.copy() for key, tensor in made.tensors().items()}
    with pytest.raises(TensorError, match=message):
        made.load(name, values)
    assert all(np.array_equal(made.tensors()[key], tensor) for key, tensor in before.items())


# ------------------------------------------------------------------------------------------------------------ views


def test_views_are_writeable_only_where_something_is_written() -> None:
    made = state()
    for mode, writeable in ((Mode.READ, False), (Mode.ADD, True), (Mode.WRITE, True)):
        view = made.view(Access(mode, "A1", "weight"))
        assert view is not None and view.flags.writeable is writeable
        assert np.shares_memory(view, made.tensors()["A1.weight"])
    with pytest.raises(ValueError, match="read-only"):
        made.view(Access(Mode.READ, "A1", "weight"))[...] = 0  # type: ignore[index]


def test_rates_are_scaled_from_their_given_values() -> None:
    made = state(parameters={"lr": [0.1, 0.2, 0.4], "momentum": 0.5})
    rate, bias_rate = made.parameter("A1", "lr"), made.parameter("A1", "lr_bias")
    made.scale_rates(0.5)
    made.scale_rates(np.array([0.5, 0.25, 1.0]))
    assert np.allclose(rate, [0.05, 0.05, 0.4]) and np.allclose(bias_rate, rate)
    assert np.array_equal(made.parameter("A1", "momentum"), [0.5] * 3)


def test_rates_can_be_scaled_before_anything_has_asked_for_them() -> None:
    made = state(parameters={"lr": 0.4})
    made.scale_rates(0.5)
    assert np.allclose(made.parameter("A1", "lr"), 0.2)


def test_activity_is_the_front_of_one_memory() -> None:
    made = state()
    o, s, x = ("layer1", "O", 0), ("layer1", "S", 0), ("layer0", "O", 0)
    activity = Activity(made, [o, s, x], 8, same={s: o}, shared=[x])
    assert activity.memory().keys() == {"layer1.O.0", "layer0.O.0"}
    assert activity.array(o, 8).shape == (3, 8, 4) and activity.array(x, 8).shape == (1, 8, 5)
    few = activity.array(s, 3)
    assert few.shape == (3, 3, 4) and few.flags.c_contiguous and np.shares_memory(few, activity.array(o, 8))
    assert not activity.view(Access(Mode.READ, *o), 3).flags.writeable
    assert activity.view(Access(Mode.ADD, *s), 3).flags.writeable
