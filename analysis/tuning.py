"""Errors that fine-tuning brings to each hinge, beside those of backpropagation through the same encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import Figures, degrees_between
from circuitsim.analysis.backpropagation import Backpropagation
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.blocks import TUNING

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


def tuned_hinges(circuit: Circuit) -> list[tuple[str, str]]:
    """Return the hinges that fine-tuning teaches, from the lowest: the population, and its feedback neurons."""
    return [(circuit.projection(p.projection).target, p.post) for p in circuit.plasticity if p.group == TUNING]


def tuning_alignment(simulator: Simulator, x: np.ndarray, y: np.ndarray | None = None) -> Figures:
    """Compare the error that arrives at each hinge b = 1, 2, ... with backpropagation's, each (replica,).

    angle/error{b} : degrees, a mean over examples. norm_ratio/error{b} : its norm over backpropagation's, over all
    examples. Examples whose error is zero at a hinge are left out of its angle.

    Parameters
    ----------
    x, y : examples and their classes; the circuit does not learn.
    """
    hinges, path = tuned_hinges(simulator.circuit), Backpropagation(simulator.circuit)
    top = _output_error(simulator.circuit)
    keys = [(name, "O", 0) for name in (*(error for _, error in hinges), top)]
    angles: list[list[np.ndarray]] = [[] for _ in hinges]
    squares = np.zeros((len(hinges), 2, simulator.state.replicas))
    for _, found in simulator.observe([*keys, *path.readouts], x, y):
        arrays = dict(zip([*keys, *path.readouts], found, strict=True))
        wanted = path.errors(simulator.tensors(), arrays, arrays[top, "O", 0].astype(np.float64))
        for b, (name, error) in enumerate(hinges):
            arrived = arrays[error, "O", 0].astype(np.float64)
            angles[b].append(degrees_between(arrived, wanted[name]))
            squares[b] += [np.square(one).sum(axis=(1, 2)) for one in (arrived, wanted[name])]
    figures: Figures = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for b, each in enumerate(angles):
            own = np.concatenate(each, axis=1)
            known = np.isfinite(own)
            figures[f"angle/error{b + 1}"] = np.where(known, own, 0).sum(axis=1) / known.sum(axis=1)
            figures[f"norm_ratio/error{b + 1}"] = np.sqrt(squares[b, 0] / squares[b, 1])
    return figures


def _output_error(circuit: Circuit) -> str:
    """Return the feedback neurons that compare the output with its target."""
    site = circuit.population(circuit.outputs).site
    (found,) = (p.name for p in circuit.populations if p.feedback and p.site == site and not circuit.incoming[p.name])
    return found
