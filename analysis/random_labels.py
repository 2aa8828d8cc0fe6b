"""Random classes or targets, for presentations of a circuit without data."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit


def random_labels(circuit: Circuit, drawn: np.random.Generator, count: int) -> np.ndarray | None:
    """Draw classes or real-valued targets for a circuit with labels; None for one without."""
    if not circuit.labels:
        return None
    size = circuit.population(circuit.labels).size
    return drawn.uniform(-1, 1, (count, size)) if circuit.real_targets else drawn.integers(0, size, count)
