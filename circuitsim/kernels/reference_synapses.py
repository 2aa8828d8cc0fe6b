"""The specification of what changes synapses: increments applied, waiting or cleared, copies, norms, bounds.

Arrays are (replica, post, pre). Each function binds its arrays and returns a step without arguments.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuitsim.kernels.steps import Step
from circuitsim.randomness import generator

Array = np.ndarray


def guard(increments: Array, limit: Array, alive: Array, report: Callable[[Array], None]) -> Step:
    """Call report(increments) where those of a replica alive may reach the limit (1,), before anything kept changes."""

    def watch() -> None:
        if not np.abs(increments[alive]).max(initial=0) < limit[0]:  # nor what is not a number
            report(increments)

    return watch


def apply(
    weight: Array,
    increment: Array,
    velocity: Array | None,
    rate: Array,
    momentum: Array | None,
    decay: Array,
    scale: float,
    alive: Array,
) -> Step:
    """v = mu v + scale * increment; w += rate v - decay w, for the replicas alive; v is absent where mu is 0."""

    def update() -> None:
        for r in np.flatnonzero(alive):
            change = increment[r] * weight.dtype.type(scale)
            if velocity is not None and momentum is not None:
                velocity[r] = momentum[r] * velocity[r] + change
                change = velocity[r]
            weight[r] += rate[r] * change - decay[r] * weight[r]

    return update


def mask(weight: Array, kept: Array) -> Step:
    """w = 0 where a synapse does not exist."""
    return lambda: np.multiply(weight, kept, out=weight)


def accumulate(increment: Array, pending: Array, scale: float, alive: Array) -> Step:
    """pending += scale * increment, for the replicas alive."""

    def gather_up() -> None:
        for r in np.flatnonzero(alive):
            pending[r] += increment[r] * pending.dtype.type(scale)

    return gather_up


def clear(pending: Array, due: Array) -> Step:
    """pending = 0, for the replicas whose it is due."""

    def empty() -> None:
        pending[due] = 0

    return empty


def refresh(other: Array, count: Array, every: Array, weight: Array, alive: Array) -> Step:
    """w = other where count is a multiple of every[r], for the replicas that are alive."""

    def take_over() -> None:
        for r in np.flatnonzero(alive):
            if int(count[0]) % max(1.0, float(every[r])) == 0:  # of infinity only 0 is a multiple
                weight[r] = other[r]

    return take_over


def magnitudes(seeds: Array, tick: Array, name: str, weight: Array, limit: float, alive: Array) -> Step:
    """w[r] uniform from 0 to a limit, drawn for (seed, name, tick), for the replicas that are alive."""

    def draw() -> None:
        for r in np.flatnonzero(alive):
            weight[r] = limit * generator(seeds[r], name, int(tick[0])).random(weight.shape[1:])

    return draw


def normalise(weight: Array, alive: Array) -> Step:
    """w = w / |w|, the norm taken over all synapses of a replica; a projection of zeros stays one."""

    def divide() -> None:
        for r in np.flatnonzero(alive):
            norm = np.sqrt((weight[r].astype(np.float64) ** 2).sum())
            if norm > 0:
                weight[r] = weight[r] / norm

    return divide


def bound(weights: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each neuron's incoming synapses by min(1, limit / norm), the norm taken over all of them together."""

    def scale() -> None:
        for r in np.flatnonzero(alive):
            squares = sum((w[r].astype(np.float64) ** 2).sum(axis=1) for w in weights)
            norm = np.sqrt(squares + sum(b[r].astype(np.float64) ** 2 for b in biases))
            factor = np.where(norm > limit[r], limit[r] / np.where(norm > 0, norm, 1), 1.0)
            for w in weights:
                w[r] *= factor[:, None].astype(w.dtype)
            for b in biases:
                b[r] *= factor.astype(b.dtype)

    return scale
