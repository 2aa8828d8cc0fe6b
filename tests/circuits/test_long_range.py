"""Long-range feedback edges that carry activity, errors, both or neither: loops by hand, audits, refusals."""

from __future__ import annotations

import re
from typing import Any

import handwritten_cells as hand
import numpy as np
import pytest
import standin

from circuitsim.analysis.audits.examine import examine
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.long_range import errors_by
from circuitsim.circuits.recurrent import recurrent_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Clock, Protocol
from circuitsim.timetable.schedule import make_schedules

SIDE, CHANNELS, EXAMPLES, STEPS, JUDGED = 8, (2, 3), 4, 4, 2
PROTOCOL = Protocol(clock=Clock(STEPS, judged=JUDGED))
X = np.random.default_rng(0).normal(size=(EXAMPLES, 1, SIDE, SIDE))
Y = np.array([0, 2, 1, 2])
Tensors = dict[str, np.ndarray]
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
each_route = pytest.mark.parametrize("route", ["edges", "last"])


def circuit(route: str, *, inference: bool, feedback: str = "fa") -> Circuit:
    forward, _ = recurrent_classifier((1, SIDE, SIDE), CHANNELS, 3, "none", top_down=inference)
    return errors_by(forward, route, feedback)


def learner(made: Circuit, backend: str = "numba") -> Simulator:
    simulator = Simulator(made, PROTOCOL, batch=EXAMPLES, dtype="float64", backend=backend)
    for name, tensor in simulator.tensors().items():
        simulator.load(name, np.random.default_rng([*name.encode()]).normal(size=tensor.shape) * 0.5)
    simulator.use(X.reshape(EXAMPLES, -1), Y)
    return simulator


