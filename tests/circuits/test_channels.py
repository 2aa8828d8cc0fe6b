"""Table 5: rows that are backpropagation or recirculation under another name, loops by hand, and what audits find."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from building import Built, Setting, Tensors, digits, distance, presentations, simulator, train, weights_of
from tensors import logistic

from circuitsim.analysis.audits.examine import examine
from circuitsim.circuits.channels import ROWS, Channels, standard_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

SIZES, LR = (64, 9, 64), 0.2
BATCHES = presentations(8)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


def row(name: str, backend: str = "numba", **options: Any) -> Simulator:
    """A row of Table 5, its identities loaded."""
    given = {"channels": ROWS[name], **options}
    made = simulator([Built(name, standard_autoencoder, SIZES, tuple(given.items()), (("lr", LR),))], backend=backend)
    for projection in ROWS[name].identities:
        made.load(f"{projection}.weight", np.eye(64))
    return made


def up_and_down(made: Simulator) -> Tensors:
    """A1 and A2, with the output's biases."""
    return {name: tensor for name, tensor in weights_of(made).items() if name[0] == "A"}


# ------------------------------------------------------------------------------- rows that are something known (1e-12)

KNOWN = {
    "row4": "top",
    "row5-transposed": "bp",
    "row5-random": "rbp",
    "row5-adaptive": "arbp",
    "row6-identity": "error-rec",
    "row7-shared": "rec",
    "row8-identity": "rec",
}


@both
@pytest.mark.parametrize("name", KNOWN)
def test_rows_that_the_paper_calls_something_known(name: str, backend: str) -> None:
    setting = Setting(SIZES, rule=KNOWN[name], bias=False, lr=LR)
    expected = simulator([setting], backend=backend)
    made = row(name, bias=False, backend=backend)
    if "C2.weight" in made.tensors():
        made.load("C2.weight", expected.tensors()["B2.weight"])
    begun = up_and_down(made)
    train(expected, BATCHES)
    train(made, BATCHES)
    assert distance(up_and_down(made), up_and_down(expected)) < 1e-12
    assert distance(up_and_down(made), begun) > 1e-3


def test_row_3_with_a_channel_that_learns_has_two_hidden_layers() -> None:
    made = row("row3-adaptive", bias=False)
    deeper = simulator([Setting((64, 9, 64, 64), bias=False, lr=LR)])
    deeper.load("A3.weight", made.tensors()["C3.weight"])
    found, expected = weights_of(train(made, BATCHES)), weights_of(train(deeper, BATCHES))
    found["A3.weight"] = found.pop("C3.weight")
    assert distance(found, expected) < 1e-12


# ------------------------------------------------------------------------------------------------ written out by hand

Step = Callable[[np.ndarray, Tensors], dict[str, tuple[np.ndarray, np.ndarray]]]


def passed(x: np.ndarray, w: Tensors) -> tuple[np.ndarray, np.ndarray]:
    """O1 = F A1 x and O2 = G (A2 O1 + b)."""
    o1 = np.tanh(x @ w["A1.weight"].T)
    return o1, logistic(o1 @ w["A2.weight"].T + w["A2.bias"])


