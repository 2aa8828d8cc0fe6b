"""First weights of a projection, drawn from a replica's seed."""

from __future__ import annotations

import numpy as np

from circuitsim.randomness import generator


def glorot(seed: int, name: str, shape: tuple[int, ...], fan: tuple[int, int]) -> np.ndarray:
    """Draw weights uniform within ±sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010)."""
    limit = np.sqrt(6.0 / sum(fan))
    return generator(seed, name).uniform(-limit, limit, shape)
