"""Clocked circuits against feedforward ones to the bit, against hand-written loops, and what is read of their steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import standin

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, MaxPool
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.decisions import Readout, decided, decisions
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import ConfigError
from circuitsim.timetable.protocol import Clock, Protocol

X = np.random.default_rng(0).random((20, 12))
Y = np.random.default_rng(1).integers(0, 3, 20)
IMAGES = np.random.default_rng(2).random((20, 50)) - 0.4
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))


def simulator(circuit: Circuit, protocol: Protocol, backend: str, **options: object) -> Simulator:
    given = {"parameters": {"lr": 0.1}} if circuit.plasticity else {}
    made = Simulator(circuit, protocol, batch=20, dtype="float64", backend=backend, **given, **options)  # type: ignore[arg-type]
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            made.load(name, np.random.default_rng(len(name)).normal(size=tensor.shape))
    return made


def chain(lag: int, texts: tuple[str, ...] | None) -> Circuit:
    """The forward part of a classifier, with a lag."""
    layers = parse_layers(texts, (2, 5, 5)) if texts else [12, 7, 6, 3]
    full, _ = layered_classifier(layers)
    forward = tuple(p for p in full.populations if not p.feedback and p.name != "labels")
    names = {p.name for p in forward}
    projections = tuple(replace(q, lag=lag) for q in full.projections if {q.source, q.target} <= names)
    return Circuit("chain", forward, projections, full.inputs, full.outputs)


@each_backend
@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("texts", [None, ("conv 3 3", "maxpool 2", "dense 3")])
def test_a_clocked_chain_ends_as_the_feedforward_circuit(backend: str, lag: int, texts: tuple[str, ...] | None) -> None:
    """To the bit: one edge a step, or a whole sweep in each step."""
    x = X if texts is None else IMAGES
    plain, clocked = chain(0, texts), chain(lag, texts)
    steps = 4
    made = [
        simulator(plain, Protocol(learn=False), backend),
        simulator(clocked, Protocol(learn=False, clock=Clock(steps)), backend),
    ]
    (_, *expected), (_, *found) = (next(iter(one.outputs(x))) for one in made)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    first = next(iter(made[1].observe([(clocked.outputs, "O", 0)], x)))[1][0]
    assert np.array_equal(first, expected[0]) is (lag == 0)


@each_backend
@pytest.mark.parametrize("lag", [0, 1])
def test_a_clocked_chain_learns_as_the_feedforward_circuit(backend: str, lag: int) -> None:
    """Errors of the last step pass back over the steps to where the activity came from: bits of backpropagation."""
    circuit, protocol = layered_classifier([12, 7, 6, 3])
    one = simulator(circuit, protocol, backend)
    other = simulator(through_time(chain(lag, None)), Protocol(clock=Clock(4)), backend)
    for made in (one, other):
        made.use(X, Y)
        for _ in range(3):
            made.present(np.arange(20))
    for name, tensor in one.tensors().items():
        assert np.array_equal(tensor, other.tensors()[name]), name


def loop() -> Circuit:
    """Excitatory neurons that drive inhibitory ones, which answer a step later; a lateral loop; feedback from above."""
    populations = (
        Population("x", 12),
        Population("e", 7, "relu"),
        Population("i", 4, "logistic"),
        Population("y", 3, "tanh"),
    )
    projections = (
        Projection("W1", "x", "e", bias=True),
        Projection("E", "e", "e", 3, lag=1),
        Projection("I", "i", "e", lag=1),
        Projection("U", "e", "i", bias=True),
        Projection("B", "y", "e", lag=2),
        Projection("W2", "e", "y"),
    )
    return Circuit("loop", populations, projections, "x", "y", blank=0.25)


@each_backend
def test_lateral_and_inhibitory_loops_do_what_a_loop_by_hand_does(backend: str) -> None:
    made = simulator(loop(), Protocol(learn=False, clock=Clock(6, shown=4)), backend)
    t = {name: tensor[0] for name, tensor in made.tensors().items()}
    e, i, history = np.zeros((20, 7)), np.zeros((20, 4)), [np.zeros((20, 3))] * 2
    for step in range(6):
        x = X if step < 4 else np.full_like(X, 0.25)
        fed = x @ t["W1.weight"].T + e @ t["E.weight"].T + i @ t["I.weight"].T + history[-2] @ t["B.weight"].T
        e = np.maximum(fed + t["W1.bias"], 0)
        i = 1 / (1 + np.exp(-(e @ t["U.weight"].T + t["U.bias"])))
        history.append(np.tanh(e @ t["W2.weight"].T))
    ((_, found),) = made.observe([("y", "O", step) for step in range(6)], X)
    np.testing.assert_allclose([one[0] for one in found], history[2:], rtol=1e-13, atol=1e-14)


@each_backend
def test_products_are_zero_until_every_factor_has_come(backend: str) -> None:
    populations = (Population("x", 12), Population("p", 12, combine=Combine.PRODUCT), Population("y", 3))
    projections = (
        Projection("A", "x", "p"),
        Projection("C", "x", "p", lag=2),
        Projection("W", "p", "y"),
    )
    made = simulator(Circuit("product", populations, projections, "x", "y"), Protocol(clock=Clock(4)), backend)
    ((_, found),) = made.observe([("p", "O", step) for step in range(4)], X)
    t = made.tensors()
    expected = (X @ t["A.weight"][0].T) * (X @ t["C.weight"][0].T)
    assert not found[0].any() and not found[1].any()
    np.testing.assert_allclose([found[2][0], found[3][0]], [expected, expected], rtol=1e-12)


@each_backend
def test_through_the_queue_a_clocked_presentation_has_the_same_bits(backend: str) -> None:
    circuit = through_time(chain(1, ("conv 3 3", "maxpool 2", "dense 3")))
    protocol = Protocol(clock=Clock(5, shown=4, judged=2))
    plain, queued = (simulator(circuit, protocol, backend, order=order) for order in (None, lambda e: e[::-1]))
    for made in (plain, queued):
        made.use(IMAGES, Y)
        made.present(np.arange(15))
    for name, tensor in plain.tensors().items():
        assert np.array_equal(tensor, queued.tensors()[name]), name


def test_replicas_may_be_shown_different_examples() -> None:
    circuit, protocol = through_time(chain(1, None)), Protocol(clock=Clock(4, shown=3))
    both = Simulator(circuit, protocol, batch=5, seeds=[3, 4], dtype="float64", shared=False, parameters={"lr": 0.1})
    both.use(X, Y)
    rows = np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    both.present(rows)
    for replica, seed in enumerate((3, 4)):
        one = Simulator(circuit, protocol, batch=5, seeds=[seed], dtype="float64", parameters={"lr": 0.1})
        one.use(X, Y)
        one.present(rows[replica])
        for name, tensor in one.tensors().items():
            np.testing.assert_allclose(both.tensors()[name][replica], tensor[0], rtol=1e-12, atol=1e-15)


def test_recordings_keep_steps() -> None:
    circuit = through_time(chain(1, None))
    made = simulator(circuit, Protocol(clock=Clock(4)), "numba", probes=[("layer3", "O", 3)])
    made.use(X, Y)
    recording = made.record("layer1", cycle=2)
    made.present(np.arange(20))
    weight, bias = (
        simulator(circuit, Protocol(clock=Clock(4)), "numba").tensors()[f"W1.{q}"] for q in ("weight", "bias")
    )
    np.testing.assert_allclose(recording.values[0][0], np.tanh(X @ weight[0].T + bias[0]), rtol=1e-12)
    assert made.probe("layer3", cycle=3).shape == (1, 20, 3)


FIRED = np.array([[[[0.5, 0.5]]], [[[0.2, 0.8]]], [[[0.9, 0.1]]], [[[0.4, 0.6]]]])  # (step, replica, example, unit)


@pytest.mark.parametrize(
    ("readout", "threshold", "activity", "step"),
    [
        (Readout.LAST, 1.0, [0.4, 0.6], 3),
        (Readout.AVERAGED, 1.0, [0.5, 0.5], 3),
        (Readout.CONFIDENT, 0.7, [0.2, 0.8], 1),
        (Readout.CONFIDENT, 0.85, [0.9, 0.1], 2),
        (Readout.CONFIDENT, 0.95, [0.9, 0.1], 2),  # none reaches it: the most confident
        (Readout.CONFIDENT, 0.5, [0.5, 0.5], 0),
    ],
)
def test_decisions_are_read_where_the_readout_says(
    readout: Readout, threshold: float, activity: list[float], step: int
) -> None:
    found, when = decided(FIRED, readout, threshold)
    np.testing.assert_allclose(found[0, 0], activity)
    assert when[0, 0] == step


def test_decisions_of_a_circuit() -> None:
    made = simulator(chain(1, None), Protocol(learn=False, clock=Clock(5, judged=2)), "numba")
    ((part, activity, when),) = decisions(made, X, readout=Readout.AVERAGED)
    (_, expected, _) = next(iter(made.outputs(X)))
    assert part == slice(0, 20) and (when == 4).all()
    np.testing.assert_allclose(activity, expected, rtol=1e-12)  # nothing changes in the last two steps
    ((_, _, when),) = decisions(made, X, readout=Readout.CONFIDENT, begin=0, threshold=0.0)
    assert not when.any()


def test_decisions_need_a_clock() -> None:
    made = simulator(chain(0, None), Protocol(learn=False), "numba")
    with pytest.raises(ConfigError, match=r"got a protocol without clock; expected a step of a clocked protocol"):
        next(iter(decisions(made, X)))
    made = simulator(chain(0, None), Protocol(learn=False, clock=Clock(2)), "numba")
    with pytest.raises(ConfigError, match="begin=2"):
        next(iter(decisions(made, X, begin=2)))


def test_convolutions_and_pools_have_steps() -> None:
    """Each step's winner passes that step's error; numerical derivatives of the summed loss."""
    populations = (
        Population("x", shape=(2, 5, 5)),
        Population("c", shape=(2, 5, 5), activation="tanh"),
        Population("m", shape=(2, 2, 2), combine=Combine.MAX),
        Population("y", 3, "softmax"),
    )
    projections = (
        Projection("W1", "x", "c", connectivity=Convolution(3), bias=True),
        Projection("R", "c", "c", connectivity=Convolution(3), lag=1),
        Projection("to_m", "c", "m", connectivity=MaxPool(2)),
        Projection("W2", "m", "y", bias=True),
    )
    circuit = Circuit("pooled", populations, projections, "x", "y")
    made = simulator(through_time(circuit), Protocol(clock=Clock(3, judged=3)), "numba")
    made.use(IMAGES, Y)
    tensors = {name: tensor.copy() for name, tensor in made.tensors().items()}
    made.present(np.arange(20))
    found, watcher = made.state.increments(), simulator(circuit, Protocol(learn=False, clock=Clock(3)), "numba")

    def loss() -> float:
        ((_, fired),) = watcher.observe([("y", "O", step) for step in range(3)], IMAGES)
        return -sum(float(np.log(one[0, np.arange(20), Y]).sum()) for one in fired)

    for name, weights in tensors.items():
        watcher.load(name, weights)
    for name, quantity, place in (("R", "", (0, 1, 0, 1, 2)), ("W1", "", (0, 0, 1, 1, 1)), ("W1", "bias_", (0, 1))):
        tensor = f"{name}.{'bias' if quantity else 'weight'}"
        ends = []
        for change in (1e-5, -1e-5, 0.0):
            weight = tensors[tensor].copy()
            weight[place] += change
            watcher.load(tensor, weight)
            ends.append(loss())
        np.testing.assert_allclose(found[f"{name}.{quantity}increment"][place], (ends[1] - ends[0]) / 2e-5, rtol=1e-6)
