"""Convolution and locally connected synapses: each neuron reads a window of the image before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.connectivity.base import Shape, Synapses, size_of, whole_pair
from circuitsim.circuit.connectivity.plain import Reverse
from circuitsim.errors import CircuitError

Padding = str | int | tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """Windows along one axis of an image: cell `p * stride + u - before` is tap u of window p."""

    cells: int
    windows: int
    taps: int
    stride: int
    before: int


def axis(cells: int, taps: int, stride: int, padding: str | int) -> Axis:
    """Return the windows along one axis.

    Parameters
    ----------
    padding : "same" gives ceil(cells / stride) windows, the smaller half of the padding before (TensorFlow's rule);
        "valid" gives no padding; a number gives as many cells at each end.
    """
    if padding == "same":
        windows = -(-cells // stride)
        before = max((windows - 1) * stride + taps - cells, 0) // 2
    else:
        before = 0 if isinstance(padding, str) else padding
        windows = max((cells + 2 * before - taps) // stride + 1, 0)
    return Axis(cells, windows, taps, stride, before)


def check_padding(what: str, padding: object) -> Padding:
    """Return the padding; CircuitError if it is none."""
    if isinstance(padding, str) and padding in ("same", "valid"):
        return padding
    try:
        return whole_pair(what, padding, 0)
    except CircuitError:
        raise CircuitError(
            what,
            got=f"padding {padding!r}",
            expected='"same", "valid", or a whole number of cells >= 0',
            remedy="Choose one of these.",
        ) from None


def axes(image: Shape, size: tuple[int, int], stride: tuple[int, int], padding: Padding) -> tuple[Axis, Axis]:
    """Return the windows along the rows and along the columns of an image (channel, row, column)."""
    pads = padding if isinstance(padding, tuple) else (padding, padding)
    return axis(image[1], size[0], stride[0], pads[0]), axis(image[2], size[1], stride[1], pads[1])


def meets(axis: Axis) -> np.ndarray:
    """Return which taps of which windows meet a cell of the image, bool (window, tap)."""
    cell = np.arange(axis.windows)[:, None] * axis.stride + np.arange(axis.taps) - axis.before
    return (cell >= 0) & (cell < axis.cells)


def taps_of(down: Axis, across: Axis) -> tuple[np.ndarray, ...]:
    """Return the taps that meet a cell: window row and column, tap row and column, cell row and column, (tap,) each.

    They are ordered by window, then by tap.
    """
    py, px, u, v = np.indices((down.windows, across.windows, down.taps, across.taps)).reshape(4, -1)
    y, x = py * down.stride + u - down.before, px * across.stride + v - across.before
    inside = (y >= 0) & (y < down.cells) & (x >= 0) & (x < across.cells)
    return tuple(found[inside] for found in (py, px, u, v, y, x))


@dataclass(frozen=True)
class Convolution:
    """Each neuron reads all channels of a window of the image; neurons of one channel share their weights.

        S_o(p) = sum_{i,u,v} w_oiuv x_i(p stride + (u, v) - before)          (a cross-correlation: not flipped)

    Its tensor is (out, in, kernel rows, kernel columns), its biases (out,). Shared weights are a declared non-local
    wire.

    Parameters
    ----------
    kernel : side of the window, >= 1, or (rows, columns).
    stride : cells from window to window, >= 1, or (rows, columns).
    padding : "same" (ceil(n / stride) windows, the smaller half of the padding before), "valid" (none), or a number of
        cells >= 0 at each end, or (rows, columns).
    """

    kernel: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: Padding = "same"

    channel_axes = (0, 1)

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "kernel", whole_pair(f"kernel of {name}", self.kernel, 1))
        object.__setattr__(self, "stride", whole_pair(f"stride of {name}", self.stride, 1))
        object.__setattr__(self, "padding", check_padding(name, self.padding))

    def axes(self, pre: Shape) -> tuple[Axis, Axis]:
        """Return the windows along rows and columns."""
        return axes(pre, self.kernel, self.stride, self.padding)  # type: ignore[arg-type]

    def output_shape(self, pre: Shape, channels: int) -> Shape:
        """Return the shape of the postsynaptic population with that many channels."""
        down, across = self.axes(pre)
        return channels, down.windows, across.windows

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless both are images that the windows join."""
        if len(pre) != 3 or len(post) != 3:
            return "images (channel, row, column) at both ends"
        wanted = self.output_shape(pre, post[0])
        if 0 in wanted:
            return f"an image of at least {self.kernel} cells"
        return "" if post == wanted else f"a target of shape {wanted}"

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (out, in, kernel rows, kernel columns)."""
        return post[0], pre[0], *self.kernel  # type: ignore[misc]

    def bias_shape(self, post: Shape) -> Shape:
        """Return (out,): one bias a channel."""
        return (post[0],)

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return in · taps and out · taps."""
        taps = size_of(self.kernel)  # type: ignore[arg-type]
        return pre[0] * taps, post[0] * taps

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether there is more than one window."""
        return post[1] * post[2] > 1

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the synapses by channel, window, source channel and tap."""
        down, across = self.axes(pre)
        py, px, u, v, y, x = taps_of(down, across)
        o, i, _ = np.indices((post[0], pre[0], len(py)), sparse=True)
        ends = np.ravel_multi_index((o, py, px), post), np.ravel_multi_index((i, y, x), pre)
        slots = self._slots(pre, post, o, i, py, px, u, v)
        return Synapses(*(np.ravel(each) for each in np.broadcast_arrays(*ends, slots)))

    def used(self, pre: Shape, post: Shape) -> np.ndarray:
        """Return which slots have a synapse, bool of the tensor's shape: taps may never meet a cell of the image."""
        down, across = self.axes(pre)
        rows, columns = (np.logical_or.reduce(meets(one)) for one in (down, across))
        return np.broadcast_to(np.logical_and.outer(rows, columns), self.tensor_shape(pre, post))

    def _slots(self, pre: Shape, post: Shape, *places: np.ndarray) -> np.ndarray:
        o, i, _, _, u, v = places
        return np.ravel_multi_index((o, i, u, v), self.tensor_shape(pre, post))

    def transposed(self) -> Reverse:
        """Return the same synapses from the windows back to the image."""
        return Reverse(self)


@dataclass(frozen=True)
class LocallyConnected(Convolution):
    """Each neuron reads a window of the image with weights of its own: an untied convolution.

    Its tensor is (rows, columns, out, in, kernel rows, kernel columns), its biases (out, rows, columns).

    Parameters
    ----------
    kernel, stride, padding : as of `Convolution`.
    """

    channel_axes = (2, 3)

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (rows, columns, out, in, kernel rows, kernel columns)."""
        return post[1], post[2], post[0], pre[0], *self.kernel  # type: ignore[misc]

    def bias_shape(self, post: Shape) -> Shape:
        """Return (out, rows, columns): one bias a neuron."""
        return post

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return False: each synapse has a slot of its own."""
        return False

    def used(self, pre: Shape, post: Shape) -> np.ndarray:
        """Return which slots have a synapse, bool of the tensor's shape: those of taps that meet a cell."""
        down, across = (meets(axis) for axis in self.axes(pre))
        found = down[:, None, None, None, :, None] & across[None, :, None, None, None, :]
        return np.broadcast_to(found, self.tensor_shape(pre, post))

    def _slots(self, pre: Shape, post: Shape, *places: np.ndarray) -> np.ndarray:
        o, i, py, px, u, v = places
        return np.ravel_multi_index((py, px, o, i, u, v), self.tensor_shape(pre, post))
