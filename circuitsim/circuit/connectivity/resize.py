"""Resize: an image enlarged or reduced to another by bilinear interpolation, as fixed synapses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.connectivity.base import Shape, Synapses, size_of
from circuitsim.circuit.connectivity.plain import Reverse


@dataclass(frozen=True)
class Resize:
    """Each neuron takes the bilinear interpolation of its channel at its place; tensor (taps,), of all channels.

    The corners of both images are at one place ("aligned corners"): row y of R lies at y (r - 1) / (R - 1) of the r
    rows below; one row lies at the first. A weight is the product of one for the row and one for the column; taps of
    weight zero are no synapses. The target may be of any size, with as many channels.
    """

    channel_axes = None
    fixed = True

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless both ends are images of as many channels."""
        fits = len(pre) == len(post) == 3 and pre[0] == post[0]
        return "" if fits else "images (channel, row, column) of as many channels at both ends"

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (taps,): one weight for each synapse of a channel."""
        return (len(_taps(pre, post)[0]),)

    def constants(self, pre: Shape, post: Shape) -> np.ndarray:
        """Return the weights by slot, which a fixed value multiplies."""
        return _taps(pre, post)[2]

    def bias_shape(self, post: Shape) -> Shape:
        """Return one bias a neuron."""
        return post

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return the most synapses into a neuron, and the mean number out of one."""
        taps = len(_taps(pre, post)[0])
        return min(4, size_of(pre[1:])), max(1, taps // size_of(pre[1:]))

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether there is more than one channel."""
        return pre[0] > 1

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the synapses by channel, target and tap."""
        to, of, _ = _taps(pre, post)
        channel, slot = np.indices((pre[0], len(to))).reshape(2, -1)
        return Synapses(channel * size_of(post[1:]) + to[slot], channel * size_of(pre[1:]) + of[slot], slot)

    def transposed(self) -> Reverse:
        """Return the same synapses from the target back to the image."""
        return Reverse(self)


def _taps(pre: Shape, post: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the synapses of one channel: positions in both images, and weights that are not zero."""
    rows, columns = (_along(before, after) for before, after in zip(pre[1:], post[1:], strict=True))
    weights = np.einsum("yr,xc->yxrc", rows, columns).reshape(size_of(post[1:]), size_of(pre[1:]))
    to, of = np.nonzero(weights)
    return to, of, weights[to, of]


def _along(before: int, after: int) -> np.ndarray:
    """Return the weights of interpolation along one axis, (after, before)."""
    place = np.arange(after) * ((before - 1) / max(after - 1, 1))
    lower = np.minimum(np.floor(place).astype(np.int64), max(before - 2, 0))
    found = np.zeros((after, before))
    found[np.arange(after), lower] = 1 - (place - lower)
    if before > 1:
        found[np.arange(after), lower + 1] += place - lower
    return found
