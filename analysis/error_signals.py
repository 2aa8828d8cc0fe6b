"""Size and rank of the errors that arrive at layers, and of those of backpropagation through the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.backpropagation import Backpropagation

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

Figures = dict[str, np.ndarray]


def error_signals(simulator: Simulator, x: np.ndarray, y: np.ndarray) -> Figures:
    """Return rank and size of the errors at each layer with weights below the top.

    rank/delta{h} : effective rank of the errors that arrive, (example, neuron): (sum s)^2 / sum s^2 over the singular
        values s of their covariance.
    rank/bp{h} : of those of backpropagation. size/bp{h} : their root mean square over examples of the norm; where it
        is zero to rounding, no angle says anything.

    Parameters
    ----------
    x, y : examples and their classes; the circuit does not learn. At most as many ranks as examples can be seen.
    """
    circuit = simulator.circuit
    layers = [q.target for q in circuit.projections if q.name.startswith("W")]
    keys = [(name.replace("layer", "error", 1), "O", 0) for name in layers]
    path = Backpropagation(circuit)
    parts: dict[str, list[np.ndarray]] = {}
    for _, found in simulator.observe([*keys, *path.readouts], x, y):
        arrays = dict(zip([*keys, *path.readouts], found, strict=True))
        wanted = path.errors(simulator.tensors(), arrays, arrays[keys[-1]].astype(np.float64))
        for name, key in zip(layers[:-1], keys, strict=False):
            h = name.removeprefix("layer")
            parts.setdefault(f"delta{h}", []).append(arrays[key].astype(np.float64))
            parts.setdefault(f"bp{h}", []).append(wanted[name])
    each = {name: np.concatenate(arrays, axis=1) for name, arrays in parts.items()}
    sizes = {f"size/{name}": np.sqrt((e**2).sum(axis=2).mean(axis=1)) for name, e in each.items() if name[0] == "b"}
    return {f"rank/{name}": effective_rank(errors) for name, errors in each.items()} | sizes


def effective_rank(errors: np.ndarray) -> np.ndarray:
    """Return the effective rank of rows (replica, example, neuron): (sum of variances)^2 / sum of their squares.

    The variances are along the principal axes; the rank is 1 if all rows are multiples of one, and n for n equal
    variances. NaN for rows of zeros.
    """
    gram = errors @ errors.transpose(0, 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.trace(gram, axis1=1, axis2=2) ** 2 / (gram**2).sum(axis=(1, 2))
    return found
