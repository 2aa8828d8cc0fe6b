"""Pools within blocks: activity passes through a pool, and from it back to the site of the neurons that it reads.

A pool is undone by upsampling (each neuron of a window takes the pool's value), or through the synapse that won (the
other neurons of the window receive nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.circuit.connectivity import Connectivity, MaxPool, MeanPool, Shape, Table, Upsample
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuit.weights import Fixed
from circuitsim.circuits.choices import require_choice
from circuitsim.errors import CircuitError

UNPOOLS = ("upsample", "winners")
POOLS = (MaxPool, MeanPool)


@dataclass(frozen=True)
class Pooled:
    """A pool and its undoing.

    Parameters
    ----------
    pool : its neurons. into : the projection to them.
    undone : neurons at the site of those that the pool reads. back : the projection from the pool to them.
    """

    pool: Population
    into: Projection
    undone: Population
    back: Projection


def undo_pools(
    below: Population, pools: Sequence[tuple[Population, Projection]], unpool: str = "upsample"
) -> tuple[Pooled, ...]:
    """Return pools above a population with their undoing.

    Parameters
    ----------
    below : the population that the lowest pool reads. pools : each with the projection into it, from the bottom.
    unpool : upsample or winners; a mean pool is upsampled.
    """
    require_choice("unpool", "a block", unpool, UNPOOLS)
    found = []
    for k, (pool, into) in enumerate(pools):
        last = k + 1 == len(pools)
        source = pool.name if last else f"{pools[k + 1][0].name}_undone"
        undone = Population(f"{pool.name}_undone", below.size, site=below.site, shape=below.shape)
        chosen = unpool == "winners" and pool.combine is Combine.MAX
        back = Projection(
            f"undo_{pool.name}",
            source,
            undone.name,
            into.delay,
            weights=Fixed(1.0),
            connectivity=into.connectivity.transposed()
            if chosen
            else upsampling(into.connectivity, pool.shape, below.shape),
            winners=pool.name if chosen else "",
        )
        found.append(Pooled(pool, into, undone, back))
        below = pool
    return tuple(found)


def upsampling(pool: Connectivity, pooled: Shape, image: Shape) -> Connectivity:
    """Return the connectivity by which each neuron of an image takes the value of the pool's window that it begins.

    Neurons after the last window, which the pool may leave out, take the value of the last.
    """
    stride = pool.stride  # type: ignore[attr-defined]
    plain = Upsample(stride)
    if not plain.problem(pooled, image):
        return plain
    c, y, x = np.indices(image).reshape(3, -1)
    row, column = (np.minimum(n // s, last - 1) for n, s, last in zip((y, x), stride, pooled[1:], strict=True))
    source = np.ravel_multi_index((c, row, column), pooled)
    return Table(np.arange(source.size), source, np.zeros(source.size, np.int64))


def errors_through(pools: Sequence[Pooled], hinge: str, delay: int) -> tuple[list[Population], list[Projection]]:
    """Return feedback neurons and projections by which the error where pools are undone comes to the hinge's error.

    Parameters
    ----------
    hinge : name of the feedback neurons beside the hinge.
    """
    if any(p.back.winners for p in pools):
        raise CircuitError(
            "unpool of a block that learns from errors",
            got="winners",
            expected="upsample",
            remedy="Only recirculating blocks can undo a pool through its winners.",
        )
    beside = [p.undone for p in pools] + [p.pool for p in reversed(pools)]
    neurons = [Population(f"{p.name}_error", p.size, site=p.site, feedback=True, shape=p.shape) for p in beside]
    carriers = []
    for k, p in enumerate(pools):  # as the reconstruction comes, read backwards: up to the highest pool
        above = pools[k + 1].undone if k + 1 < len(pools) else p.pool
        carriers.append(_carrier(p.undone.name, f"{above.name}_error", p.back.connectivity.transposed(), delay))
    for k, p in reversed(list(enumerate(pools))):  # then as the pools chose: down to the hinge
        target = f"{pools[k - 1].pool.name}_error" if k else hinge
        q = _carrier(p.pool.name, target, p.into.connectivity.transposed(), delay)
        carriers.append(replace(q, winners=p.pool.name) if p.pool.combine is Combine.MAX else q)
    return neurons, carriers


def _carrier(source: str, target: str, connectivity: Connectivity, delay: int) -> Projection:
    error = f"{source}_error"
    return Projection(f"R_{source}", error, target, delay, weights=Fixed(1.0), connectivity=connectivity)
