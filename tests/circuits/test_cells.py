"""Recurrent cells against loops by hand, forwards and through time, and the slides' two properties of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import handwritten_cells as hand
import numpy as np
import pytest
import standin

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuits.cells import CELLS, Cell, make_cell
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Clock, Protocol

EXAMPLES, SIZE, STEPS = 5, 4, 8
X = np.random.default_rng(0).normal(size=(EXAMPLES, SIZE))
Y = np.array([0, 2, 1, 2, 0])
BLANK = 0.3
Tensors = dict[str, np.ndarray]
each_cell = pytest.mark.parametrize("kind", list(CELLS))
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))


def circuit_of(cell: Cell, shape: tuple[int, ...] = (SIZE,), outputs: str = "y") -> Circuit:
    """An input, a cell and a readout; the input is not zero when it is blank."""
    populations = (Population("x", shape=shape), *cell.populations, Population("y", 3, "softmax"))
    readout = Projection("readout", cell.output, "y", bias=True)
    return Circuit(f"cell {cell.output}", populations, (*cell.projections, readout), "x", outputs, blank=BLANK)


def drawn(simulator: Simulator, seed: int = 1) -> Tensors:
    """Give every tensor random numbers and return them."""
    found = {}
    for name, tensor in simulator.tensors().items():
        if not name.startswith("B_"):
            simulator.load(name, np.random.default_rng([seed, *name.encode()]).normal(size=tensor.shape) * 0.7)
            found[name] = simulator.tensors()[name][0].copy()
    return found


def made(circuit: Circuit, clock: Clock, backend: str = "numba", **options: Any) -> Simulator:
    learn = bool(circuit.plasticity)
    return Simulator(circuit, Protocol(clock=clock, learn=learn), batch=EXAMPLES, dtype="float64", backend=backend,
                     **options)  # fmt: skip


def inputs(steps: int = STEPS, shown: int = STEPS - 2) -> list[np.ndarray]:
    return [X if step < shown else np.full_like(X, BLANK) for step in range(steps)]


@each_backend
@each_cell
def test_cells_fire_what_their_equations_say(kind: str, backend: str) -> None:
    cell = make_cell(kind, "cell", "x", (SIZE,))
    simulator = made(circuit_of(cell), Clock(STEPS, shown=STEPS - 2), backend)
    tensors = drawn(simulator)
    ((_, found),) = simulator.observe([("cell", "O", step) for step in range(STEPS)], X)
    np.testing.assert_allclose(
        [one[0] for one in found], hand.run(kind, tensors, inputs(), SIZE), rtol=1e-12, atol=1e-13
    )


@each_cell
def test_backpropagation_through_time_is_the_derivative(kind: str) -> None:
    """In double precision, eight steps, errors at the last three."""
    simulator = made(
        through_time(circuit_of(make_cell(kind, "cell", "x", (SIZE,)))), Clock(STEPS, shown=STEPS - 2, judged=3)
    )
    tensors = drawn(simulator)
    simulator.use(X, Y)
    simulator.present(np.arange(EXAMPLES))
    target = np.eye(3)[Y]
    expected = hand.derivatives(lambda t: hand.loss(kind, t, inputs(), SIZE, target, judged=3), tensors)
    increments = simulator.state.increments()
    for name, derivative in expected.items():
        owner, quantity = name.split(".")
        found = increments[f"{owner}.{'increment' if quantity == 'weight' else 'bias_increment'}"][0]
        np.testing.assert_allclose(found, -derivative, rtol=1e-10, atol=1e-12, err_msg=name)


@each_backend
def test_backends_learn_the_same_through_time(backend: str) -> None:
    found = []
    for one in ("numpy", backend):
        simulator = made(through_time(circuit_of(make_cell("lstm", "cell", "x", (SIZE,)))), Clock(4, shown=3), one,
                         parameters={"lr": 0.5})  # fmt: skip
        drawn(simulator)
        simulator.use(X, Y)
        for _ in range(3):
            simulator.present(np.arange(EXAMPLES))
        found.append(simulator.tensors())
    for name, tensor in found[0].items():
        np.testing.assert_allclose(found[1][name], tensor, rtol=1e-11, atol=1e-13, err_msg=name)


@each_cell
def test_starts_name_tensors(kind: str) -> None:
    cell = make_cell(kind, "cell", "x", (SIZE,))
    assert cell.starts.keys() <= made(circuit_of(cell), Clock(2)).tensors().keys()
    assert {p.site for p in cell.populations} == {"cell cell"}


def observed(kind: str, x: np.ndarray, keys: list[tuple[str, str, int]], steps: int = 1) -> list[np.ndarray]:
    """Quantities of a cell that begins as it is meant to, shown some inputs."""
    cell = make_cell(kind, "cell", "x", (SIZE,), activation="identity")
    simulator = Simulator(circuit_of(cell), Protocol(learn=False, clock=Clock(steps)), batch=len(x), dtype="float64")
    drawn(simulator)
    for name, value in cell.starts.items():
        simulator.load(name, np.full(simulator.tensors()[name].shape, value))
    for name, tensor in simulator.tensors().items():
        if name.endswith("bias") and name not in cell.starts:
            simulator.load(name, np.zeros(tensor.shape))
    ((_, found),) = simulator.observe(keys, x)
    return [one[0] for one in found]


def bypasses(kind: str) -> bool:
    """Whether a cell in state zero passes on what drives it, up to one constant."""
    x = np.random.default_rng(3).normal(size=(40, SIZE))
    cell = make_cell(kind, "cell", "x", (SIZE,))
    drives = [p.name for p in cell.populations if p.name in ("cell_drive", "cell_candidate", "cell_answer", "cell_new")]
    (output,) = observed(kind, x, [("cell", "O", 0)])
    given = [x] if kind in ("decay", "intersection") else []
    given += [output] if kind == "simple" else []  # which is its drive itself, see below
    given += observed(kind, x, [(drive, "S", 0) for drive in drives]) if drives else []
    for drive in given:
        ratio = output / drive
        if np.allclose(ratio, ratio[0, 0], rtol=1e-9):
            return True
    return False


def gates_of(kind: str) -> list[np.ndarray]:
    """The activity of a cell's gates for many inputs, in the second step."""
    x = np.random.default_rng(4).normal(size=(40, SIZE))
    gates = make_cell(kind, "cell", "x", (SIZE,)).gates
    return observed(kind, x, [(gate, "O", 1) for gate in gates], steps=2) if gates else []


