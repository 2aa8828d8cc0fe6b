"""Synapses of a projection as rows (post, pre, slot): the only place where audits learn which synapses exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of

Array = np.ndarray
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SynapseTable:
    """The synapses of a projection, one at each index.

    Parameters
    ----------
    post, pre : numbers of the postsynaptic and presynaptic neurons, (synapse,).
    slot : number of the stored weight in the tensor, in C order, (synapse,).
    sizes : numbers of postsynaptic and presynaptic neurons. shape : of the tensor, without replicas.
    """

    post: Array
    pre: Array
    slot: Array
    sizes: tuple[int, int]
    shape: Shape

    @cached_property
    def dense(self) -> bool:
        """True if slot i n + j is the only synapse from neuron j to neuron i, and every pair has one."""
        posts, pres = self.sizes
        return self.shape == (posts, pres) and np.array_equal(self.slot, self.post * pres + self.pre)

    @cached_property
    def single(self) -> bool:
        """True if every slot has at most one synapse, and no two synapses join the same neurons."""
        if self.dense:
            return True
        if np.bincount(self.slot).max() > 1:
            return False
        pairs = np.sort(self.post.astype(np.int64) * self.sizes[1] + self.pre)
        return not bool((pairs[1:] == pairs[:-1]).any())

    @cached_property
    def by_post(self) -> tuple[Array, Array]:
        """Synapses sorted by postsynaptic neuron, and where each neuron's begin, with the end of the last."""
        counts = np.bincount(self.post, minlength=self.sizes[0])
        return _narrow(np.argsort(self.post, kind="stable")), np.concatenate([[0], np.cumsum(counts)])

    def _rows_into(self, posts: Array) -> Array:
        """Return the synapses into these neurons."""
        order, begins = self.by_post
        chosen = np.flatnonzero(posts)
        counts = begins[chosen + 1] - begins[chosen]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(order[np.repeat(begins[chosen], counts) + inside])

    @cached_property
    def _whole(self) -> tuple[Array, Array]:
        """Slots of all synapses, and all presynaptic neurons: most groups of a large circuit hold whole projections."""
        slots, sources = np.zeros(int(np.prod(self.shape)), bool), np.zeros(self.sizes[1], bool)
        slots[self.slot] = True
        sources[self.pre] = True
        for found in (slots, sources):
            found.flags.writeable = False  # every caller gets the same
        return slots.reshape(self.shape), sources

    def among(self, posts: Array, pres: Array) -> Array:
        """Return the slots all of whose synapses join neurons of these masks, (*shape) of bool."""
        if self.dense:
            return np.asarray(posts[:, None] & pres)
        if posts.all() and pres.all():
            return np.ones(self.shape, bool)
        found = np.ones(int(np.prod(self.shape)), bool)
        found[self.slot[~(posts[self.post] & pres[self.pre])]] = False
        return found.reshape(self.shape)

    def into(self, posts: Array) -> Array:
        """Return the slots of the synapses into these neurons, broadcastable to the tensor."""
        if self.dense:
            return posts[:, None]
        if posts.all():
            return self._whole[0]
        found = np.zeros(int(np.prod(self.shape)), bool)
        found[self.slot[self._rows_into(posts)]] = True
        return found.reshape(self.shape)

    def sources(self, posts: Array) -> Array:
        """Return the presynaptic neurons of these neurons, (presynaptic neuron,) of bool."""
        if self.dense:
            return np.full(self.sizes[1], bool(posts.any()))
        if posts.all():
            return self._whole[1]
        found = np.zeros(self.sizes[1], bool)
        found[self.pre[self._rows_into(posts)]] = True
        return found

    def reached_only(self, pres: Array) -> Array:
        """Return the postsynaptic neurons all of whose synapses come from these neurons, of bool."""
        if self.dense or pres.all():
            return np.full(self.sizes[0], bool(pres.all()))
        found = np.ones(self.sizes[0], bool)
        found[self.post[~pres[self.pre]]] = False
        return found

    def ends(self, index: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """Return the postsynaptic and the presynaptic neurons of the slot at an index of the tensor."""
        if self.dense:
            return [index[0]], [index[1]]
        chosen = self.slot == np.ravel_multi_index(index, self.shape)
        return np.unique(self.post[chosen]).tolist(), np.unique(self.pre[chosen]).tolist()


def synapse_table(circuit: Circuit, projection: str) -> SynapseTable:
    """Return the synapses of a projection."""
    q = circuit.projection(projection)
    pre, post = circuit.ends(projection)
    return _dense(size_of(post), size_of(pre)) if q.dense else _listed(q.connectivity, pre, post)  # type: ignore[arg-type]


def bias_slots(circuit: Circuit, projection: str) -> Array:
    """Return the number of the stored bias of each postsynaptic neuron, in C order."""
    neurons = size_of(circuit.ends(projection)[1])
    return np.arange(neurons) // (neurons // size_of(circuit.bias_shape(projection)))


def bias_shape(circuit: Circuit, projection: str) -> Shape:
    """Return the shape of a projection's biases, without replicas."""
    return circuit.bias_shape(projection)


@lru_cache(64)
def _dense(posts: int, pres: int) -> SynapseTable:
    ends = np.indices((posts, pres), np.int32).reshape(2, -1)
    return SynapseTable(ends[0], ends[1], np.arange(ends.shape[1]), (posts, pres), (posts, pres))


@lru_cache(64)
def _listed(connectivity: Any, pre: Shape, post: Shape) -> SynapseTable:
    sizes = size_of(post), size_of(pre)
    into, out, slots = (_narrow(numbers) for numbers in connectivity.synapses(pre, post))
    return SynapseTable(into, out, slots, sizes, connectivity.tensor_shape(pre, post))


def _narrow(numbers: Array) -> Array:
    """Return whole numbers >= 0 in half of the memory, where they fit: tables of large circuits take most of it."""
    return numbers.astype(np.int32) if not numbers.size or numbers.max() < 2**31 else numbers
