"""Groups of neurons by what they read: receptive fields that do not overlap, and channels that share weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from circuitsim.analysis.audits.cuts import cuts
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.synapse_table import SynapseTable


def field_cuts(table: SynapseTable, random: np.random.Generator) -> Iterator[Array]:
    """Yield masks of postsynaptic neurons such that any neuron that one does not read is outside the fields of a mask.

    Neurons with the same sources stay together. They are divided into sets whose fields do not overlap; within a set,
    cuts part any two fields. So a source that a neuron does not read lies in no field of some mask with that neuron.
    """
    for fields in _disjoint_fields(table):
        if len(fields) == 1:
            yield _mask(fields, table.sizes[0])
        for chosen in cuts(len(fields), random) if len(fields) > 1 else ():
            yield _mask([field for field, part in zip(fields, chosen, strict=True) if part], table.sizes[0])


def channel_cuts(table: SynapseTable, ends: Array, size: int, random: np.random.Generator) -> Iterator[Array]:
    """Yield masks that part the sets of neurons whose synapses have slots in common: the channels of a convolution.

    Parameters
    ----------
    ends : the postsynaptic or the presynaptic neuron of each synapse. size : number of these neurons.
    """
    labels = _joined(table.slot, ends, int(np.prod(table.shape)), size)
    _, channel = np.unique(labels, return_inverse=True)
    count = int(channel.max()) + 1
    for chosen in cuts(count, random) if count > 1 else ():
        yield chosen[channel]


def _joined(slot: Array, ends: Array, slots: int, size: int) -> Array:
    """Return the least neuron of the set of each neuron; neurons whose synapses share a slot are in one set."""
    least = np.arange(size)
    while True:
        of_slot = np.full(slots, size)
        np.minimum.at(of_slot, slot, least[ends])
        now = least.copy()
        np.minimum.at(now, ends, of_slot[slot])
        now = now[now]  # the least neuron may have found a smaller one
        if np.array_equal(now, least):
            return least
        least = now


@lru_cache(64)
def _disjoint_fields(table: SynapseTable) -> list[list[Array]]:
    """Return sets of classes of neurons; neurons of a class have the same sources, classes of a set have none alike."""
    order = np.lexsort((table.pre, table.post))
    posts, pres = table.post[order], table.pre[order]
    members: dict[bytes, list[int]] = {}
    for post, sources in zip(*_split(posts, pres), strict=True):
        members.setdefault(sources.tobytes(), []).append(post)
    unions: list[Array] = []
    found: list[list[Array]] = []
    for read_by, neurons in members.items():
        read = np.frombuffer(read_by, pres.dtype)
        place = next((k for k, union in enumerate(unions) if not union[read].any()), len(unions))
        if place == len(unions):
            unions.append(np.zeros(table.sizes[1], bool))
            found.append([])
        unions[place][read] = True
        found[place].append(np.array(neurons))
    return found


def _split(posts: Array, pres: Array) -> tuple[list[int], list[Array]]:
    """Return the neurons that have synapses, and the sources of each."""
    numbers, begins = np.unique(posts, return_index=True)
    return numbers.tolist(), np.split(pres, begins[1:])


def _mask(classes: list[Array], size: int) -> Array:
    found = np.zeros(size, bool)
    found[np.concatenate(classes)] = True
    return found
