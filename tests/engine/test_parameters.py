"""Parameters: each is for a part that reads it, within its range, and the caller's own is not kept."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sample_rules import oja

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.parameters import readable
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

X = np.random.default_rng(0).random((20, 8)).astype(np.float32)
PLAIN = circular_autoencoder([8, 4, 8])


def made(described: Any = PLAIN, **options: Any) -> Simulator:
    found = Simulator(*described, **{"batch": 5, "parameters": {"lr": 0.1}, **options})
    found.use(X, np.arange(20) % 3 if described[0].labels else None)
    return found


def refused(message: str, call: Any) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message)):
        call()


def test_what_each_part_reads() -> None:
    learns = {"lr", "lr_bias", "momentum", "weight_decay"}
    mixes = {"emits", "remembers"}
    assert readable(PLAIN[0]) == {"layer0": mixes, "layer1": mixes, "layer2": mixes, "A1": learns, "A2": learns}
    bounded, _ = circular_autoencoder([8, 4, 8], oja, bias=False, bounded=True)
    found = readable(bounded)
    assert found["A1"] == {"lr", "momentum", "weight_decay", "oja.decay"} and found["layer1"] == mixes | {"max_norm"}
    whole = layered_classifier([8, 6, 3], "wm", loss="hinge", masked=True, deferred=True)[0]
    assert readable(whole) == {
        **{name: set[str]() for name in ("layer0", "layer1", "layer2", "labels", "error1")},
        "error2": {"margin"},
        "W1": learns | {"density", "update_probability"},
        "W2": learns | {"density", "update_probability", "noise_scale"},
        "B2": {"lr", "weight_decay", "density", "amp.c"},
    }
    copied = layered_classifier([8, 6, 3], copied=True)[0]
    assert readable(copied)["B2"] == {"copy_interval"}


NOBODY = {
    "max_norm": 0.1, "density": 0.1, "margin": 5.0, "noise_scale": 9.0, "copy_interval": 7, "update_probability": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("quantity", NOBODY)
def test_a_parameter_that_nothing_reads_is_refused(quantity: str) -> None:
    names = "emits, lr, lr_bias, momentum, remembers, weight_decay"
    text = (
        f"parameter '{quantity}': got the quantity '{quantity}'; expected one that circuit circular autoencoder reads. "
    )
    refused(f"{text}Name one of {names}.", lambda: made(parameters={quantity: NOBODY[quantity]}))
    made(parameters={"max_norm": np.inf, "density": 1.0, "margin": 1.0, "noise_scale": 1})  # defaults ask for nothing
    owner = "A1" if quantity not in ("max_norm", "margin") else "layer1"
    text = (
        f"parameter ('{owner}', '{quantity}'): got the quantity '{quantity}'; expected one that its owner reads. Name"
    )
    refused(text, lambda: made(parameters={(owner, quantity): NOBODY[quantity]}))


def test_rates_of_biases_that_there_are_not() -> None:
    without = circular_autoencoder([8, 4, 8], bias=False)
    text = "parameter 'lr_bias': got the quantity 'lr_bias'; expected one that circuit circular autoencoder reads. Name"
    refused(text, lambda: made(without, parameters={"lr_bias": 0.5}))
    text = "parameter ('B2', 'lr'): got the quantity 'lr'; expected one that its owner reads. Name one of ."
    refused(text, lambda: made(circular_autoencoder([8, 4, 8], "rbp"), parameters={("B2", "lr"): 0.5}))


RANGES = {
    "lr": ([-0.1, np.inf], "a number >= 0"),
    "lr_bias": ([-1e-9], "a number >= 0"),
    "momentum": ([1.5, 1.0, -0.1], "a number from 0 to below 1"),
    "emits": ([5.0, -0.1], "a number from 0 to 1"),
    "remembers": ([1.01], "a number from 0 to 1"),
    "weight_decay": ([-1.0], "a number >= 0"),
    "max_norm": ([0.0, -1.0], "a number above 0, or infinity"),
}
OF_CLASSIFIERS = {
    "density": ([2.0, 0.0], "a number above 0, up to 1"),
    "update_probability": ([1.5, 0.0, -1.0], "a number above 0, up to 1"),
    "noise_scale": ([-1.0], "a number >= 0"),
    "margin": ([-0.5], "a number >= 0"),
}


@pytest.mark.parametrize("quantity", [*RANGES, *OF_CLASSIFIERS, "copy_interval"])
def test_parameters_out_of_range(quantity: str) -> None:
    described = circular_autoencoder([8, 4, 8], bounded=True)
    values, expected = (RANGES | OF_CLASSIFIERS).get(quantity, ([0, 1.5], ""))
    if quantity in OF_CLASSIFIERS:
        described = layered_classifier([8, 6, 3], "wm", loss="hinge", masked=True, deferred=True)
    if quantity == "copy_interval":
        described, expected = layered_classifier([8, 6, 3], copied=True), "a whole number of presentations >= 1, or inf"
    for value in values:
        with pytest.raises(CircuitError) as caught:
            made(described, parameters={quantity: value})
        text = f"parameter {quantity} of "
        assert str(caught.value).startswith(text) and f": got {value:g}; expected {expected}" in str(caught.value)


def test_parameters_of_other_kinds_are_refused() -> None:
    for value in (np.ma.array([0.1], mask=[True]), 1j, None, "fast", [[0.1]], [0.1, 0.2]):
        with pytest.raises(
            CircuitError, match=r"(?s)^parameter lr of A1: got .*; expected one number, or one for each of 1"
        ):
            made(parameters={"lr": value})
    made(parameters={"lr": np.array([0.1], ">f8")})


def test_the_caller_s_parameters_are_not_kept() -> None:
    rates, given = np.array([0.1]), {}
    given["lr"] = rates
    one, other = made(parameters=given), made()
    rates[0], given["momentum"] = 0.0, 0.5  # type: ignore[assignment]
    for simulator in (one, other):
        simulator.present(range(5))
    assert all(np.array_equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())


# ------------------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize("names", [["A9"], "A1", ["A1", "layer1"], [3]])
def test_rates_of_projections_that_there_are_not(names: Any) -> None:
    one = made()
    before = one.snapshot()
    got = "the text 'A1'" if names == "A1" else repr(names[-1])
    text = (
        f"projections of circuit circular autoencoder: got {got}; expected a list of projections that learn. Name some"
    )
    refused(f"{text} of A1, A2, or leave them out for all.", lambda: one.set_rates(0.5, names))
    assert all(np.array_equal(array, before[name]) for name, array in one.snapshot().items())


@pytest.mark.parametrize(
    ("factor", "got"),
    [(-1, "-1; expected a number >= 0"), (np.nan, "nan; expected one number"), ([1, 2], "an array of shape (2,); exp"),
     ("half", "'half'; expected one number, or one for each of 1 replicas")],
)  # fmt: skip
def test_factors_of_rates_that_do_not_fit(factor: Any, got: str) -> None:
    refused(f"parameter factor of the rates: got {got}", lambda: made().set_rates(factor))


def test_the_rates_of_some_projections_alone_are_set() -> None:
    one = made()
    one.set_rates(0.5, ["A1"])
    one.set_rates(0.25, ["A2"])
    assert np.allclose(one.state.parameter("A1", "lr"), 0.05) and np.allclose(one.state.parameter("A2", "lr"), 0.025)


def test_of_several_parameters_all_are_replaced_or_none() -> None:
    one = made()
    before = one.snapshot()
    refused(
        "parameter lr of A2: got -1; expected a number >= 0",
        lambda: one.set_parameters({("A1", "lr"): 0.5, ("A2", "lr"): -1}),
    )
    refused(
        "parameter ('A1', 'momentum'): got the quantity 'momentum'; expected one that may change while a circuit lea",
        lambda: one.set_parameters({("A1", "lr"): 0.5, ("A1", "momentum"): 0.5}),
    )
    assert all(np.array_equal(array, before[name]) for name, array in one.snapshot().items())


def test_a_loaded_weight_that_single_precision_cannot_hold() -> None:
    from circuitsim.errors import TensorError

    one = made()
    message = r"^tensor A1\.weight: got float64 with values that are not finite floats; expected finite floats"
    for values in (np.full((4, 8), 1e300), np.ma.array(np.ones((4, 8)), mask=np.eye(4, 8))):
        with pytest.raises(TensorError, match=message):
            one.load("A1.weight", values)
    one.load("A1.weight", np.full((4, 8), 0.5, ">f8"))
    assert (one.tensors()["A1.weight"] == 0.5).all()
    one.load("A1.bias", [0.5, 1.0, 1.5, 2.0])  # type: ignore[arg-type]
