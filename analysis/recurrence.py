"""A clocked classifier over its steps: error by readout, error at each step, time to decide, activity, gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.circuit.parts import Combine
from circuitsim.engine.decisions import Readout, decided

if TYPE_CHECKING:
    from circuitsim.circuit.circuit import Circuit
    from circuitsim.engine.simulator import Simulator

BINS = 20
"""Intervals of equal width from 0 to 1 in which the activity of gates is counted."""


def errors_over_steps(
    simulator: Simulator, x: np.ndarray, y: np.ndarray, readout: Readout, threshold: float
) -> dict[str, np.ndarray]:
    """Compare what a clocked classifier decides with the classes, each (replica,).

    error : percent of the examples whose most active output neuron, as read out, has another class.
    loss : mean cross-entropy at the last step. steps : mean number of steps until the decision.
    error_at/T : the error if the output is read after step T, counted from 1.

    Parameters
    ----------
    simulator : of a clocked protocol; the output is a softmax. x, y : examples and their classes.
    readout, threshold : as for `decisions`; the mean is over the steps at which errors are judged.
    """
    clock, name = simulator.protocol.clock, simulator.circuit.outputs
    assert clock is not None
    replicas, begin = simulator.state.replicas, clock.steps - clock.judged
    wrong, taken, lost = np.zeros(replicas), np.zeros(replicas), np.zeros(replicas)
    at = np.zeros((clock.steps, replicas))
    for part, found in simulator.observe([(name, "O", step) for step in range(clock.steps)], x):
        fired, classes = np.stack(found), y[part]
        at += (fired.argmax(axis=-1) != classes).sum(axis=2)
        first = begin if readout is Readout.AVERAGED else 0
        activity, step = decided(fired[first:], readout, threshold)
        wrong += (activity.argmax(axis=-1) != classes).sum(axis=1)
        taken += (step + first + 1).sum(axis=1)
        right = np.take_along_axis(fired[-1], np.broadcast_to(classes[None, :, None], (replicas, len(classes), 1)), 2)
        with np.errstate(divide="ignore"):
            lost -= np.log(right[:, :, 0].astype(np.float64)).sum(axis=1)
    count = len(x)
    steps = {f"error_at/{step + 1}": 100 * values / count for step, values in enumerate(at)}
    return {"error": 100 * wrong / count, "loss": lost / count, "steps": taken / count, **steps}


def activity_over_steps(simulator: Simulator, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean absolute activity of populations at each step, each (replica,).

    activity/NAME/T : of population NAME after step T, counted from 1; compartments of cells, whose names have "_", are
    left out, as are input, labels and feedback neurons.

    Parameters
    ----------
    simulator : of a clocked protocol. x : examples.
    """
    clock, circuit = simulator.protocol.clock, simulator.circuit
    assert clock is not None
    names = [
        p.name
        for p in circuit.populations
        if not p.feedback and "_" not in p.name and p.name not in (circuit.inputs, circuit.labels)
    ]
    places = [(name, step) for name in names for step in range(clock.steps)]
    sums = np.zeros((len(places), simulator.state.replicas))
    for _, found in simulator.observe([(name, "O", step) for name, step in places], x):
        sums += [np.abs(fired).mean(axis=2).sum(axis=1) for fired in found]
    return {f"activity/{name}/{step + 1}": sums[k] / len(x) for k, (name, step) in enumerate(places)}


@dataclass(frozen=True)
class GateActivity:
    """Activity of a population of gates, from 0 to 1.

    Parameters
    ----------
    means : over neurons, (step, replica, example).
    counted : fractions of neurons and examples at the last step by activity, (replica, bin).
    """

    means: np.ndarray
    counted: np.ndarray


def gates_of(circuit: Circuit) -> list[str]:
    """Return the populations that gate others: logistic neurons whose activity is a factor of a product."""
    products = {p.name for p in circuit.populations if p.combine is Combine.PRODUCT}
    factors = {q.source for q in circuit.projections if q.target in products}
    return [p.name for p in circuit.populations if p.name in factors and p.activation == "logistic" and not p.feedback]


def gates_over_steps(simulator: Simulator, x: np.ndarray) -> dict[str, GateActivity]:
    """Return the activity of each population of gates at each step, by its name.

    Parameters
    ----------
    simulator : of a clocked protocol. x : examples.
    """
    clock, names = simulator.protocol.clock, gates_of(simulator.circuit)
    assert clock is not None
    if not names:
        return {}
    replicas = simulator.state.replicas
    means = np.zeros((len(names), clock.steps, replicas, len(x)))
    counted = np.zeros((len(names), replicas, BINS))
    places = [(name, "O", step) for name in names for step in range(clock.steps)]
    for part, found in simulator.observe(places, x):
        for k in range(len(names)):
            fired = found[k * clock.steps : (k + 1) * clock.steps]
            means[k, :, :, part] = [one.mean(axis=2, dtype=np.float64) for one in fired]
            counted[k] += [_counts(one) for one in fired[-1]]
    totals = np.maximum(counted.sum(axis=2, keepdims=True), 1)
    return {name: GateActivity(means[k], (counted / totals)[k]) for k, name in enumerate(names)}


def _counts(fired: np.ndarray) -> np.ndarray:
    return np.histogram(fired[np.isfinite(fired)], bins=BINS, range=(0, 1))[0]
