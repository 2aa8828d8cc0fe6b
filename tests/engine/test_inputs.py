"""What a simulator is given: examples, classes, seeds, types and names; each refusal says what was wrong with it."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

X = np.random.default_rng(0).random((20, 8)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 20)
AUTOENCODER, CLASSIFIER = circular_autoencoder([8, 4, 8]), layered_classifier([8, 6, 3])


def learned(described: Any = CLASSIFIER, x: Any = X, y: Any = Y, **options: Any) -> bytes:
    """The bits of all weights after some presentations."""
    made = Simulator(*described, **{"batch": 5, "parameters": {"lr": 0.5}, **options})
    made.use(x, y)
    for k in range(4):
        made.present(np.arange(5 * k, 5 * k + 5))
    return b"".join(tensor.tobytes() for tensor in made.tensors().values())


def refused(message: str, call: Any) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message)):
        call()


# ----------------------------------------------------------------------------------------------- examples and classes


@pytest.mark.parametrize("kind", [">f4", "<f8", ">f8"])
def test_examples_in_another_order_of_bytes_are_the_same(kind: str) -> None:
    assert learned(x=X.astype(kind)) == learned()


@pytest.mark.parametrize("kind", [">i8", "<i2", ">i4", "u1", ">u8"])
def test_classes_in_another_order_of_bytes_are_the_same(kind: str) -> None:
    assert learned(y=Y.astype(kind)) == learned()
    assert learned(y=Y.tolist()) == learned()


def test_what_the_caller_changes_afterwards_is_not_learned() -> None:
    for kind in (np.float32, np.float64):
        x, y = X.astype(kind), Y.copy()
        made = Simulator(*CLASSIFIER, batch=5, parameters={"lr": 0.5}, dtype=kind)
        made.use(x, y)
        x[...], y[...] = 0, 0
        expected = Simulator(*CLASSIFIER, batch=5, parameters={"lr": 0.5}, dtype=kind)
        expected.use(X.astype(kind), Y)
        for one in (made, expected):
            one.present(np.arange(5))
        assert all(np.array_equal(t, expected.tensors()[n]) for n, t in made.tensors().items())


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.where(X > 0.99, np.nan, X), "a value in row 1 that is infinite or not a number; expected finite values."),
        (X.astype("f8") * 1e300, "a value of size 9.9"),
        (np.ma.array(X, mask=X > 0.5), "masked values; expected an array without a mask. Fill the masked values, or"),
        (X.astype(complex), "the type complex64"),
        (X.astype(str), "the type <U32; expected real numbers. Correct the values."),
        (X.astype(object), "the type object; expected real numbers. Correct the values."),
        (X.astype("M8[s]"), "the type datetime64[s]; expected real numbers. Correct the values."),
        (None, "an array of shape (); expected (examples, 8). Match the data's features to the input population."),
    ],
)
def test_examples_that_are_no_finite_numbers(x: Any, text: str) -> None:
    if "1 that" in text:
        x = X.copy()
        x[1, 0] = np.nan
    if "complex64" in text:
        x = X.astype(np.complex64)
    made = Simulator(*AUTOENCODER, batch=5)
    refused(f"data for circuit circular autoencoder: got {text}", lambda: made.use(x))
    refused(f"data for circuit circular autoencoder: got {text}", lambda: list(made.outputs(x)))


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (None, "none; expected 20 whole numbers from 0 to 2. Give the class of each example"),
        (Y / 1, "an array of float64 of shape (20,); expected 20 whole numbers from 0 to 2. Give the class"),
        (Y > 0, "an array of bool of shape (20,); expected 20 whole numbers"),
        (Y - 1, "an array of int64 of shape (20,), out of range; expected 20 whole numbers from 0 to 2."),
        (Y[:19], "an array of int64 of shape (19,); expected 20 whole numbers from 0 to 2."),
        (np.ma.array(Y, mask=Y > 1), "masked values; expected an array without a mask. Fill the masked values"),
    ],
)
def test_classes_that_are_none(y: Any, got: str) -> None:
    made = Simulator(*CLASSIFIER, batch=5)
    refused(f"labels for circuit classifier with bp: got {got}", lambda: made.use(X, y))


def test_rows_with_a_mask() -> None:
    made = Simulator(*AUTOENCODER, batch=5)
    made.use(X)
    text = "rows shown to circuit circular autoencoder: got masked values; expected an array without a mask. Fill"
    refused(text, lambda: made.present(np.ma.array([1, 2], mask=[False, True])))
    made.present(np.array([1, 2], ">i8"))
    made.present([3, 4])


def test_a_data_set_that_nobody_can_change_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from circuitsim.arrays import freeze
    from circuitsim.engine import inputs

    checked: list[int] = []
    original = inputs.misfit_of_numbers
    monkeypatch.setattr(inputs, "misfit_of_numbers", lambda x, kind: (checked.append(len(x)), original(x, kind))[1])
    made = Simulator(*AUTOENCODER, batch=5)
    frozen, own = freeze(X.copy()), X.copy()
    for _ in range(3):
        list(made.outputs(frozen))
        list(made.outputs(own))
    assert checked == [20, 20, 20, 20]  # once the frozen one, each time the other


def test_outputs_are_copies() -> None:
    x = np.random.default_rng(0).random((10_000, 64)).astype(np.float32)
    made = Simulator(*circular_autoencoder([64, 48, 64]), batch=10)
    parts = [values for _, *values in made.outputs(x)]
    assert len(parts) > 1
    for which in (0, 1):
        at_once = [values[which].copy() for _, *values in made.outputs(x)]
        np.testing.assert_array_equal(np.concatenate([p[which] for p in parts], 1), np.concatenate(at_once, 1))


# ------------------------------------------------------------------------------------------------- seeds, sizes, types


@pytest.mark.parametrize("seeds", [np.arange(2), [np.int64(0), np.uint8(1)], range(2), (0, 1), iter([0, 1])])
def test_seeds_of_all_kinds_of_whole_numbers(seeds: Any) -> None:
    made, expected = (Simulator(*AUTOENCODER, batch=5, seeds=s).tensors() for s in (seeds, [0, 1]))
    assert all(np.array_equal(tensor, expected[name]) for name, tensor in made.items())


@pytest.mark.parametrize(
    "seeds", [[-1], [2**64], [0.5], [], [True], ["1"], "12", 7, None, [None], np.array([1.0]), [0, 2**64]]
)
def test_seeds_that_are_none(seeds: Any) -> None:
    text = (
        f"seeds for circuit circular autoencoder: got {seeds!r}; expected one whole number from 0 to 2^64 - 1 for each"
    )
    refused(text, lambda: Simulator(*AUTOENCODER, batch=5, seeds=seeds))


def test_the_largest_seed_is_a_seed_of_its_own() -> None:
    first, last = (Simulator(*AUTOENCODER, batch=5, seeds=[s]).tensors()["A1.weight"] for s in (0, 2**64 - 1))
    assert not np.array_equal(first, last)


@pytest.mark.parametrize("dtype", ["float16", "int64", ">f4", ">f8", None, "f", complex, "number", np.longdouble])
def test_types_that_are_not_single_or_double(dtype: Any) -> None:
    if dtype == "f":
        Simulator(*AUTOENCODER, batch=5, dtype=dtype)
        return
    text = f"dtype of circuit circular autoencoder: got {dtype!r}; expected float32 or float64. Choose one of these."
    refused(text, lambda: Simulator(*AUTOENCODER, batch=5, dtype=dtype))


@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "5", None])
def test_batches_that_are_none(batch: Any) -> None:
    text = f"batch of circuit circular autoencoder: got {batch!r}; expected a whole number >= 1. Correct the number."
    refused(text, lambda: Simulator(*AUTOENCODER, batch=batch))
    assert Simulator(*AUTOENCODER, batch=np.int64(5)).batch == 5
    text = "passes of mirror mode of circuit circular autoencoder: got -1; expected a whole number >= 0. Correct"
    refused(text, lambda: Simulator(*AUTOENCODER, batch=5).mirror(-1))


@pytest.mark.parametrize("word", ["Drop", "", "raise", None])
def test_what_to_do_on_divergence_is_one_of_two(word: Any) -> None:
    text = f"on_divergence of circuit circular autoencoder: got {word!r}; expected stop or drop. Choose one of these."
    refused(text, lambda: Simulator(*AUTOENCODER, batch=5, on_divergence=word))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_are_refused_in_words(copied: Any) -> None:
    made = Simulator(*AUTOENCODER, batch=5)
    text = (
        "copy or pickle of a simulator of circuit circular autoencoder: got a simulator, whose compiled steps are "
        "bound to its own memory; expected arrays. Make another simulator with the same arguments, and hand on snapsh"
    )
    refused(text, lambda: copied(made))
