"""Circular layouts: bidirectional and conjoined cannot be told apart, and symmetric weights stay symmetric."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from building import Built, Setting, digits, distance, presentations, simulator, train, weights_of
from tensors import logistic

import circuitsim as cs
from circuitsim.analysis.audits.examine import examine
from circuitsim.circuits.layouts import bidirectional_autoencoder, conjoined_autoencoder
from circuitsim.errors import CircuitError
from circuitsim.timetable.schedule import make_schedule

SIZES, LR = (64, 9, 64), 0.2
BATCHES = presentations(8)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])
unlike = pytest.mark.parametrize("weights", ["asymmetric", "symmetric"])


def built(make: Callable[..., Any], **options: Any) -> Built:
    return Built(make.__name__, make, SIZES, tuple(options.items()), (("lr", LR),))


@both
@unlike
def test_bidirectional_and_conjoined_layouts_cannot_be_told_apart(backend: str, weights: str) -> None:
    """Appendix A, to the bit, though the connections of one differ in length: timetables tell, weights do not."""
    bidirectional = simulator([built(bidirectional_autoencoder, weights=weights, delay=2)], backend=backend)
    conjoined = simulator([built(conjoined_autoencoder, weights=weights, delays=(1, 6))], backend=backend)
    assert bidirectional.schedule.windows != conjoined.schedule.windows
    begun = weights_of(conjoined)
    found, expected = (weights_of(train(made, BATCHES)) for made in (bidirectional, conjoined))
    assert {k: a.tobytes() for k, a in found.items()} == {k: a.tobytes() for k, a in expected.items()}
    assert distance(found, begun) > 1e-2


@both
def test_the_asymmetric_layout_is_the_circular_autoencoder(backend: str) -> None:
    setting = Setting(SIZES, bias=False, lr=LR)
    expected = train(simulator([setting], backend=backend), BATCHES)
    found = train(simulator([built(conjoined_autoencoder, bias=False)], backend=backend), BATCHES)
    assert all(np.array_equal(found.tensors()[k], expected.tensors()[k]) for k in ("A1.weight", "A2.weight"))


@both
def test_symmetric_weights_stay_so_by_construction_or_by_their_rules(backend: str) -> None:
    symmetric = simulator([built(conjoined_autoencoder, weights="symmetric")], backend=backend)
    assert "A1.weight" not in symmetric.tensors()  # it has A2's, turned
    mirrored = simulator([built(conjoined_autoencoder, weights="mirrored")], backend=backend)
    mirrored.load("A1.weight", mirrored.tensors()["A2.weight"].transpose(0, 2, 1).copy())
    for rows in BATCHES:
        symmetric.present(rows)
        mirrored.present(rows)
        a1, a2 = (mirrored.tensors()[f"A{h}.weight"][0] for h in (1, 2))
        assert np.abs(a1 - a2.T).max() < 1e-15
    found = {k: a for k, a in weights_of(mirrored).items() if k != "A1.weight"}
    assert distance(found, weights_of(symmetric)) < 1e-12


def test_mirrored_rules_keep_the_difference_that_they_start_with() -> None:
    made = simulator([built(conjoined_autoencoder, weights="mirrored")])

    def apart() -> np.ndarray:
        w = weights_of(made)
        return w["A1.weight"] - w["A2.weight"].T

    before = apart()
    train(made, BATCHES)
    assert np.abs(before).max() > 0.1
    np.testing.assert_allclose(apart(), before, atol=1e-13)


def test_the_asymmetric_layout_against_a_loop_written_by_hand() -> None:
    """Eq. 31, with the output's bias."""
    made = simulator([built(bidirectional_autoencoder)])
    begun = weights_of(made)
    a, b, c = begun["A2.weight"].copy(), begun["A1.weight"].copy(), begun["A2.bias"].copy()
    for rows in BATCHES:
        x = digits()[rows]
        o1 = np.tanh(x @ b.T)
        back = logistic(o1 @ a.T + c)
        again = np.tanh(back @ b.T)
        b = b + LR * (o1 - again).T @ x / len(rows)
        a, c = a + LR * (x - back).T @ o1 / len(rows), c + LR * (x - back).mean(axis=0)
    assert distance(weights_of(train(made, BATCHES)), {"A1.weight": b, "A2.weight": a, "A2.bias": c}) < 1e-10


