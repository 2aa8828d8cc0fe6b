"""Alignment of feedback with backpropagation: between synapses, and between the errors that arrive.

For layered circuits: `layer{h}`, `error{h}`, forward projections `W{h}` and feedback projections `B{h}`, over any
connectivity. All measures are (replica,); an undefined one, such as an angle with a zero vector, is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.backpropagation import Backpropagation
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Signs
from circuitsim.circuit.wires import own_gain
from circuitsim.lowering.links import across, used

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

Figures = dict[str, np.ndarray]


def weight_alignment(simulator: Simulator) -> Figures:
    """Compare feedback weights with the transposed forward weights, for each layer h = 2 ... L with feedback.

    angle/W{h} : degrees between W{h} transposed and B{h}. norm_ratio/W{h} : Frobenius norm of B over that of W.
    correlation/W{h} : Pearson's, over synapses. For feedback by signs, B is their product with the magnitudes.
    """
    found: Figures = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for q in simulator.circuit.projections:
            if q.name.startswith("B") and not own_gain(simulator.circuit, q):
                found |= _aligned(simulator, q)
    return found


def delta_alignment(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> Figures:
    """Compare the errors that arrive with those of backpropagation through the same weights, for each hidden layer h.

    angle/delta{h} : degrees between error{h} and the error that is passed down through all forward synapses, the mean
        over examples; angle_spread/delta{h} : its standard deviation. Examples with zero error are left out.

    Parameters
    ----------
    x, y : examples and their classes; the circuit does not learn.
    """
    circuit = simulator.circuit
    layers = [q.target for q in circuit.projections if q.name.startswith("W")]
    below = layers[:-1]
    if not below:
        return {}
    top = layers[-1].replace("layer", "error", 1)
    keys = [(name.replace("layer", "error", 1), "O", 0) for name in layers]
    path = Backpropagation(circuit)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in below}
    for _, found in simulator.observe([*keys, *path.readouts], x, y):
        arrays = dict(zip([*keys, *path.readouts], found, strict=True))
        wanted = path.errors(simulator.tensors(), arrays, arrays[top, "O", 0].astype(np.float64))
        for name in below:
            arrived = arrays[name.replace("layer", "error", 1), "O", 0]
            parts[name].append(degrees_between(arrived, wanted[name]))
    each = {name.removeprefix("layer"): np.concatenate(angles, axis=1) for name, angles in parts.items()}
    spreads = {f"angle_spread/delta{h}": _spread(angles) for h, angles in each.items()}
    return {f"angle/delta{h}": _mean(angles) for h, angles in each.items()} | spreads


def degrees_between(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the angle between vectors along the last axis, accurate for small angles; NaN if either vector is zero.

    2 atan2(|u/|u| - v/|v||, |u/|u| + v/|v||)

    Source
    ------
    Kahan, "How futile are mindless assessments of roundoff in floating-point computation?", section 12.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (u.astype(np.float64), v.astype(np.float64)))
        halves = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    angle: np.ndarray = np.degrees(2 * halves)
    return angle


def _aligned(simulator: Simulator, q: Projection) -> Figures:
    w = across(simulator.tensors()[f"W{q.name[1:]}.weight"], q.connectivity).astype(np.float64)
    exists = used(simulator.circuit, q)
    chosen = slice(None) if exists is None else exists.ravel()  # taps over the border have no synapse
    w, b = (a.reshape(len(a), -1)[:, chosen] for a in (w, _feedback(simulator, q, w)))
    centred = [a - a.mean(axis=1, keepdims=True) for a in (w, b)]
    return {
        f"angle/W{q.name[1:]}": degrees_between(w, b),
        f"norm_ratio/W{q.name[1:]}": np.linalg.norm(b, axis=1) / np.linalg.norm(w, axis=1),
        f"correlation/W{q.name[1:]}": np.cos(np.radians(degrees_between(*centred))),
    }


def _feedback(simulator: Simulator, q: Projection, transposed: np.ndarray) -> np.ndarray:
    """Return the weights that carry errors: own, forward, or own magnitudes with forward signs."""
    if not q.has_tensor:
        return transposed
    own = simulator.tensors()[f"{q.name}.weight"].astype(np.float64)
    return np.abs(own) * np.sign(transposed) if isinstance(q.weights, Signs) else own


def _mean(angles: np.ndarray) -> np.ndarray:
    known = np.isfinite(angles)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(known, angles, 0).sum(axis=1) / known.sum(axis=1)
    return mean


def _spread(angles: np.ndarray) -> np.ndarray:
    spread: np.ndarray = np.sqrt(_mean((angles - _mean(angles)[:, None]) ** 2))
    return spread
