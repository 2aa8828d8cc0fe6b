"""Whole presentations of random circuits, against a recursion over the graph that knows neither time nor memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from building import Tensors, read_by, weights_of
from handwritten import activation, derivative
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_circuits import CLASSES, INPUTS, Drawn, circuits, firings, idle_hooks, presented

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Plasticity, Projection
from circuitsim.circuit.weights import Signs
from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.kernels.cpu import program, threads
from circuitsim.timetable.schedule import make_schedules

cached_pool = cache(threads.ThreadPool)
LR, MARGIN = 0.3, 0.4


class Recursion:
    """What each population emits and remembers in each cycle, for one batch."""

    def __init__(self, circuit: Circuit, w: Tensors, x: np.ndarray, y: np.ndarray, mixing: dict[Any, float]) -> None:
        self.circuit, self.w, self.x, self.y, self.mixing = circuit, w, x, y, mixing
        self.remembered, self.emitted = cache(self.remembered), cache(self.emitted)  # type: ignore[method-assign]

    def remembered(self, name: str, cycle: int) -> np.ndarray:
        return self._held(name, cycle, "remembers")

    def emitted(self, name: str, cycle: int) -> np.ndarray:
        return self._held(name, cycle, "emits")

    def _held(self, name: str, cycle: int, role: str) -> np.ndarray:
        computed = self._computed(name, cycle)
        if not (cycle and self.circuit.population(name).mixes):
            return computed
        c = self.mixing[name, role]
        return c * self.remembered(name, 0) + (1 - c) * computed

    def _computed(self, name: str, cycle: int) -> np.ndarray:
        """What these neurons make of what reaches them."""
        if (name, cycle) == (self.circuit.inputs, 0):
            return self.x
        if name == self.circuit.labels:
            return np.eye(CLASSES)[self.y]
        p = self.circuit.population(name)
        hands = {x.carries: x.source for x in self.circuit.exchanges if x.target == name}
        if Carries.INPUT in hands and not cycle:
            return self.remembered(hands[Carries.INPUT], 0)
        if Carries.MARGIN in hands:
            return self._short_of_margin(self.remembered(hands[Carries.TARGET], 0), hands[Carries.MARGIN])
        if Carries.TARGET in hands:
            return self.remembered(hands[Carries.TARGET], 0) - self.remembered(hands[Carries.ACTUAL], 0)
        if Carries.SLOPE in hands:
            source = hands[Carries.SLOPE]
            gate = derivative(self.circuit.population(source).activation, self._summed(source, 0))
            return gate * self._summed(name, 0)
        for carries in RECIRCULATES:
            if cycle and carries in hands:
                returned = self.remembered(hands[carries], cycle - 1)
                return returned if carries is Carries.OUTPUT else self.remembered(name, 0) - returned
        return activation(p.activation, self._summed(name, cycle))

    def _short_of_margin(self, target: np.ndarray, name: str) -> np.ndarray:
        summed = self._summed(name, 0)
        return np.where(target == 1, 1.0 * (summed < 1), (summed > -MARGIN) / (1.0 - CLASSES))

    def _weight(self, q: Projection) -> np.ndarray:
        if isinstance(q.weights, Signs):
            return np.abs(self.w[f"{q.name}.weight"]) * np.sign(self.w[f"{q.transposed_from}.weight"].T)
        if q.transposed_from:
            return self.w[f"{q.transposed_from}.weight"].T
        return self.w[f"{q.tied_to or q.name}.weight"]

    def _summed(self, name: str, cycle: int) -> np.ndarray:
        total = np.zeros((len(self.x), self.circuit.population(name).size))
        for q in self.circuit.projections:
            if q.target == name:
                total += self.emitted(q.source, cycle) @ self._weight(q).T
                total += self.w[f"{q.name}.bias"] if q.bias else 0.0
        return total

    def proposed(self, p: Plasticity) -> Tensors:
        """The increments of the projection's weights and biases, means over the batch."""
        q = self.circuit.projection(p.projection)
        pre, post = p.pre or q.source, p.post or q.target
        weight, bias = f"{q.name}.weight", f"{q.name}.bias"
        dw = p.rule(
            lambda k: self.remembered(pre, k)[:, None, :],
            lambda k: self.remembered(post, k)[:, :, None],
            self.w[weight],
            self.w[f"{p.transposed_from}.weight"].T if p.transposed_from else None,
        )
        found = {weight: np.broadcast_to(dw, (len(self.x), *self.w[weight].shape)).mean(axis=0)}
        if q.bias:
            db = (p.bias_rule or p.rule)(lambda k: 1.0, lambda k: self.remembered(post, k), self.w[bias])
            found[bias] = np.broadcast_to(db, (len(self.x), *self.w[bias].shape)).mean(axis=0)
        return found

    def updated(self) -> Tensors:
        """All weights and biases after the updates; what the rules of one projection propose adds up."""
        found = dict(self.w)
        for p in presented(self.circuit):
            for name, increment in self.proposed(p).items():
                found[name] = found[name] + LR * increment
        return found


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawn=circuits(), seed=st.integers(0, 1000), hooks=idle_hooks())
def test_a_presentation_computes_what_the_graph_says(backend: str, drawn: Drawn, seed: int, hooks: list[Hook]) -> None:
    """But for mirror mode, which follows it and changes nothing but the feedback synapses that it is for."""
    circuit, protocol = drawn
    random = np.random.default_rng(seed)
    happening = {phases.name(e.event) for schedule in make_schedules(circuit, protocol) for e in schedule.entries}
    hooks = [hook for hook in hooks if hook.after in happening]
    mixing = {(p.name, role): random.random() for p in circuit.populations for role in ("emits", "remembers")}
    probes = [(name, "O", cycle) for name, cycle in firings(circuit, protocol)]
    made = Simulator(
        circuit, protocol, batch=4, dtype="float64", backend=backend, probes=probes, hooks=hooks,
        parameters=read_by(circuit, {"lr": LR, "margin": MARGIN, **mixing}),
    )  # fmt: skip
    for name, tensor in made.tensors().items():
        made.load(name, random.normal(0, 0.5, tensor.shape))
    x, y = random.random((9, INPUTS)), random.integers(0, CLASSES, 9)
    made.use(x, y)
    mirrored = {f"{p.projection}.weight" for p in circuit.plasticity if p.mirror}
    for rows in (np.array([3, 1, 4, 1]), np.array([5, 8])):  # the second would show what the first left behind
        expected = Recursion(circuit, weights_of(made), x[rows], y[rows], mixing)
        made.present(rows)
        for name, _, cycle in probes:
            np.testing.assert_allclose(made.probe(name, "O", cycle)[0], expected.remembered(name, cycle), atol=1e-12)
        found = weights_of(made)
        for name, tensor in expected.updated().items():
            if name in mirrored and protocol.passes:
                assert np.abs(found[name] - tensor).max() > 1e-6
            else:
                np.testing.assert_allclose(found[name], tensor, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("parts", [1, 2])
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=circuits(), seed=st.integers(0, 1000), apart=st.booleans(), more=st.integers(0, 2))
def test_a_batch_sequence_of_replicas_is_what_each_does_alone(
    monkeypatch: pytest.MonkeyPatch, parts: int, drawn: Drawn, seed: int, apart: bool, more: int
) -> None:
    """Whatever they share of memory and threads, and whether they are shown the same or each its own."""
    team = cached_pool(parts)
    monkeypatch.setattr(threads, "thread_count", lambda: parts)
    monkeypatch.setattr(threads, "thread_pool", lambda: team)
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    circuit, protocol = drawn
    random = np.random.default_rng(seed)
    x, y, seeds = random.random((9, INPUTS)), random.integers(0, CLASSES, 9), range(2 + more)
    batches = random.integers(0, 9, (3, 2 + more, 4) if apart else (3, 4))
    parameters = {"lr": 0.1 + random.random(2 + more), "margin": MARGIN, "emits": 0.3, "remembers": 0.6}
    together, alone = (
        Simulator(
            circuit,
            protocol,
            batch=4,
            dtype="float64",
            backend=backend,
            seeds=seeds,
            parameters=read_by(circuit, parameters),
            shared=not apart,
        )
        for backend in ("numba", "numpy")
    )
    for made in (together, alone):
        made.use(x, y)
    together.present_each(batches)
    for rows in batches:
        alone.present(rows)
    for name, tensor in alone.tensors().items():
        np.testing.assert_allclose(together.tensors()[name], tensor, atol=1e-11, err_msg=name)
    assert together.tick == alone.tick
