"""Memory of neurons that outlives a presentation: running statistics, and the activity of the presentation before."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.norms import STATE
from circuitsim.locality import BEFORE, Key
from circuitsim.phases.reading import retained

LASTING = (*STATE, "O")
"""Quantities of neurons that outlive a presentation; of activities that of the presentation before."""


def neuron_memory(circuit: Circuit, replicas: int, batch: int, dtype: Any) -> dict[Key, np.ndarray]:
    """Return the memory of all neurons that have some, as it is at first.

    Running statistics are (replica, unit). Activity of the presentation before is (replica, batch, neuron), and 0.
    """
    statistics: dict[Key, np.ndarray] = {
        (p.name, quantity, None): np.full((replicas, count), first, dtype)
        for p in circuit.populations
        if p.norm is not None
        for quantity, (count, first) in p.norm.state(p.shape).items()
    }
    sizes = {name: circuit.population(name).size for name in retained(circuit)}
    return statistics | {(n, "O", BEFORE): np.zeros((replicas, batch, size), dtype) for n, size in sizes.items()}
