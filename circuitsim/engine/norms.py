"""Memory of neurons that normalise: what outlives a presentation."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.locality import Key


def norm_memory(circuit: Circuit, replicas: int, dtype: Any) -> dict[Key, np.ndarray]:
    """Return the running statistics (replica, unit) of all neurons that have some, as they are at first."""
    return {
        (p.name, quantity, None): np.full((replicas, count), first, dtype)
        for p in circuit.populations
        if p.norm is not None
        for quantity, (count, first) in p.norm.state(p.shape).items()
    }
