"""Healing: what an example of huge or infinite emissions leaves in the sums of signals is taken out again.

A signal carries the change of an emission, so that a sum of signals keeps the rounding errors of all that passed. Where
an emission was so large that these are not small any more, the sums are made anew from what neurons emit and what is
under way; signals that are not finite are dropped.
"""

from __future__ import annotations

import numpy as np

from circuitsim.asynchrony.loop import DELIVERY, MASK, SHIFT, LoopArrays, sum_anew

RESIDUE = 16.0  # ratio of the largest change to today's emissions above which sums are made anew


def needs_healing(arrays: LoopArrays) -> bool:
    """Return whether emissions were so much larger than now that the sums keep more than rounding errors."""
    emitted = np.abs(arrays.neurons["emitted"]).max()
    return not arrays.largest[0] <= RESIDUE * emitted  # NaN is no order


def heal(arrays: LoopArrays, heap: np.ndarray, size: int, sources: np.ndarray) -> int:
    """Make all sums anew; return the number of events that are left in the heap.

    Parameters
    ----------
    sources : the neuron of each axon.
    """
    for field in ("emitted", "kept"):
        arrays.neurons[field][~np.isfinite(arrays.neurons[field])] = 0
    events = heap[:, :size]
    changes = np.where(events[1] >> SHIFT == DELIVERY, events[2].copy().view(np.float64), 0.0)
    if not np.isfinite(changes).all():
        left = events[:, np.isfinite(changes)]
        size = left.shape[1]
        heap[:, :size] = left[:, np.lexsort(left[::-1])]  # events in order are a heap
        return heal(arrays, heap, size, sources)
    arrays.largest[0] = np.abs(changes).max(initial=0)
    axons = np.where(events[1] >> SHIFT == DELIVERY, events[1] & MASK, 0)
    under_way = np.bincount(axons, weights=changes, minlength=len(sources))
    arrays.axons["arrived"] = arrays.neurons["emitted"][sources] - under_way
    sum_anew(tuple(arrays))
    return size
