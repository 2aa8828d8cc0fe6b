"""Learning through time: truncation, feedback alignment and Kolen-Pollack through time against loops by hand."""

from __future__ import annotations

from typing import Any

import handwritten_cells as hand
import numpy as np
import pytest
import standin
from building import gated_loop
from running import nightly

from circuitsim.analysis.audits.examine import examine
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.circuits.cells import CELLS, make_cell
from circuitsim.circuits.errors_through_time import error_of, through_time
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Clock, Protocol

EXAMPLES, SIZE, STEPS = 5, 4, 8
X = np.random.default_rng(0).normal(size=(EXAMPLES, SIZE))
Y = np.array([0, 2, 1, 2, 0])
CARRIED = {("weight-transport", name) for name in ("B_R", "B_K", "B_W2")}
Tensors = dict[str, np.ndarray]
each_cell = pytest.mark.parametrize("kind", list(CELLS))
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))


def forward(kind: str) -> Circuit:
    cell = make_cell(kind, "cell", "x", (SIZE,))
    populations = (Population("x", SIZE), *cell.populations, Population("y", 3, "softmax"))
    return Circuit("cell", populations, (*cell.projections, Projection("readout", "cell", "y", bias=True)), "x", "y")


def learner(circuit: Circuit, clock: Clock, backend: str = "numba", **options: Any) -> Simulator:
    made = Simulator(circuit, Protocol(clock=clock), batch=EXAMPLES, dtype="float64", backend=backend, **options)
    for name, tensor in made.tensors().items():
        made.load(name, np.random.default_rng([*name.encode()]).normal(size=tensor.shape) * 0.5)
    made.use(X, Y)
    return made


def proposed(made: Simulator) -> Tensors:
    """The increments of one presentation by the name of their tensor."""
    made.present(np.arange(EXAMPLES))
    return {
        name.replace("bias_increment", "bias").replace("increment", "weight"): found[0].copy()
        for name, found in made.state.increments().items()
    }


def weights(made: Simulator) -> Tensors:
    return {name: tensor[0].copy() for name, tensor in made.tensors().items()}


@pytest.mark.parametrize("kept", [1, 3, 8])
@each_cell
def test_truncation_keeps_what_the_last_steps_did(kind: str, kept: int) -> None:
    """The derivative by the weights as the last steps used them."""
    made = learner(through_time(forward(kind)), Clock(STEPS, truncated=kept))
    t = {name: tensor for name, tensor in weights(made).items() if not name.startswith("B_")}

    def loss(changed: Tensors) -> complex:
        z = {key: np.zeros((EXAMPLES, SIZE)) for key in ("h", "c")}
        for step in range(STEPS):
            z = z | hand.CELLS[kind](hand.Synapses(changed if step >= STEPS - kept else t, "cell"), X, z)
        logits = z["h"] @ changed["readout.weight"].T + changed["readout.bias"]
        return -((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))) * np.eye(3)[Y]).sum()

    expected = hand.derivatives(loss, t)
    for name, found in proposed(made).items():
        np.testing.assert_allclose(found, -expected[name], rtol=1e-10, atol=1e-12, err_msg=name)


@each_cell
def test_feedback_alignment_with_transposed_weights_is_backpropagation(kind: str) -> None:
    """Every feedback synapse passes what it should: random ones that happen to be right give the same increments."""
    exact = learner(through_time(forward(kind)), Clock(STEPS, judged=2))
    aligned = learner(through_time(forward(kind), "fa"), Clock(STEPS, judged=2))
    given = weights(exact)
    for name in aligned.tensors():
        if name.startswith("B_"):
            w = given[name.removeprefix("B_")]
            aligned.load(name, w.T if w.ndim == 2 else w)
    expected = proposed(exact)
    for name, found in proposed(aligned).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-11, atol=1e-13, err_msg=name)


