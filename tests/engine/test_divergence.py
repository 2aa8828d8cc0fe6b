"""All that writes weights is watched: no decay, bound, norm or hook makes them infinite, or zero in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from building import Setting, classifier, presentations, simulator, train

from circuitsim.circuit.parts import Mirror
from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import Diverged

ROWS = presentations(6)
SIZES = (64, 7, 10)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


def finite(made: Simulator) -> bool:
    return all(np.isfinite(tensor).all() for tensor in made.tensors().values())


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [2.5, 1e30])
def test_a_decay_above_two_ends_before_weights_are_infinite(decay: float, dtype: str, backend: str) -> None:
    made = simulator([classifier("bp", SIZES, {"lr": 0.0, "weight_decay": decay})], backend=backend, dtype=dtype)
    expected = abs(made.tensors()["W1.weight"]).max()
    message = (
        rf"projection W\d, replica 0: the decay of {decay:g} gives weights that are not finite in presentation \d+\."
    )
    with pytest.raises(
        Diverged, match=f"^{message} Lower the decay: above 2 it grows.$".replace("+", "\\+", 1 * (decay > 9))
    ):
        train(made, ROWS * 400)
    assert finite(made) and made.presentations > 0
    grown = abs(made.tensors()["W1.weight"]).max() / expected
    assert grown == pytest.approx(abs(1 - decay) ** made.presentations, rel=1e-3)  # the last finite ones


@both
def test_a_replica_whose_decay_is_too_large_is_dropped_with_finite_weights(backend: str) -> None:
    settings = [classifier("bp", SIZES, {"lr": 0.1, "weight_decay": d}) for d in (0.0, 1e30, 0.01)]
    made = train(simulator(settings, backend=backend, dtype="float32", on_divergence="drop"), ROWS)
    assert made.state.alive.tolist() == [True, False, True] and finite(made)
    plain = [classifier("bp", SIZES, {"lr": 0.1, "weight_decay": d}) for d in (0.0, 0.5, 0.01)]
    others = train(simulator(plain, backend=backend, dtype="float32"), ROWS)
    for name, tensor in made.tensors().items():
        np.testing.assert_array_equal(tensor[[0, 2]], others.tensors()[name][[0, 2]])


@both
def test_the_decay_of_a_mirror(backend: str) -> None:
    setting = classifier("wm", SIZES, {("B2", "weight_decay"): 2.2, "lr": 0.1}, mirror=Mirror("W2"))
    made = simulator([setting], backend=backend, dtype="float32")
    with pytest.raises(
        Diverged, match=r"^projection B2, replica 0: the decay of 2\.2 gives weights that are not finite"
    ):
        made.mirror(2000)
    assert finite(made) and abs(made.tensors()["B2.weight"]).max() > 1e30


@both
def test_decays_up_to_two_and_large_increments_are_none_of_this(backend: str) -> None:
    settings = [classifier("bp", SIZES, {"lr": 0.01, "weight_decay": d}) for d in (0.0, 1.0, 2.0)]
    made = train(simulator(settings, backend=backend, dtype="float32"), ROWS * 20)
    assert made.state.alive.all() and finite(made)


@both
@pytest.mark.parametrize("quantity", ["bounded", "normalised"])
def test_norms_of_weights_that_are_too_large_for_their_squares(quantity: str, backend: str) -> None:
    """In double precision; an infinite norm would make all weights of the neuron zero."""
    if quantity == "bounded":
        made = simulator([Setting((64, 8, 64), lr=0.1, max_norm=1e300)], backend=backend)
    else:
        made = simulator([classifier("wm", SIZES, {"lr": 0.1}, mirror=Mirror("W2"), normalise=True)], backend=backend)
    name = "A1.weight" if quantity == "bounded" else "B2.weight"
    made.load(name, np.full(made.tensors()[name].shape, 1e200))
    with pytest.raises(Diverged, match=rf"^projection {name[:2]}, replica 0: "):
        made.present(ROWS[0]) if quantity == "bounded" else made.mirror()
    assert (made.tensors()[name] == 1e200).all()


@both
def test_what_is_pending_and_what_moves_count_too(backend: str) -> None:
    """No increment is near the limit, but what was added up before is."""
    waiting = replace(classifier("bp", SIZES, {"lr": 1.0, "update_probability": 1e-300}), options=(("deferred", True),))
    made = simulator([waiting], backend=backend, dtype="float32")
    made.load(
        "W2.weight", 1e30 * np.random.default_rng(0).random((10, 7))
    )  # large errors come down: the limit is reached, and all is added
    made.present(ROWS[0])
    made.state.persistent()["W1.pending"][...] = 3e38
    with pytest.raises(Diverged, match=r"^projection W1, replica 0: plasticity at tick"):
        made.present(ROWS[1])


@both
def test_a_hook_that_writes_what_is_not_finite(backend: str) -> None:
    def spoil(tensors: Mapping[str, np.ndarray]) -> None:
        if made.presentations == 2:
            tensors["A1.weight"][1, 0, 0] = np.nan

    made = simulator([Setting((64, 8, 64))] * 2, hooks=[Hook(spoil)], backend=backend)
    train(made, ROWS[:2])
    before = {name: tensor.copy() for name, tensor in made.tensors().items()}
    with pytest.raises(Diverged, match=r"^hook spoil, replica 1: A1\.weight has values that are not finite\. Correct"):
        made.present(ROWS[2])
    assert made.presentations == 2
    assert all(np.array_equal(tensor, before[name]) for name, tensor in made.tensors().items())
