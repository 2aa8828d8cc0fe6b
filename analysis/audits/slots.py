"""The synapses that a stored weight belongs to: one of a dense projection, many where weights are shared."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from circuitsim.analysis.audits.memory import Array
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.lowering.links import reversed_axes


def synapses_of(circuit: Circuit, name: str, quantity: str, places: Array) -> Iterator[Array]:
    """Yield for each place of a projection's array its synapses, rows (replica, post, pre), or biases (replica, post).

    Parameters
    ----------
    quantity : of the projection: weights or biases, or their increments. places : (replica, *index) of the array.
    """
    q, (_, target) = circuit.projection(name), circuit.ends(name)
    if q.dense:
        yield from places[:, None]
    elif "bias" in quantity:
        shape, neurons = circuit.bias_shape(name), np.arange(size_of(target))
        owner = neurons // (size_of(target) // math.prod(shape))
        for replica, *place in places:
            posts = neurons[owner == np.ravel_multi_index(place, shape)]
            yield np.stack([np.full(len(posts), replica), posts], axis=1)
    else:
        shape, (post, pre, slot) = circuit.tensor_shape(name), circuit.synapses(name)
        numbers, axes = np.arange(math.prod(shape)).reshape(shape), reversed_axes(q)
        orders = [numbers] if axes is None else [numbers, numbers.swapaxes(*axes)]  # as files have it, or as it lies
        for replica, *place in places:
            slots = [order[tuple(place)] for order in orders if (np.array(place) < order.shape).all()]
            chosen = np.isin(slot, slots)
            yield np.stack([np.full(chosen.sum(), replica), post[chosen], pre[chosen]], axis=1)
