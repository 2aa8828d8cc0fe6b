"""Connectivity: which synapses a projection has, as rows (post, pre, slot). Pure descriptions, without weights."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from circuitsim.errors import CircuitError

Shape = tuple[int, ...]
"""The shape of a population, for example (channel, row, column); its neurons are numbered in C order."""


class Synapses(NamedTuple):
    """The synapses of a projection, one at each index: its ends, and the stored weight that it multiplies by.

    post, pre : numbers of the postsynaptic and presynaptic neurons, (synapse,).
    slot : number of the stored weight in the projection's tensor, in C order, (synapse,).
    """

    post: np.ndarray
    pre: np.ndarray
    slot: np.ndarray


class Connectivity(Protocol):
    """A frozen description of the synapses between two populations of given shapes."""

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what shapes were expected if it does not fit these; else an empty text."""
        ...

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return the shape of the stored weights, as files and `tensors()` show it."""
        ...

    def bias_shape(self, post: Shape) -> Shape:
        """Return the shape of the stored biases; neurons that share weights share their bias."""
        ...

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return how many synapses enter a postsynaptic neuron and leave a presynaptic one, for initialisation."""
        ...

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether two synapses have one slot."""
        ...

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return all synapses: the specification of everything that is computed with them."""
        ...

    def transposed(self) -> Connectivity:
        """Return the same synapses with their ends exchanged."""
        ...

    @property
    def channel_axes(self) -> tuple[int, int] | None:
        """The axes of the tensor that its transposition exchanges; None: the tensor stays as it is."""
        ...


def size_of(shape: Shape) -> int:
    """Return the number of neurons of a shape."""
    return math.prod(shape)


def exchanged(shape: Shape, axes: tuple[int, int] | None) -> Shape:
    """Return a shape with two of its axes exchanged; None: as it is."""
    found = list(shape)
    if axes is not None:
        found[axes[0]], found[axes[1]] = found[axes[1]], found[axes[0]]
    return tuple(found)


def whole_pair(what: str, value: object, least: int) -> tuple[int, int]:
    """Return a number for rows and one for columns, given one for both or a pair; CircuitError for anything else."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = [n.__index__() for n in pair if hasattr(n, "__index__") and not isinstance(n, bool)]
    if len(pair) != 2 or len(whole) != 2 or min(whole) < least:
        raise CircuitError(
            what,
            got=repr(value),
            expected=f"a whole number >= {least}, or one for rows and one for columns",
            remedy="Correct it.",
        )
    return whole[0], whole[1]
