"""Residual networks: their layers, backpropagation and random feedback against loops by hand and against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from handwritten_residual import Residual

from circuitsim.circuit.norms import NORMS
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.networks import NETWORKS, normalised
from circuitsim.circuits.places import Layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

SHAPE, EXAMPLES, RATE = (3, 8, 8), 6, 0.001
# sums of |gradient| by autograd: benchmarks/resnet_autograd.py --store
AUTOGRAD: dict[str, float] = {
    "W1.increment": 176.0008192614927,
    "W2.increment": 6.2790931729403585,
    "W2.bias_increment": 4.3545160160722896,
    "W3.increment": 459.3356238643603,
    "W4.increment": 5.121661253229693,
    "W4.bias_increment": 2.0022113154921435,
    "W5.increment": 329.086328386681,
    "W6.increment": 4.75435758213402,
    "W6.bias_increment": 2.9804400894465237,
    "W7.increment": 48.26057681589218,
    "W8.increment": 8.310800413409176,
    "W8.bias_increment": 2.9804400894465237,
    "W9.increment": 525.3651284178545,
    "W10.increment": 5.540832123121257,
    "W10.bias_increment": 3.3177691494267707,
    "W11.increment": 979.2199149113734,
    "W12.increment": 3.5761596513582323,
    "W12.bias_increment": 2.1496369374516133,
    "W13.increment": 52.90400447908519,
    "W14.increment": 6.31398329302603,
    "W14.bias_increment": 2.1496369374516133,
    "W15.increment": 918.1027449575258,
    "W16.increment": 5.463301682485606,
    "W16.bias_increment": 3.16285389365001,
    "W17.increment": 1851.0904154924715,
    "W18.increment": 9.530135403257358,
    "W18.bias_increment": 18.60037276923832,
    "W19.increment": 156.73974027150317,
    "W20.increment": 8.755045456195397,
    "W20.bias_increment": 18.60037276923832,
    "W21.increment": 704.6788830888152,
    "W21.bias_increment": 8.872323868342152,
}


def network(name: str, norm: str, shape: tuple[int, ...] = SHAPE) -> Layers:
    return parse_layers(NETWORKS[name] if norm == "none" else normalised(NETWORKS[name], norm), shape)


def built(name: str, norm: str, feedback: str = "bp", backend: str = "numba", **more: Any) -> Simulator:
    """In double precision; all tensors are drawn by their names, so that no gain is zero."""
    circuit, protocol = layered_classifier(network(name, norm), feedback, hidden="relu")
    made = Simulator(circuit, protocol, batch=EXAMPLES, dtype="float64", backend=backend, parameters={"lr": RATE},
                     **more)  # fmt: skip
    for tensor, array in made.tensors().items():
        made.load(tensor, drawn(tensor, array.shape[1:]))
    return made


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    fan = max(int(np.prod(shape[1:])), 1)
    return np.random.default_rng([*name.encode()]).normal(size=shape) * np.sqrt(2 / fan)


def examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    return random.normal(size=(3 * EXAMPLES, 192)), random.integers(0, 10, 3 * EXAMPLES)


@pytest.mark.parametrize("norm", ["none", *NORMS])
@pytest.mark.parametrize("feedback", ["bp", "fa"])
@pytest.mark.parametrize("backend", ["numba", pytest.param("numpy", marks=pytest.mark.nightly)])
def test_three_presentations_equal_a_loop_by_hand(norm: str, feedback: str, backend: str) -> None:
    made, (x, y) = built("resnet8", norm, feedback, backend), examples()
    tensors = {name: array[0].copy() for name, array in made.tensors().items()}
    back = {name: array for name, array in tensors.items() if name.startswith("B")}
    assert bool(back) == (feedback == "fa")
    hand = Residual(tensors, norm, back)
    made.use(x, y)
    for rows in np.arange(3 * EXAMPLES).reshape(3, EXAMPLES):
        made.present(rows)
        found = hand.increments(x[rows].reshape(EXAMPLES, *SHAPE), y[rows])
        for name, change in found.items():
            tensors[name] += RATE * change / EXAMPLES
    assert len(found) == len(tensors) - len(back)
    for name, array in made.tensors().items():
        np.testing.assert_allclose(array[0], tensors[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_backpropagation_equals_autograd() -> None:
    """The sums that autograd gave are stored; benchmarks/resnet_autograd.py compares every gradient."""
    made, (x, y) = built("resnet8", "batch"), examples()
    made.use(x, y)
    made.present(np.arange(EXAMPLES))
    increments = made.state.increments()
    found = {name: float(np.abs(array[0]).sum()) for name, array in increments.items()}
    assert found.keys() == AUTOGRAD.keys()
    for name, value in AUTOGRAD.items():
        assert found[name] == pytest.approx(value, rel=1e-10), name


@pytest.mark.parametrize(("name", "weights"), [("resnet8", 11), ("resnet20", 23), ("chain20", 20)])
def test_depth(name: str, weights: int) -> None:
    """Twenty layers lie on the longest way: 19 convolutions and the dense one; projections go around."""
    row = network(name, "batch")
    assert len(row.plain) == weights
    sums = [place for place in row.places if place.kind == "sum"]
    assert len(sums) == {"resnet8": 3, "resnet20": 9, "chain20": 0}[name]
    assert row.top.shape == (10,)


def test_a_block_begins_with_what_goes_around_it() -> None:
    """Its last gain is zero, so that at first a block without projection passes its input on."""
    row = parse_layers(["conv 4 3", "norm batch", "residual 4 batch", "dense 2"], (3, 4, 4))
    assert [place.first for place in row.places if place.kind == "gain"] == [1.0, 1.0, 0.0]
    circuit, protocol = layered_classifier(row, "fa", hidden="relu")
    (total,) = (place.name for place in row.places if place.kind == "sum")
    made = Simulator(circuit, protocol, batch=2, probes=[("layer2", "O", 0), (total, "O", 0)])
    made.use(np.random.default_rng(0).normal(size=(4, 48)), np.zeros(4, int))
    made.present(np.arange(2))
    first, last = (made.probe(*key) for key in made.protocol.readouts)
    assert first.any()
    np.testing.assert_array_equal(first, last)


@pytest.mark.parametrize("feedback", ["bp", "fa", "ss", "kp", "wm", "ia", "sa", "aa"])
def test_every_rule_has_feedback_beside_every_layer(feedback: str) -> None:
    """Convolutions, projections around blocks and the dense layer; gains are the neurons' own in every rule."""
    row = network("resnet8", "batch")
    circuit, _ = layered_classifier(row, feedback, hidden="relu")
    own = {f"B{h}" for h in row.plain if h > 1}
    gains = {f"B{h}" for h in row.weighted if h > 1 and h not in row.plain}
    assert own | gains <= {q.name for q in circuit.projections}
    carried = {q.name for q in circuit.projections if q.name in own and q.has_tensor}
    assert carried == (set() if feedback == "bp" else own)
    assert not any(circuit.projection(name).has_tensor for name in gains)
    learning = {name for name in circuit.rules if name.startswith("B")}
    assert learning == (own if feedback not in ("bp", "fa", "ss") else set())
    wires = {wire.projection for wire in circuit.wires if wire.kind == "weight-transport"}
    assert not wires & gains


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["residual 4", "dense 2"], "'residual 4' above input; expected a layer with weights below"),
        (["conv 4 3", "chain 4 projected"], "'chain 4 projected' above conv"),
        (["norm batch", "dense 2"], "'norm batch' above input; expected a layer with weights that does not"),
        (["conv 4 3", "norm online", "norm online"], "'norm online' above gain"),
        (["conv 4 3", "norm most"], "'norm most'; expected one of"),
    ],
)
def test_what_does_not_fit_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        parse_layers(texts, (3, 4, 4))