def windows(x: np.ndarray) -> np.ndarray:
    """What each position sees in windows of 3 x 3, (batch, channel, row, column, 3, 3)."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))


def conv(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("bipquv,oiuv->bopq", windows(x), w) + b[:, None, None]


def pooled(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each block of 2 x 2, and a mask of the first that is largest."""
    n, c, rows, columns = x.shape
    blocks = x.reshape(n, c, rows // 2, 2, columns // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, -1, 4)
    won = np.eye(4)[blocks.argmax(axis=-1)].reshape(n, c, rows // 2, columns // 2, 2, 2)
    mask = won.transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)
    return blocks.max(axis=-1).reshape(n, c, rows // 2, columns // 2), mask


def enlarged(x: np.ndarray) -> np.ndarray:
    """Bilinear interpolation to the side of the first layer, corners aligned."""
    places, given = np.linspace(0, x.shape[2] - 1, SIDE), np.arange(x.shape[2])
    for axis in (2, 3):
        x = np.apply_along_axis(lambda line: np.interp(places, given, line), axis, x)
    return x


def by_hand(t: Tensors, route: str, *, inference: bool) -> Tensors:
    """The increments of one presentation."""
    through = lambda image: np.einsum("bipq,oi->bopq", enlarged(image), t["F.weight"][:, :, 0, 0])  # noqa: E731
    change = {name: np.zeros_like(tensor) for name, tensor in t.items()}
    h2 = np.zeros((EXAMPLES, CHANNELS[1], SIDE // 2, SIDE // 2))
    for step in range(STEPS):
        before = h2
        s1 = conv(X, t["W1.weight"], t["W1.bias"]) + (through(h2) if inference else 0)
        p1, _ = pooled(np.maximum(s1, 0))
        s2 = conv(p1, t["W2.weight"], t["W2.bias"])
        h2 = np.maximum(s2, 0)
        p2, won = pooled(h2)
        y = hand.softmax(p2.reshape(EXAMPLES, -1) @ t["readout.weight"].T + t["readout.bias"])
        if step < STEPS - JUDGED:
            continue
        top = np.eye(3)[Y] - y
        arrived = (top @ t["B_readout.weight"].T).reshape(p2.shape)
        delta2 = (s2 > 0) * won * np.repeat(np.repeat(arrived, 2, axis=2), 2, axis=3)
        deltas = {"W2": (delta2, p1)}
        if route != "last":
            deltas["W1"] = (s1 > 0) * through(delta2), X
        if route == "plastic-edges":
            change["F.weight"][:, :, 0, 0] += np.einsum("bopq,bipq->oi", deltas["W1"][0], enlarged(before))
        for name, (delta, below) in deltas.items():
            change[f"{name}.weight"] += np.einsum("bopq,bipquv->oiuv", delta, windows(below))
            change[f"{name}.bias"] += delta.sum(axis=(0, 2, 3))
        change["readout.weight"] += top.T @ p2.reshape(EXAMPLES, -1)
        change["readout.bias"] += top.sum(axis=0)
    return change


@each_backend
@pytest.mark.parametrize(
    ("route", "inference"),
    [("last", False), ("last", True), ("edges", False), ("edges", True), ("plastic-edges", True)],
)
def test_increments_by_hand(route: str, inference: bool, backend: str) -> None:
    made = learner(circuit(route, inference=inference), backend)
    t = {name: tensor[0].copy() for name, tensor in made.tensors().items()}
    assert ("F.weight" in t) == (inference or route == "edges")
    parts = {"W2": ("weight", "bias"), "readout": ("weight", "bias")}
    if route != "last":
        parts["W1"] = ("weight", "bias")
    if route == "plastic-edges":
        parts["F"] = ("weight",)
    expected = by_hand(t, route, inference=inference)
    made.present(np.arange(EXAMPLES))
    found = made.state.increments()
    assert {name.split(".")[0] for name in found} == set(parts)
    for name, own in parts.items():
        for part in own:
            quantity = "increment" if part == "weight" else "bias_increment"
            assert np.abs(expected[f"{name}.{part}"]).max() > 1e-3
            np.testing.assert_allclose(found[f"{name}.{quantity}"][0], expected[f"{name}.{part}"], rtol=1e-10,
                                       atol=1e-12, err_msg=name)  # fmt: skip


def test_the_edges_are_the_same_in_every_use() -> None:
    """Seeds give F the same bits, and what carries errors is no second tensor."""
    uses = [("last", True), ("edges", False), ("edges", True)]
    first = [Simulator(circuit(r, inference=i), PROTOCOL, batch=2, seeds=[3]).tensors() for r, i in uses]
    assert all(np.array_equal(one["F.weight"], first[0]["F.weight"]) for one in first)
    names = {"W1.weight", "W1.bias", "W2.weight", "W2.bias", "readout.weight", "readout.bias", "B_readout.weight"}
    assert all(set(one) == {*names, "F.weight"} for one in first)


KNOWN = {
    ("last", False): ({"W1", "W2"}, {"W2": 5, "readout": 1}),
    ("last", True): ({"W1", "W2", "F"}, {"W2": 5, "readout": 1}),
    ("edges", False): ({"W1", "W2", "F"}, {"W1": 9, "W2": 5, "readout": 1}),
    ("edges", True): ({"W1", "W2", "F"}, {"W1": 18, "W2": 5, "readout": 1}),
    ("plastic-edges", True): ({"W1", "W2", "F"}, {"W1": 18, "W2": 5, "F": 9, "readout": 1}),
    ("layers", False): ({"W1", "W2", "B_W2"}, {"W1": 9, "W2": 5, "readout": 1}),
    ("layers", True): ({"W1", "W2", "F", "B_W2", "B_F"}, {"W1": 33, "W2": 29, "F": 25, "readout": 1}),
}


@pytest.mark.parametrize(("route", "inference"), list(KNOWN))
def test_the_audit_names_shared_weights_and_the_window(route: str, inference: bool) -> None:
    """Errors through the edges need the window of a step; errors back through layers and edges that of all steps."""
    (schedule,) = make_schedules(circuit(route, inference=inference), PROTOCOL)
    shared, needed = KNOWN[route, inference]
    assert {f.projection for f in schedule.findings if f.kind == "weight-sharing"} == shared
    assert {f.kind for f in schedule.findings} == {"weight-sharing", "lateral", "label"}
    assert schedule.windows == needed


@each_route
def test_experiments_find_nothing_that_is_not_declared(route: str) -> None:
    made = circuit(route, inference=True)
    (schedule,) = make_schedules(made, PROTOCOL)
    found = examine(made, PROTOCOL, dtype="float64", seed=1, runs=1, measure=False)
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == {
        (f.kind, f.projection) for f in schedule.findings
    }


def test_backpropagation_to_the_last_layer_declares_transported_weights() -> None:
    (schedule,) = make_schedules(circuit("edges", inference=True, feedback="bp"), PROTOCOL)
    assert [f.projection for f in schedule.findings if f.kind == "weight-transport"] == ["B_readout"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"channels": (2, 3), "cell": "simple"}, "expected two layers without cells"),
    ({"channels": (2, 2, 2), "cell": "none"}, "expected two layers without cells"),
    ({"channels": (2,), "cell": "none"}, "expected two layers without cells"),
]


@each_route
@pytest.mark.parametrize(("keys", "text"), REFUSED)
def test_layers_without_such_edges_are_refused(keys: dict[str, Any], text: str, route: str) -> None:
    forward, _ = recurrent_classifier((1, SIDE, SIDE), keys["channels"], 3, keys["cell"])
    with pytest.raises(CircuitError, match=re.escape(text)):
        errors_by(forward, route)


def test_unknown_names_are_refused() -> None:
    forward, _ = recurrent_classifier((1, SIDE, SIDE), CHANNELS, 3, "none")
    with pytest.raises(
        CircuitError, match="errors of a recurrent classifier: got 'top'; expected one of layers, edges, "
    ):
        errors_by(forward, "top")
    with pytest.raises(CircuitError, match="taught of errors through time: got 'drive9'; expected one of layer0, "):
        through_time(forward, "bp", ["drive9"])
    with pytest.raises(CircuitError, match="with top_down=True for plastic-edges"):
        errors_by(forward, "plastic-edges")