def test_the_symmetric_layout_against_a_loop_written_by_hand() -> None:
    """One matrix, changed by what goes up it and by what comes down it."""
    made = simulator([built(bidirectional_autoencoder, weights="symmetric")])
    begun = weights_of(made)
    a, b = begun["A2.weight"].copy(), begun["A2.bias"].copy()
    for rows in BATCHES:
        x = digits()[rows]
        o1 = np.tanh(x @ a)
        back = logistic(o1 @ a.T + b)
        again = np.tanh(back @ a)
        down, up = (x - back).T @ o1, (o1 - again).T @ x
        a, b = a + LR * (down + up.T) / len(rows), b + LR * (x - back).mean(axis=0)
    assert distance(weights_of(train(made, BATCHES)), {"A2.weight": a, "A2.bias": b}) < 1e-10


@pytest.mark.parametrize("make", [bidirectional_autoencoder, conjoined_autoencoder])
@unlike
def test_what_the_audits_find_in_a_circular_layout(make: Callable[..., Any], weights: str) -> None:
    circuit, protocol = make((6, 4, 6), weights)
    found = examine(circuit, protocol, measure=False)
    named = [(f["kind"], f["projection"], f["read"]) for f in found["findings"]]
    wire = [("weight-transport", "A1", "the transposed weights of A2")]
    assert named == (wire if weights == "symmetric" else [])


def test_mirrored_weights_need_no_wire() -> None:
    circuit, protocol = conjoined_autoencoder((6, 4, 6), "mirrored")
    assert examine(circuit, protocol, measure=False)["findings"] == []
    assert make_schedule(circuit, protocol).windows == {"A1": 3, "A2": 3}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "sizes": (
        lambda: conjoined_autoencoder((4, 3, 3, 4)),
        "layout of a circular autoencoder: got sizes [4, 3, 3, 4], weights 'asymmetric'; expected three layers, the "
        "last as large as the first, and weights one of asymmetric, symmetric, mirrored. Choose one of these; "
        "circular_autoencoder has more layers.",
    ),
    "weights": (
        lambda: bidirectional_autoencoder((4, 3, 4), "mirrored"),
        "layout of a circular autoencoder: got sizes [4, 3, 4], weights 'mirrored'; expected three layers, the last as "
        "large as the first, and weights one of asymmetric, symmetric. Choose one of these; circular_autoencoder has "
        "more layers.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        make()


def test_parts_of_the_input_are_inputs_of_their_own() -> None:
    """Fixed synapses of a table hand parts of the data to populations at other sites."""

    def part(begin: int, size: int) -> cs.Table:
        return cs.Table(range(size), range(begin, begin + size), [0] * size)

    see = cs.Projection("see", "senses", "image", connectivity=part(0, 6), weights=cs.Fixed(1.0))
    hear = cs.Projection("hear", "senses", "sound", connectivity=part(6, 3), weights=cs.Fixed(1.0), delay=2)
    populations = cs.Population("senses", 9), cs.Population("image", 6), cs.Population("sound", 3)
    joined = cs.Projection("W1", "image", "joined"), cs.Projection("V1", "sound", "joined")
    circuit = cs.Circuit("two", (*populations, cs.Population("joined", 4, "tanh")), (see, hear, *joined),
                         inputs="senses", outputs="joined")  # fmt: skip
    one = cs.Simulator(circuit, cs.Protocol(), batch=5, dtype="float64")
    x = np.random.default_rng(0).random((5, 9))
    ((_, fired, _),) = one.outputs(x)
    w, v = (one.tensors()[name][0] for name in ("W1.weight", "V1.weight"))
    np.testing.assert_allclose(fired[0], np.tanh(x[:, :6] @ w.T + x[:, 6:] @ v.T), rtol=1e-12)