def row_2_random(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    return {"A1": (o1 - np.tanh(o2 @ w["C2.weight"].T), x)}


def row_3_identity(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    again1, again2 = passed(o2, w)
    return {"A1": (o1 - again1, x), "A2": (o2 - again2, o1)}


def row_5_random(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    return {"A1": ((1 - o1**2) * ((x - o2) @ w["C2.weight"].T), x), "A2": (x - o2, o1)}


def row_6_random(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    return {"A1": (np.tanh((x - o2) @ w["C3.weight"].T @ w["A1.weight"].T), x), "A2": (x - o2, o1)}


def row_7_transposed(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    return {"A1": (o1 - np.tanh(o2 @ w["A2.weight"]), x), "A2": (x - o2, o1)}


def row_8_random(x: np.ndarray, w: Tensors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    o1, o2 = passed(x, w)
    return {"A1": (o1 - np.tanh(o2 @ w["C3.weight"].T @ w["A1.weight"].T), x), "A2": (x - o2, o1)}


def by_hand(w: Tensors, step: Step) -> Tensors:
    """One update for each batch: lr times the mean over the batch of post pre^T."""
    w = {name: tensor.copy() for name, tensor in w.items()}
    for rows in BATCHES:
        for name, (post, pre) in step(digits()[rows], w).items():
            w[f"{name}.weight"] = w[f"{name}.weight"] + LR * post.T @ pre / len(rows)
            if f"{name}.bias" in w:
                w[f"{name}.bias"] = w[f"{name}.bias"] + LR * post.mean(axis=0)
    return w


def of_row(name: str) -> Callable[[], Simulator]:
    return lambda: row(name)


LOOPS: dict[str, tuple[Callable[[], Simulator], Step]] = {
    "row2-random": (of_row("row2-random"), row_2_random),
    "row3-identity": (of_row("row3-identity"), row_3_identity),
    "row5-random": (of_row("row5-random"), row_5_random),
    "row6-random": (of_row("row6-random"), row_6_random),
    "row7-transposed": (of_row("row7-transposed"), row_7_transposed),
    "row8-random": (of_row("row8-random"), row_8_random),
}


@pytest.mark.parametrize("name", LOOPS)
def test_against_loops_written_by_hand(name: str) -> None:
    make, step = LOOPS[name]
    made = make()
    expected = by_hand(weights_of(made), step)
    begun = weights_of(made)
    assert distance(weights_of(train(made, BATCHES)), expected) < 1e-10
    assert distance(expected, begun) > 1e-3


def test_without_channels_nothing_changes() -> None:
    made = row("row1")
    before = {name: tensor.copy() for name, tensor in made.tensors().items()}
    train(made, BATCHES)
    assert all(np.array_equal(before[name], tensor) for name, tensor in made.tensors().items())


# ------------------------------------------------------------------------------------------------------------- audits

VERDICTS: dict[str, list[tuple[str, str]]] = {name: [] for name in ROWS} | {
    "row2-shared": [("weight-sharing", "C2")],
    "row5-transposed": [("weight-transport", "C2")],
    "row7-transposed": [("weight-transport", "C2")],
    "row7-shared": [("weight-sharing", "C2")],
}
WINDOWS = {
    "row1": {},
    "row2-random": {"A1": 3},
    "row3-identity": {"A1": 4, "A2": 4},
    "row3-adaptive": {"A1": 4, "A2": 4, "C3": 3},
    "row4": {"A2": 1},
    "row5-adaptive": {"A1": 3, "A2": 1, "C2": 1},
    "row6-identity": {"A1": 4, "A2": 1},
    "row7-shared": {"A1": 3, "A2": 1},
    "row8-identity": {"A1": 4, "A2": 1},
}


@pytest.mark.parametrize("name", ROWS)
def test_what_the_audits_find_in_a_row(name: str) -> None:
    """From the description and by experiment alike."""
    circuit, protocol = standard_autoencoder((6, 4, 6), ROWS[name])
    found = examine(circuit, protocol, measure=False)
    assert [(f["kind"], f["projection"]) for f in found["findings"]] == VERDICTS[name]
    assert found["local"] == circuit.local == (not VERDICTS[name])
    if name in WINDOWS:
        assert found["window"] == WINDOWS[name]


# ----------------------------------------------------------------------------------------------------------- refusals

_GOT = "learning channels of a standard autoencoder: got c1="
_END = "; carries output, or error beside c1. Choose one of ROWS, or leave out a channel."
_FREE = "random, transposed, shared; c3 one of none, identity, random"
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "both": (
        lambda: Channels(c2="random", c3="identity"),
        f"{_GOT}False, c2='random', c3='identity', carries='output'; expected not both c2 and c3; c2 one of none, "
        f"{_FREE}, adaptive{_END}",
    ),
    "error without target": (
        lambda: Channels(c2="random", carries="error"),
        f"{_GOT}False, c2='random', c3='', carries='error'; expected not both c2 and c3; c2 one of none, random, "
        f"transposed, shared, adaptive; c3 one of none, identity, random{_END}",
    ),
    "adaptive beside c1": (
        lambda: Channels(c1=True, c3="adaptive"),
        f"{_GOT}True, c2='', c3='adaptive', carries='output'; expected not both c2 and c3; c2 one of none, {_FREE}"
        + _END,
    ),
    "carries": (
        lambda: Channels(c1=True, c2="random", carries="x"),
        f"{_GOT}True, c2='random', c3='', carries='x'; expected not both c2 and c3; c2 one of none, {_FREE}{_END}",
    ),
    "sizes": (
        lambda: standard_autoencoder((4, 3, 2), Channels()),
        "sizes of a standard autoencoder: got [4, 3, 2]; expected three layers, the last as large as the first. "
        "Repeat the size of the input at the end.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        make()
