"""Dense and one-to-one connectivity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.connectivity.base import Connectivity, Shape, Synapses, exchanged, size_of


@dataclass(frozen=True)
class Dense:
    """A synapse from every presynaptic neuron to every postsynaptic one; tensor (post, pre)."""

    channel_axes = (0, 1)

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return an empty text: every pair of shapes fits."""
        return ""

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (post, pre)."""
        return size_of(post), size_of(pre)

    def bias_shape(self, post: Shape) -> Shape:
        """Return (post,)."""
        return (size_of(post),)

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return the sizes of both populations."""
        return size_of(pre), size_of(post)

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return False: each synapse has a slot of its own."""
        return False

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return all pairs of neurons, in the order of the tensor."""
        ends = np.indices((size_of(post), size_of(pre))).reshape(2, -1)
        return Synapses(ends[0], ends[1], np.arange(ends.shape[1]))

    def transposed(self) -> Dense:
        """Return the same: all pairs."""
        return self


DENSE = Dense()


@dataclass(frozen=True)
class OneToOne:
    """A synapse from each neuron to the one of the same number; tensor (neuron,). Fixed weights make it a skip."""

    channel_axes = None

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless both populations have the same size."""
        return "" if size_of(pre) == size_of(post) else "populations of one size"

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (neuron,)."""
        return (size_of(post),)

    def bias_shape(self, post: Shape) -> Shape:
        """Return the shape of the postsynaptic population."""
        return post

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return (1, 1)."""
        return 1, 1

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return False: each synapse has a slot of its own."""
        return False

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the pairs of neurons with equal numbers."""
        numbers = np.arange(size_of(post))
        return Synapses(numbers, numbers, numbers)

    def transposed(self) -> OneToOne:
        """Return the same pairs."""
        return self


@dataclass(frozen=True)
class PerChannel(OneToOne):
    """A synapse from each neuron to the one of the same number, with one weight for each channel; tensor (channel,)."""

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (channel,)."""
        return post[:1]

    def bias_shape(self, post: Shape) -> Shape:
        """Return (channel,): neurons that share a weight share their bias."""
        return post[:1]

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether a channel has several neurons."""
        return size_of(post[1:]) > 1

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the pairs of neurons with equal numbers."""
        numbers = np.arange(size_of(post))
        return Synapses(numbers, numbers, numbers // size_of(post[1:]))

    def transposed(self) -> PerChannel:
        """Return the same pairs."""
        return self


@dataclass(frozen=True)
class Reverse:
    """The synapses of another connectivity with their ends exchanged; its tensor has the channel axes exchanged.

    Parameters
    ----------
    of : the connectivity from this one's postsynaptic to its presynaptic population.
    """

    of: Connectivity

    @property
    def channel_axes(self) -> tuple[int, int] | None:
        """The axes that are exchanged."""
        return self.of.channel_axes

    @property
    def fixed(self) -> bool:
        """True if its synapses have fixed weights unless others are named."""
        return bool(getattr(self.of, "fixed", False))

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what the other connectivity expects of its ends."""
        found = self.of.problem(post, pre)
        return f"{found}, read from target to source" if found else ""

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return the other's tensor shape with the channel axes exchanged."""
        return exchanged(self.of.tensor_shape(post, pre), self.channel_axes)

    def bias_shape(self, post: Shape) -> Shape:
        """Return one bias a channel where weights are shared over positions, else one a neuron."""
        return self.of.bias_shape(post)

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return the other's fan, exchanged."""
        into, out = self.of.fan(post, pre)
        return out, into

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether the other's synapses share slots."""
        return self.of.shared(post, pre)

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the other's synapses, exchanged, in the same order."""
        shape = self.of.tensor_shape(post, pre)
        found = self.of.synapses(post, pre)
        if self.channel_axes is None:
            return Synapses(found.pre, found.post, found.slot)
        places = list(np.unravel_index(found.slot, shape))
        first, second = self.channel_axes
        places[first], places[second] = places[second], places[first]
        return Synapses(found.pre, found.post, np.ravel_multi_index(tuple(places), self.tensor_shape(pre, post)))

    def transposed(self) -> Connectivity:
        """Return the other connectivity."""
        return self.of


def forwards(connectivity: Connectivity) -> Connectivity:
    """Return the connectivity that a reversed one reads backwards, or a forward one itself."""
    return connectivity.of if isinstance(connectivity, Reverse) else connectivity
