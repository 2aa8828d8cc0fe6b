"""Links: the synapses of a projection that is not dense, as kernels need them. Numbers and index arrays alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Window:
    """Windows of an image that neurons of `fields` read: cell `p * stride + u - before` is tap u of window p.

    Parameters
    ----------
    image, fields : (channel, row, column) of the image, and of the neurons that read it.
    kernel, stride, before : by rows and by columns: taps, cells from window to window, cells outside before the first.
    untied : True if each window has weights of its own.
    backwards : True if signals pass from the fields to the image.
    """

    image: tuple[int, int, int]
    fields: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]
    untied: bool
    backwards: bool

    @property
    def taps(self) -> int:
        """Synapses of a neuron whose window lies within the image."""
        return self.image[0] * self.kernel[0] * self.kernel[1]

    @property
    def positions(self) -> int:
        """Number of windows."""
        return self.fields[1] * self.fields[2]

    @property
    def covers(self) -> bool:
        """True if one window is the whole image: every pair of neurons has a synapse, and each its own weight."""
        return self.fields[1:] == (1, 1) and self.kernel == self.image[1:] and self.before == (0, 0)

    def matrix(self, weight: Array) -> Array:
        """Return the weights of a window that covers its image as (replica, out, taps)."""
        found: Array = self.stored(weight).reshape(weight.shape[0], self.fields[0], self.taps)
        return found

    def stored(self, weight: Array) -> Array:
        """Return weights in the order of memory: (replica, out, taps), or (replica, position, out, taps) if untied.

        Parameters
        ----------
        weight : (replica, *tensor), of which the channel axes are exchanged if signals pass backwards.
        """
        channels = (3, 4) if self.untied else (1, 2)
        forwards = weight.swapaxes(*channels) if self.backwards else weight
        shape = (self.positions, self.fields[0], self.taps) if self.untied else (self.fields[0], self.taps)
        found = forwards.reshape(-1, *shape)
        assert np.may_share_memory(found, weight), "weights lie in memory as they are read forwards"
        return found


@dataclass(frozen=True, eq=False)
class Links:
    """The synapses of a projection between `pres` presynaptic and `posts` postsynaptic neurons.

    Parameters
    ----------
    list_synapses : returns (post, pre, slot), (synapse,) each: the specification.
    tensor_shape : shape of the weights, without replicas; slots are numbered in its C order.
    window : numbers of a convolution or of untied windows; None: the synapses are listed.
    turned : axes of the tensor that lie exchanged in memory, or None.
    zero_fills : True if taps without a synapse compete as 0 where the largest input is taken. ties : first, last, all.
    """

    list_synapses: Callable[[], tuple[Array, Array, Array]]
    tensor_shape: tuple[int, ...]
    pres: int
    posts: int
    window: Window | None = None
    zero_fills: bool = False
    ties: str = "first"
    turned: tuple[int, int] | None = None
    _sorted: dict[str, tuple[Array, ...]] = field(default_factory=dict)

    @cached_property
    def synapses(self) -> tuple[Array, Array, Array]:
        """The synapses, listed when first asked for, as small numbers: lists of pools are long."""
        post, pre, slot = (numbers.astype(np.int32) for numbers in self.list_synapses())
        return post, pre, slot

    @cached_property
    def taps(self) -> Array:
        """The number of each synapse in its postsynaptic neuron's window, by which neurons remember a winner.

        With `zero_fills` it is the slot; else the synapse's place among its neuron's.
        """
        post, _, slot = self.synapses
        return slot if self.zero_fills else rank(post)

    def by_post(self) -> tuple[Array, Array, Array, Array]:
        """Return the synapses by postsynaptic neuron: first row of each neuron, then pre, slot and tap by row."""
        if "post" not in self._sorted:
            post, pre, slot = self.synapses
            order = np.argsort(post, kind="stable")
            self._sorted["post"] = begins(post, self.posts), pre[order], slot[order], self.taps[order]
        return self._sorted["post"]  # type: ignore[return-value]

    def by_slot(self) -> tuple[Array, Array, Array]:
        """Return the synapses sorted by slot in memory: first row of each slot, then post and pre by row."""
        if "slot" not in self._sorted:
            post, pre, slot = self.synapses
            count = int(np.prod(self.tensor_shape))
            if self.turned:
                numbers = np.arange(count, dtype=np.int32)
                place = np.empty_like(numbers)  # in memory, by slot
                place[numbers.reshape(self.tensor_shape).swapaxes(*self.turned).ravel()] = numbers
                slot = place[slot]
            order = np.argsort(slot, kind="stable")
            self._sorted["slot"] = begins(slot, count), post[order], pre[order]
        return self._sorted["slot"]  # type: ignore[return-value]


def rank(numbers: Array) -> Array:
    """Return how many equal numbers come before each."""
    order = np.argsort(numbers, kind="stable")
    inside = np.arange(len(numbers)) - begins(numbers, int(numbers.max()) + 1)[numbers[order]]
    found = np.empty(len(numbers), np.int32)
    found[order] = inside
    return found


def begins(numbers: Array, count: int) -> Array:
    """Return where each number below `count` begins among the sorted numbers, and at last their end, (count + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=count))])
