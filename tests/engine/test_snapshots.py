"""Snapshots: all that decides what follows is in one, and one of another simulator is refused as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

X = np.random.default_rng(0).random((20, 8)).astype(np.float32)
DESCRIBED = circular_autoencoder([8, 4, 8], bounded=True)


def made(described: Any = DESCRIBED, **options: Any) -> Simulator:
    found = Simulator(
        *described, **{"batch": 5, "parameters": {"lr": 0.1, "momentum": 0.5}, "seeds": [0, 1], **options}
    )
    found.use(X, np.arange(20) % 3 if described[0].labels else None)
    found.present(range(5))
    return found


def bits(simulator: Simulator) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in simulator.snapshot().items()}


CHANGES: dict[str, Callable[[Simulator], Any]] = {
    "rates": lambda s: s.set_rates(0.0),
    "a rate of each replica": lambda s: s.set_rates(np.array([0.5, 0.25]), ["A1"]),
    "a rate": lambda s: s.set_parameters({("A1", "lr"): 0.7}),
    "a bias rate": lambda s: s.set_parameters({("A2", "lr_bias"): 0.7}),
    "a decay": lambda s: s.set_parameters({("A2", "weight_decay"): 0.1}),
    "a bound": lambda s: s.set_parameters({("layer1", "max_norm"): 0.1}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_what_was_set_by_hand_is_in_a_snapshot(change: str, backend: str) -> None:
    one = made(backend=backend)
    before = bits(one)
    CHANGES[change](one)
    assert bits(one) != before
    other, plain = made(backend=backend), made(backend=backend)
    other.restore(one.snapshot())
    for simulator in (one, other, plain):
        simulator.present(range(5, 10))
    assert bits(one) == bits(other) != bits(plain)
    for simulator in (one, other):  # rates are scaled from the same values
        simulator.set_rates(0.3)
        simulator.present(range(5))
    assert bits(one) == bits(other)


OTHERS: dict[str, tuple[Callable[[], Simulator], str]] = {
    "shape": (
        lambda: made(circular_autoencoder([8, 1, 8], bounded=True)),
        "another circuit; expected that of this sim",
    ),
    "circuit": (lambda: made(circular_autoencoder([8, 4, 8])), "another circuit; expected that of this simulator."),
    "rule": (lambda: made(circular_autoencoder([8, 4, 8], "bp", bounded=True)), "another circuit; expected that"),
    "kind": (lambda: made(layered_classifier([8, 4, 3])), "another circuit; expected that of this simulator."),
    "protocol": (lambda: made((DESCRIBED[0], replace(DESCRIBED[1], window=9))), "another protocol; expected that of"),
    "probes": (lambda: made(probes=[("layer1", "O", 0)]), "another protocol; expected that of this simulator."),
    "replicas": (lambda: made(seeds=[0]), "seeds [0]; expected seeds [0 1]. Restore it into a simulator that is made"),
    "seeds": (lambda: made(seeds=[0, 2]), "seeds [0 2]; expected seeds [0 1]."),
    "type": (
        lambda: made(dtype="float64"),
        "state/A1.weight as float64 of shape (2, 4, 8); expected state/A1.weight as float32 of shape (2, 4, 8).",
    ),
    "momentum": (
        lambda: made(parameters={"lr": 0.1, "momentum": 0.25}),
        "parameter momentum of A1 [0.25 0.25]; expected parameter momentum of A1 [0.5 0.5].",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_snapshot_of_another_simulator_is_refused_as_a_whole(other: str) -> None:
    one, (make, got) = made(), OTHERS[other]
    before = bits(one)
    with pytest.raises(CircuitError, match="^" + re.escape(f"snapshot for circuit circular autoencoder: got {got}")):
        one.restore(make().snapshot())
    assert bits(one) == before


def _with(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(snapshot: dict[str, Any]) -> None:
        snapshot[name] = change(snapshot[name])

    return edit


DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no weights": (
        lambda s: s.pop("state/A1.weight"),
        "no state/A1.weight; expected state/A1.weight as float32 of shape",
    ),
    "no clock": (lambda s: s.pop("tick"), "no tick; expected tick as int64 of shape (1,)."),
    "no circuit": (lambda s: s.pop("same/circuit"), "no same/circuit; expected all that `snapshot` returns."),
    "more": (lambda s: s.update(more=np.zeros(1)), "more; expected nothing that this simulator lacks."),
    "one replica": (
        _with("state/A1.weight", lambda a: a[:1]),
        "state/A1.weight as float32 of shape (1, 4, 8); expected state/A1.weight as float32 of shape (2, 4, 8).",
    ),
    "another order of bytes": (
        _with("state/A1.weight", lambda a: a.astype(">f4")),
        "state/A1.weight as >f4 of shape (2, 4, 8); expected state/A1.weight as float32 of shape (2, 4, 8).",
    ),
    "a list": (_with("tick", lambda a: [1.5]), "tick as float64 of shape (1,); expected tick as int64 of shape (1,)."),
    "infinite": (
        _with("state/A1.weight", lambda a: a / 0),
        "state/A1.weight with values that are not finite; expected finite values.",
    ),
    "a decay that is infinite": (
        _with("rates/A1.weight_decay", lambda a: a + np.inf),
        "rates/A1.weight_decay of [inf inf]; expected numbers >= 0, infinite ones only of rates and bounds.",
    ),
    "a rate that is no number": (
        _with("rates/A1.lr", lambda a: a * np.nan),
        "rates/A1.lr of [nan nan]; expected numbers >= 0",
    ),
    "a negative bound": (
        _with("rates/layer1.max_norm", lambda a: -np.ones_like(a)),
        "rates/layer1.max_norm of [-1. -1.]",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_snapshot_that_is_not_as_it_was_taken_is_refused(damage: str) -> None:
    one, (edit, got) = made(), DAMAGED[damage]
    before, snapshot = bits(one), one.snapshot()
    edit(snapshot)
    with pytest.raises(CircuitError, match="^" + re.escape(f"snapshot for circuit circular autoencoder: got {got}")):
        one.restore(snapshot)
    assert bits(one) == before


def test_statistics_that_overflowed_are_restored_as_they_are() -> None:
    """The variance of a neuron that normalises is infinite before any weight is: nothing has diverged yet."""
    circuit, protocol = layered_classifier(parse_layers(["conv 2 3", "norm online", "dense 3"], (1, 4, 4)))
    one = Simulator(circuit, protocol, batch=2)
    (name,) = (name for name in one.snapshot() if name.endswith(".variance"))
    snapshot = one.snapshot() | {name: np.full_like(one.snapshot()[name], np.inf)}
    one.restore(snapshot)
    assert {key: array.tobytes() for key, array in one.snapshot().items()} == {
        key: array.tobytes() for key, array in snapshot.items()
    }
