"""Saturation: the fraction of neurons at an end of their range, where no error passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from circuitsim.circuit.parts import Population

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

CLIPPED = ("saturated", "saturated-half")
"""Activation functions whose slope is zero beyond the ends of their range, -1 and 1."""


def saturated_fractions(simulator: Simulator, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return `saturated/{population}` for each layer whose neurons saturate: the mean over examples, (replica,).

    Parameters
    ----------
    x : examples; the circuit does not learn, and no neuron is dropped out.
    """
    layers = [p for p in simulator.circuit.populations if _saturates(p)]
    if not layers:
        return {}
    total = {p.name: np.zeros(simulator.state.replicas) for p in layers}
    for _, found in simulator.observe([(p.name, "O", 0) for p in layers], x):
        for p, fired in zip(layers, found, strict=True):
            total[p.name] += (np.abs(fired) >= 1).sum(axis=(1, 2))
    return {f"saturated/{p.name}": total[p.name] / (len(x) * p.size) for p in layers}


def _saturates(p: Population) -> bool:
    return p.activation in CLIPPED and not p.feedback
