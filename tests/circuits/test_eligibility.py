"""Eligibility traces: RFLO and e-prop against loops by hand, where they are exact, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import handwritten_cells as hand
import numpy as np
import pytest
import standin
from running import nightly
from sample_rules import local_rule, tanh

from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.audits.light_cone import light_cone
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Connectivity, Dense, Table
from circuitsim.circuit.parts import Plasticity, Population, Projection
from circuitsim.circuits.eligibility import eprop_network, rflo_network
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.rules import Rule, delta, eligibility, three_factor
from circuitsim.timetable.protocol import Clock, Protocol
from circuitsim.timetable.schedule import make_schedule

EXAMPLES, STEPS, SIZES = 5, 8, (4, 6, 3)
X = np.random.default_rng(0).normal(size=(EXAMPLES, 4))
Y = np.array([0, 2, 1, 2, 0])
TARGET = np.eye(3)[Y]
BLANK = -0.4
LEAK, MEMBRANE, READOUT = 0.3, 0.8, 0.5
Tensors = dict[str, np.ndarray]
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))


def learner(
    described: tuple[Circuit, Protocol], backend: str = "numba", shown: int = STEPS - 3, **options: Any
) -> Simulator:
    circuit, protocol = described
    assert protocol.clock is not None
    made = Simulator(
        replace(circuit, blank=BLANK), replace(protocol, clock=replace(protocol.clock, shown=shown)),
        batch=EXAMPLES, dtype="float64", backend=backend, **options,
    )  # fmt: skip
    for name, tensor in made.tensors().items():
        made.load(name, np.random.default_rng([*name.encode()]).normal(size=tensor.shape) * 0.5)
    made.use(X, Y)
    return made


def proposed(made: Simulator) -> Tensors:
    made.present(np.arange(EXAMPLES))
    return {
        name.replace("bias_increment", "bias").replace("increment", "weight"): found[0].copy()
        for name, found in made.state.increments().items()
    }


def inputs(shown: int = STEPS - 3) -> list[np.ndarray]:
    return [X if step < shown else np.full_like(X, BLANK) for step in range(STEPS)]


def rflo_by_hand(t: Tensors, judged: int) -> Tensors:
    """One example and one synapse at a time in nothing but the published equations."""
    change = {name: np.zeros_like(tensor) for name, tensor in t.items() if not name.startswith("B.")}
    h = np.zeros((EXAMPLES, 6))
    traces = {"W": np.zeros((EXAMPLES, 6, 4)), "U": np.zeros((EXAMPLES, 6, 6)), "b": np.zeros((EXAMPLES, 6))}
    for step, x in enumerate(inputs()):
        fired = np.tanh(x @ t["W.weight"].T + t["W.bias"] + h @ t["U.weight"].T)
        slope = 1 - fired**2
        for name, before in (("W", x), ("U", h)):
            traces[name] = (1 - LEAK) * traces[name] + LEAK * slope[:, :, None] * before[:, None, :]
        traces["b"] = (1 - LEAK) * traces["b"] + LEAK * slope
        h = (1 - LEAK) * h + LEAK * fired
        error = TARGET - hand.softmax(h @ t["V.weight"].T + t["V.bias"])
        if step >= STEPS - judged:
            third = error @ t["B.weight"].T
            for name in ("W", "U"):
                change[f"{name}.weight"] += np.einsum("bi,bij->ij", third, traces[name])
            change["W.bias"] += (third * traces["b"]).sum(axis=0)
            change["V.weight"] += error.T @ h
            change["V.bias"] += error.sum(axis=0)
    return change


def eprop_by_hand(t: Tensors, judged: int) -> Tensors:
    change = {name: np.zeros_like(tensor) for name, tensor in t.items() if not name.startswith("B.")}
    v, z, s, slow = np.zeros((EXAMPLES, 6)), np.zeros((EXAMPLES, 6)), np.zeros((EXAMPLES, 3)), np.zeros((EXAMPLES, 6))
    filtered = {"W": np.zeros((EXAMPLES, 4)), "U": np.zeros((EXAMPLES, 6))}
    traces = {"W": np.zeros((EXAMPLES, 6, 4)), "U": np.zeros((EXAMPLES, 6, 6))}
    for step, x in enumerate(inputs()):
        filtered = {"W": MEMBRANE * filtered["W"] + x, "U": MEMBRANE * filtered["U"] + z}
        v = MEMBRANE * v + x @ t["W.weight"].T + z @ t["U.weight"].T
        z = np.tanh(v)
        for name in traces:
            traces[name] = READOUT * traces[name] + (1 - z**2)[:, :, None] * filtered[name][:, None, :]
        s, slow = READOUT * s + z @ t["V.weight"].T, READOUT * slow + z
        error = TARGET - hand.softmax(s)
        if step >= STEPS - judged:
            third = error @ t["B.weight"].T
            for name in traces:
                change[f"{name}.weight"] += np.einsum("bi,bij->ij", third, traces[name])
            change["V.weight"] += error.T @ slow
    return change


@each_backend
@pytest.mark.parametrize("judged", [STEPS, 2])
def test_rflo_by_hand(judged: int, backend: str) -> None:
    made = learner(rflo_network(*SIZES, STEPS, leak=LEAK, judged=judged), backend)
    expected = rflo_by_hand({name: tensor[0].copy() for name, tensor in made.tensors().items()}, judged)
    for name, found in proposed(made).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-11, atol=1e-13, err_msg=name)


@each_backend
@pytest.mark.parametrize("judged", [STEPS, 2])
def test_eprop_by_hand(judged: int, backend: str) -> None:
    described = eprop_network(*SIZES, STEPS, membrane=MEMBRANE, readout=READOUT, judged=judged)
    made = learner(described, backend)
    expected = eprop_by_hand({name: tensor[0].copy() for name, tensor in made.tensors().items()}, judged)
    for name, found in proposed(made).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-11, atol=1e-13, err_msg=name)


def test_traces_begin_anew_with_each_presentation() -> None:
    made = learner(rflo_network(*SIZES, STEPS, leak=LEAK), parameters={"lr": 0.0})
    first = proposed(made)
    for name, found in proposed(made).items():
        assert np.array_equal(found, first[name])


def test_without_recurrent_synapses_local_learning_is_exact() -> None:
    """Neurons that remember by their leak alone: with the readout's weights back, both are the gradient."""

    def rflo(t: Tensors) -> complex:
        h, total = np.zeros((EXAMPLES, 6)), 0j
        for x in inputs():
            h = (1 - LEAK) * h + LEAK * np.tanh(x @ t["W.weight"].T + t["W.bias"])
            total += cost(h @ t["V.weight"].T + t["V.bias"])
        return total

    def eprop(t: Tensors) -> complex:
        v, s, total = np.zeros((EXAMPLES, 6)), np.zeros((EXAMPLES, 3)), 0j
        for step, x in enumerate(inputs()):
            v = MEMBRANE * v + x @ t["W.weight"].T
            s = READOUT * s + np.tanh(v) @ t["V.weight"].T
            total += cost(s) if step == STEPS - 1 else 0
        return total

    def cost(logits: np.ndarray) -> complex:
        return complex(-((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))) * TARGET).sum())

    exact: dict[str, Any] = {"feedback": "transposed", "recurrent": False}
    instant = eprop_network(*SIZES, STEPS, membrane=MEMBRANE, readout=READOUT, judged=1, **exact)
    for described, loss in ((rflo_network(*SIZES, STEPS, leak=LEAK, **exact), rflo), (instant, eprop)):
        made = learner(described)
        t = {name: tensor[0].copy() for name, tensor in made.tensors().items()}
        expected = hand.derivatives(loss, t)
        for name, found in proposed(made).items():
            if loss is eprop or name.startswith("V"):
                np.testing.assert_allclose(found, -expected[name], rtol=1e-10, atol=1e-12, err_msg=name)
    # in RFLO the trace has the activity's leak, not the error's: exact too, as the error is of the same step
    made = learner(rflo_network(*SIZES, STEPS, leak=LEAK, **exact))
    expected = hand.derivatives(rflo, {name: tensor[0].copy() for name, tensor in made.tensors().items()})
    np.testing.assert_allclose(proposed(made)["W.weight"], -expected["W.weight"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("make", [nightly(rflo_network), nightly(eprop_network)])
def test_the_window_is_the_traces_and_not_the_presentations(make: Callable[..., Any]) -> None:
    """Whatever the number of steps; and no finding but those of the output, as the audit's experiments confirm.

    A step is four ticks: what h(t-1) passes on is three ticks old when the trace is renewed.
    """
    window = {"W": 1, "U": 3, "V": 1}
    for steps in (6, 60):
        assert make_schedule(*make(*SIZES, steps)).windows == window
    found = examine(*make(3, 4, 2, 4), dtype="float64", seed=3, runs=1, measure=False)
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == {("label", "V"), ("lateral", output(make))}
    assert found["window"] == window
    places = {(row["place"], row["of"]) for c in found["certificates"] if c["projection"] == "U" for row in c["reads"]}
    assert ("trace", "U.trace") in places and ("third", "third.O") in places


def output(make: Callable[..., Any]) -> str:
    return "V" if make is rflo_network else "s_to_y"


def test_disturbances_keep_to_their_light_cones() -> None:
    made = Simulator(*rflo_network(3, 4, 2, 4), batch=3, seeds=[1, 2], dtype="float64")
    made.use(X[:, :3], Y % 2)
    for population, step in (("hidden", 0), ("fire", 2), ("error_y", 1), ("third", 3)):
        found = light_cone(made, np.arange(3), population, cycle=step)
        assert found.violations == () and len(found.observed) > 1


@pytest.mark.nightly
def test_a_broadcast_third_factor_is_a_finding() -> None:
    """One neuron adds up the error and sends it to all synapses."""
    circuit, protocol = rflo_network(3, 4, 2, 4)
    populations = tuple(
        replace(p, size=1, shape=(1,), site="midbrain") if p.name == "third" else p for p in circuit.populations
    )
    made = replace(circuit, populations=populations)
    assert {(w.kind, w.projection) for w in made.wires if w.kind == "third-factor"} == {
        ("third-factor", "W"),
        ("third-factor", "U"),
    }
    found = examine(made, protocol, dtype="float64", seed=1, runs=1, measure=False)
    kinds = {(f["kind"], f["projection"]) for f in found["findings"]}
    assert kinds == {("third-factor", "W"), ("third-factor", "U"), ("label", "V"), ("lateral", "V")}
    assert not found["local"]
    linear = replace(
        made, populations=tuple(replace(p, activation="identity") if p.name == "y" else p for p in populations)
    )
    with pytest.raises(
        CircuitError, match=r"2 finding\(s\), first third-factor in W, which reads the activity of third"
    ):
        replace(linear, local=True)
    assert replace(circuit, populations=linear.populations[:-1] + circuit.populations[-1:], local=True).local


def test_a_trace_that_is_renewed_before_the_error_comes_is_refused() -> None:
    circuit, _ = rflo_network(*SIZES, STEPS)
    with pytest.raises(ScheduleError) as caught:
        make_schedule(circuit, Protocol(clock=Clock(STEPS, period=3, judged=STEPS)))
    assert str(caught.value) == (
        "rule of projection W: got its third factor of step 0 3 ticks after the trace, which is that of a later step; "
        "expected a third factor that comes before the next step. Set Clock(period=4) or more, or shorten the delays."
    )


@local_rule
def nosy(pre: Any, third: Any, trace: Any) -> Any:
    return trace + third.at(0) * pre.at(0)


def plain(**changes: Any) -> Circuit:
    """A chain whose projection U has a rule with changes."""
    populations = (
        Population("x", 3),
        Population("h", 4, "tanh"),
        Population("y", 2),
        Population("far", 4),
        Population("reward", 1),
    )
    projections = (
        Projection("U", "x", "h"),
        Projection("V", "h", "y"),
        Projection("K", "x", "far"),
        Projection("S", "x", "reward"),
    )
    learned = Plasticity(
        "U", **{"rule": three_factor, "third": "h", "trace": eligibility, "each_step": True, **changes}
    )
    return Circuit("plain", populations, projections, "x", "y", plasticity=(learned,))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"third": ""}, "third='' and a rule that reads `third`; expected both or neither"),
        ({"rule": delta, "trace": None}, "third='h' and a rule that does not read `third`"),
        ({"third": "far"}, "third='far'; expected one neuron, or as many as and colocated with h. Bring it there"),
        ({"trace": None}, "no trace and a rule that reads it; expected both or neither"),
        ({"rule": delta, "third": ""}, "a trace and a rule that does not read it"),
        ({"trace": nosy}, "trace nosy, which reads third or w_remote; expected pre, post, w and trace"),
        ({"each_step": False}, "a trace, each_step=False"),
    ],
)
def test_refusals(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(CircuitError, match=text.replace("(", r"\(")):
        plain(**changes)


@local_rule
def gated(pre: Any, post: Any, third: Any) -> Any:
    return third.at(0) * post.at(0) * pre.at(0)


@local_rule
def bounded(pre: Any, third: Any) -> Any:
    return tanh(third.at(0) * pre.at(0))


@each_backend
@pytest.mark.parametrize("rule", [gated, bounded])
def test_a_third_factor_without_trace(rule: Rule, backend: str) -> None:
    """As products of matrices where it separates, else as a loop."""
    simulator = Simulator(
        plain(rule=rule, trace=None), Protocol(clock=Clock(2)), batch=5, dtype="float64", backend=backend
    )
    x = X[:, :3]
    simulator.use(x)
    h = np.tanh(x @ simulator.tensors()["U.weight"][0].T)
    simulator.present(np.arange(5))
    expected = 2 * ((h * h).T @ x if rule is gated else np.tanh(h[:, :, None] * x[:, None, :]).sum(axis=0))
    np.testing.assert_allclose(simulator.state.increments()["U.increment"][0], expected, rtol=1e-9)


@each_backend
@pytest.mark.parametrize("connectivity", [Dense(), Table((0, 1, 2, 3, 0), (0, 1, 2, 0, 2))])
def test_a_broadcast_is_the_same_number_for_every_synapse(connectivity: Connectivity, backend: str) -> None:
    circuit = plain(rule=gated, trace=None, third="reward")
    projections = tuple(replace(q, connectivity=connectivity) if q.name == "U" else q for q in circuit.projections)
    circuit = replace(circuit, projections=projections)
    simulator = Simulator(circuit, Protocol(clock=Clock(2)), batch=5, dtype="float64", backend=backend)
    x = X[:, :3]
    simulator.use(x)
    weights = simulator.tensors()["U.weight"][0].reshape(-1).copy()
    simulator.present(np.arange(5))
    post, pre, slot = circuit.synapses("U")
    h = np.zeros((5, 4))
    np.add.at(h.T, post, (x[:, pre] * weights[slot]).T)
    h, reward = np.tanh(h), x @ simulator.tensors()["S.weight"][0].T
    expected = 2 * (reward * h[:, post] * x[:, pre]).sum(axis=0)
    found = simulator.state.increments()["U.increment"][0].reshape(-1)[slot]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
