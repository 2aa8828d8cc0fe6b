"""Masks: which synapses of a projection exist, drawn once, before anything is learned."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.connectivity import LocallyConnected, forwards, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Masks, Projection
from circuitsim.randomness import generator


def drawn_mask(graph: Graph, q: Projection, seed: int, share: float) -> np.ndarray:
    """Return which weights of a projection exist, bool of its tensor's shape, each with the probability `share`.

    Parameters
    ----------
    seed : of the replica. share : the projection's parameter `density`.
    """
    shape, draws = graph.tensor_shape(q.name), generator(seed, f"{q.name}.mask")
    if q.masks is Masks.SYNAPSE:
        return np.asarray(draws.random(shape) < share)
    if q.masks is Masks.LOCATION:
        own = forwards(q.connectivity)
        pattern = draws.random(shape[2:] if isinstance(own, LocallyConnected) else shape) < share
        return np.broadcast_to(pattern, shape)
    sources = draws.random(size_of(graph.ends(q.name)[0])) < share
    if q.dense:
        return np.broadcast_to(sources, shape)
    kept = np.zeros(shape, np.bool_)
    _, pre, slot = graph.synapses(q.name)
    kept.reshape(-1)[slot] = sources[pre]
    return kept