def test_a_simple_cell_in_state_zero_is_its_feedforward_drive() -> None:
    x = np.random.default_rng(3).normal(size=(40, SIZE))
    simulator = Simulator(circuit_of(make_cell("simple", "cell", "x", (SIZE,))), Protocol(learn=False, clock=Clock(1)),
                          batch=40, dtype="float64")  # fmt: skip
    t = drawn(simulator)
    ((_, (found,)),) = simulator.observe([("cell", "O", 0)], x)
    np.testing.assert_allclose(found[0], hand.elu(x @ t["W_cell.weight"].T + t["W_cell.bias"]), rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "gating", "bypassing"),
    [
        ("decay", False, True),
        ("simple", False, True),
        ("gru", True, False),
        ("lstm", True, False),
        ("ugrnn", True, False),
        ("intersection", True, False),
        ("reciprocal", True, True),
    ],
)
def test_gating_and_bypassing(kind: str, gating: bool, bypassing: bool) -> None:
    """The slides: LSTM gates and does not bypass, the simple cell bypasses alone, the reciprocal gated cell does both.

    Gating: factors from 0 to 1 that depend on the input. Bypassing: in state zero the drive passes unchanged.
    """
    found = gates_of(kind)
    assert bool(found) is gating
    for gate in found:
        assert gate.min() > 0 and gate.max() < 1
        assert np.ptp(gate, axis=0).min() > 0.01
    assert bypasses(kind) is bypassing


def test_a_reciprocal_cell_keeps_what_its_gates_hold() -> None:
    """With gates shut (σ = 1) neither state nor input passes; open (σ = 0), both add up."""
    cell = make_cell("reciprocal", "cell", "x", (SIZE,), activation="identity")
    for shut, expected in ((50.0, 0.0), (-50.0, 3.0)):
        simulator = made(circuit_of(cell), Clock(3))
        for name, tensor in simulator.tensors().items():
            bias = name.endswith("bias") and name != "readout.bias"
            simulator.load(name, np.full(tensor.shape, shut if bias else 0.0))
        simulator.load("W_cell_drive.weight", np.eye(SIZE))
        ((_, (found,)),) = simulator.observe([("cell", "O", 2)], X)
        np.testing.assert_allclose(found[0], expected * X, atol=1e-12)


@each_cell
def test_convolutional_cells_keep_their_shape(kind: str) -> None:
    shape = (2, 4, 3)
    cell = make_cell(kind, "cell", "x", shape, inputs=Convolution(3), recurrent=Convolution(3), lag=1)
    simulator = Simulator(
        through_time(circuit_of(cell, shape)), Protocol(clock=Clock(4, judged=2)), batch=3, dtype="float64"
    )
    x = np.random.default_rng(5).random((3, 24))
    simulator.use(x, np.array([0, 1, 2]))
    before = {name: tensor.copy() for name, tensor in simulator.tensors().items()}
    simulator.present(np.arange(3))
    changed = {name for name, tensor in simulator.tensors().items() if not np.array_equal(tensor, before[name])}
    assert changed == {name for name in before if not name.startswith("B_")}


def test_a_cell_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(CircuitError, match="kind of a cell: got 'elman'; expected one of decay, simple, gru"):
        make_cell("elman", "cell", "x", (4,))


@pytest.mark.parametrize("combine", [Combine.SUM, Combine.PRODUCT])
def test_dense_factors_of_a_product_learn_too(combine: Combine) -> None:
    """Both factors have weights of their own: each learns from the error times the other."""
    populations = (
        Population("x", SIZE),
        Population("g", 3, "logistic"),
        Population("p", SIZE, "tanh", combine=combine),
        Population("y", 3, "softmax"),
    )
    projections = (
        Projection("G", "x", "g", bias=True),
        Projection("P", "x", "p"),
        Projection("Q", "g", "p", lag=1),
        Projection("readout", "p", "y", bias=True),
    )
    simulator = made(through_time(Circuit("factors", populations, projections, "x", "y")), Clock(3, judged=2))
    tensors = drawn(simulator)
    simulator.use(X, Y)
    simulator.present(np.arange(EXAMPLES))
    increments = simulator.state.increments()

    def loss(t: Tensors) -> complex:
        g = hand.logistic(X @ t["G.weight"].T + t["G.bias"])
        one, other = X @ t["P.weight"].T, g @ t["Q.weight"].T
        p = np.tanh(one * other if combine is Combine.PRODUCT else one + other)
        logits = p @ t["readout.weight"].T + t["readout.bias"]
        return -2 * ((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))) * np.eye(3)[Y]).sum()

    for name, derivative in hand.derivatives(loss, tensors).items():
        owner, quantity = name.split(".")
        found = increments[f"{owner}.{'increment' if quantity == 'weight' else 'bias_increment'}"][0]
        np.testing.assert_allclose(found, -derivative, rtol=1e-10, atol=1e-12, err_msg=name)
    assert replace(simulator.circuit, name="same").text == simulator.circuit.text