@each_backend
@pytest.mark.parametrize("feedback", ["fa", "kp", "ss"])
def test_random_feedback_through_time_by_hand(feedback: str, backend: str) -> None:
    """A simple cell whose errors run back through weights of their own, two updates."""
    made = learner(through_time(forward("simple"), feedback), Clock(STEPS, judged=2), backend, parameters={"lr": 0.1})
    t = weights(made)
    for _ in range(2):
        h, slopes = [np.zeros((EXAMPLES, SIZE))], []
        for _ in range(STEPS):
            s = X @ t["W_cell.weight"].T + t["W_cell.bias"] + h[-1] @ t["U_cell.weight"].T
            h.append(hand.elu(s))
            slopes.append(np.exp(np.minimum(s, 0)))
        back = {name: t[f"B_{name}.weight"] for name in ("U_cell", "readout")}
        if feedback == "ss":
            back = {name: np.abs(b) * np.sign(t[f"{name}.weight"].T) for name, b in back.items()}
        change = {name: np.zeros_like(tensor) for name, tensor in t.items()}
        later = np.zeros((EXAMPLES, SIZE))
        for step in reversed(range(STEPS)):
            top = np.zeros((EXAMPLES, 3))
            if step >= STEPS - 2:
                logits = h[step + 1] @ t["readout.weight"].T + t["readout.bias"]
                top = np.eye(3)[Y] - hand.softmax(logits)
            delta = slopes[step] * (top @ back["readout"].T + later @ back["U_cell"].T)
            change["readout.weight"] += top.T @ h[step + 1]
            change["readout.bias"] += top.sum(axis=0)
            change["W_cell.weight"] += delta.T @ X
            change["W_cell.bias"] += delta.sum(axis=0)
            change["U_cell.weight"] += delta.T @ h[step]
            later = delta
        if feedback == "kp":
            change |= {f"B_{name}.weight": change[f"{name}.weight"].T for name in back}
        t = {name: tensor + 0.1 * change[name] / EXAMPLES for name, tensor in t.items()}
        made.present(np.arange(EXAMPLES))
    for name, tensor in weights(made).items():
        np.testing.assert_allclose(tensor, t[name], rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("feedback", "kinds"),
    [
        ("bp", CARRIED),
        nightly("ss", CARRIED),
        ("fa", set()),
        nightly("kp", set()),
    ],
)
def test_the_audit_names_weight_transport_and_the_window(feedback: str, kinds: set[tuple[str, str]]) -> None:
    """Known answers: the window is the presentation's length, however the errors come back."""
    circuit, protocol = gated_loop((6, 4, 3), feedback)
    found = examine(circuit, protocol, dtype="float64", seed=1, runs=1, measure=False)
    always = {("label", "W2"), ("lateral", "W2")}  # the output is a softmax
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == kinds | always
    assert found["window"]["W1"] == 21 and found["window"]["W2"] == 1


def test_names_of_what_is_added() -> None:
    circuit = through_time(forward("gru"), "kp")
    assert error_of("cell") == "error_cell"
    gates = {p.name for p in circuit.populations if p.feedback and p.combine.value == "product"}
    assert gates == {
        "error_cell_kept_cell_reset_to_cell_kept",
        "error_cell_kept_cell_to_cell_kept",
        "error_cell_gated_cell_update_to_cell_gated",
        "error_cell_gated_cell_difference_to_cell_gated",
    }
    assert {p.projection for p in circuit.plasticity} == {
        *(f"{q}_cell_{part}" for q in "WU" for part in ("reset", "update", "candidate")),
        *(f"B_U_cell_{part}" for part in ("reset", "update", "candidate")),
        "readout",
        "B_readout",
    }


def test_unknown_feedback_is_refused() -> None:
    with pytest.raises(
        CircuitError, match="feedback of errors through time: got 'dfa'; expected one of bp, fa, kp, ss"
    ):
        through_time(forward("gru"), "dfa")
