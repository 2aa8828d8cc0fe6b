"""Performance measures of a classifier, for all replicas at once: error rate and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.metrics import cross_entropy
from circuitsim.circuit.parts import COMPARED, Carries

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


def classification_errors(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Compare the outputs with the classes, each (replica,).

    error : percent of the examples whose most active output neuron has another class; ties count as the first.
    loss : mean over examples; its gradient is the circuit's error. See `losses`.
    """
    wrong, lost = np.zeros(simulator.state.replicas), np.zeros(simulator.state.replicas)
    for part, fired, summed in simulator.outputs(x):
        wrong += (fired.argmax(axis=-1) != y[part]).sum(axis=1)
        lost += losses(simulator, fired, summed, y[part])
    return {"error": 100 * wrong / len(x), "loss": lost / len(x)}


def errors_by_class(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return `error_class/c`, the percent of the examples of class c that are taken for another one, (replica,)."""
    named = np.concatenate([fired.argmax(axis=-1) for _, fired, _ in simulator.outputs(x)], axis=1)
    return {f"error_class/{c}": 100 * (named[:, y == c] != c).mean(axis=1) for c in np.unique(y)}


def batch_loss(simulator: Simulator, y: np.ndarray) -> np.ndarray:
    """Return the mean loss of the last batch, before its update, (replica,).

    Parameters
    ----------
    simulator : with probes of the activity and summed input of its output neurons.
    y : the batch's classes, (batch,) or (replica, batch).
    """
    name = simulator.circuit.outputs
    mean: np.ndarray = losses(simulator, simulator.probe(name, "O"), simulator.probe(name, "S"), y) / y.shape[-1]
    return mean


def losses(simulator: Simulator, fired: np.ndarray, summed: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the loss that the error at the output descends, summed over examples, (replica,).

    Cross-entropy for softmax; cross-entropy summed over units for logistic; otherwise half the squared error summed
    over units. For errors from margins, the hinge loss: max(0, 1 - S) of the right class plus the mean over the
    other classes of max(0, margin + S).

    Parameters
    ----------
    fired, summed : activity and summed input of the output neurons, (replica, example, unit).
    y : classes, (example,) or (replica, example).
    """
    circuit = simulator.circuit
    (compared,) = (x for x in circuit.exchanges if x.source == circuit.outputs and x.carries in COMPARED)
    activation = circuit.population(circuit.outputs).activation
    target = np.atleast_2d(y)[..., None] == np.arange(summed.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):  # replicas that are about to diverge
        if compared.carries is Carries.MARGIN:
            return _hinge(summed, target, simulator.state.parameter(compared.target, "margin"))
        if activation == "softmax":
            return _softmax_entropy(summed, target)
        if activation == "logistic":
            return cross_entropy(summed, target.astype(summed.dtype))
        return _half_squares(fired, target)


def _half_squares(fired: np.ndarray, target: np.ndarray) -> np.ndarray:
    total: np.ndarray = np.square(target - fired.astype(np.float64)).sum(axis=(1, 2)) / 2
    return total


def _softmax_entropy(summed: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Sum log sum_k exp(s_k) - s_c over examples."""
    s = summed.astype(np.float64)
    most = s.max(axis=-1, keepdims=True)
    raised: np.ndarray = most[..., 0] + np.log(np.exp(s - most).sum(axis=-1))
    total: np.ndarray = (raised - np.where(target, s, 0).sum(axis=-1)).sum(axis=1)
    return total


def _hinge(summed: np.ndarray, target: np.ndarray, margin: np.ndarray) -> np.ndarray:
    s = summed.astype(np.float64)
    right = np.maximum(0, 1 - s)
    wrong = np.maximum(0, margin[:, None, None] + s) / (s.shape[-1] - 1)
    total: np.ndarray = np.where(target, right, wrong).sum(axis=(1, 2))
    return total
