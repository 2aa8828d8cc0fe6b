"""Pooling and upsampling: fixed synapses within each channel of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.connectivity.base import Shape, Synapses, size_of, whole_pair
from circuitsim.circuit.connectivity.plain import Reverse
from circuitsim.circuit.connectivity.windows import Axis, Padding, axes, check_padding, taps_of
from circuitsim.errors import CircuitError

MOST_TIES = 63  # bits of a neuron's memory of its winners


@dataclass(frozen=True)
class _Pool:
    """Each neuron reads a window of one channel; slot t is tap t of every window.

    Parameters
    ----------
    size : side of the window, >= 1, or (rows, columns). stride : cells from window to window; None: the size.
    padding : as of `Convolution`; "valid" leaves out what does not fill a window.
    fill : "zero": cells outside the image count as 0; "none": they do not take part.
    """

    size: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None
    padding: Padding = "valid"
    fill: str = "zero"

    channel_axes = None
    fixed = True

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "size", whole_pair(f"size of {name}", self.size, 1))
        stride = self.size if self.stride is None else self.stride
        object.__setattr__(self, "stride", whole_pair(f"stride of {name}", stride, 1))
        object.__setattr__(self, "padding", check_padding(name, self.padding))
        _one_of(f"fill of {name}", self.fill, ("zero", "none"))

    def axes(self, pre: Shape) -> tuple[Axis, Axis]:
        """Return the windows along rows and columns."""
        return axes(pre, self.size, self.stride, self.padding)  # type: ignore[arg-type]

    def output_shape(self, pre: Shape) -> Shape:
        """Return the shape of the postsynaptic population."""
        down, across = self.axes(pre)
        return pre[0], down.windows, across.windows

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless the target has one neuron for each window of each channel."""
        if len(pre) != 3 or len(post) != 3:
            return "images (channel, row, column) at both ends"
        wanted = self.output_shape(pre)
        if 0 in wanted:
            return f"an image of at least {self.size} cells"
        return "" if post == wanted else f"a target of shape {wanted}"

    def bias_shape(self, post: Shape) -> Shape:
        """Return one bias a neuron."""
        return post

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return the taps of a window, and how many windows share a cell on average, at least one."""
        taps = size_of(self.size)  # type: ignore[arg-type]
        return taps, max(1, round(taps * size_of(post) / size_of(pre)))

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether there is more than one window."""
        return size_of(post) > 1


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Each neuron takes the largest of its window; its population combines by max.

    The neuron remembers which synapse won; its feedback passes through that synapse. Tensor (taps,).

    Parameters
    ----------
    size, stride, padding : as of the windows of a pool.
    fill : "zero": cells outside the image compete as 0, "none": they do not.
    ties : which of equal inputs has won: the "first", the "last", or "all" of them, in the order of the taps.
    """

    ties: str = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("ties of MaxPool", self.ties, ("first", "last", "all"))
        taps = size_of(self.size)  # type: ignore[arg-type]
        if self.ties == "all" and taps > MOST_TIES:
            expected = f"at most {MOST_TIES}, since a neuron remembers a bit for each"
            raise CircuitError(
                "ties of MaxPool", got=f"all of {taps} taps", expected=expected, remedy="Use first or last."
            )

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (taps,): the taps of a window, row by row."""
        return (size_of(self.size),)  # type: ignore[arg-type]

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the synapses by channel, window and tap."""
        c, py, px, u, v, y, x = _within_channels(pre[0], taps_of(*self.axes(pre)))
        slot = np.ravel_multi_index((u, v), self.size)
        return Synapses(np.ravel_multi_index((c, py, px), post), np.ravel_multi_index((c, y, x), pre), slot)

    def transposed(self) -> Reverse:
        """Return the same synapses from the windows back to the image."""
        return Reverse(self)


@dataclass(frozen=True)
class MeanPool(_Pool):
    """Each neuron takes the mean of its window; tensor (taps,): slot n - 1 is the weight 1/n of windows with n cells.

    Parameters
    ----------
    size, stride, padding : as of the windows of a pool.
    fill : "zero": the mean is over all taps of the window; "none": over the cells inside the image.
    """

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (taps,): one weight for each number of cells."""
        return (size_of(self.size),)  # type: ignore[arg-type]

    def constants(self, pre: Shape, post: Shape) -> np.ndarray:
        """Return the weights by slot, which a fixed value multiplies: 1, 1/2, 1/3, ..."""
        return 1.0 / np.arange(1, size_of(self.size) + 1)  # type: ignore[arg-type]

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the synapses by channel, window and tap."""
        c, py, px, _, _, y, x = _within_channels(pre[0], taps_of(*self.axes(pre)))
        window = np.ravel_multi_index((c, py, px), post)
        taps = size_of(self.size)  # type: ignore[arg-type]
        cells = np.bincount(window, minlength=size_of(post)) if self.fill == "none" else np.full(size_of(post), taps)
        return Synapses(window, np.ravel_multi_index((c, y, x), pre), cells[window] - 1)

    def transposed(self) -> Reverse:
        """Return the same synapses from the windows back to the image."""
        return Reverse(self)


@dataclass(frozen=True)
class Upsample:
    """Each neuron copies the one of its channel whose block it lies in (nearest neighbour); tensor (1,).

    Parameters
    ----------
    factor : rows and columns of the block that one presynaptic neuron feeds, >= 1, or (rows, columns).
    """

    factor: int | tuple[int, int]

    channel_axes = None
    fixed = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", whole_pair("factor of Upsample", self.factor, 1))

    def output_shape(self, pre: Shape) -> Shape:
        """Return the largest image that the presynaptic neurons fill."""
        down, across = self.factor  # type: ignore[misc]
        return pre[0], pre[1] * down, pre[2] * across

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless the target is as large as the blocks, or cuts the last of them."""
        if len(pre) != 3 or len(post) != 3:
            return "images (channel, row, column) at both ends"
        most, least = self.output_shape(pre), self.output_shape((pre[0], pre[1] - 1, pre[2] - 1))
        fits = post[0] == pre[0] and all(
            low < n <= high for low, n, high in zip(least[1:], post[1:], most[1:], strict=True)
        )
        return "" if fits else f"a target of shape {most}, or with the last block cut"

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (1,)."""
        return (1,)

    def bias_shape(self, post: Shape) -> Shape:
        """Return one bias a neuron."""
        return post

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return one synapse in, a block of them out."""
        return 1, size_of(self.factor)  # type: ignore[arg-type]

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether there is more than one synapse."""
        return size_of(post) > 1

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return one synapse for each postsynaptic neuron."""
        down, across = self.factor  # type: ignore[misc]
        c, y, x = np.indices(post).reshape(3, -1)
        source = np.ravel_multi_index((c, y // down, x // across), pre)
        return Synapses(np.arange(size_of(post)), source, np.zeros(size_of(post), np.int64))

    def transposed(self) -> Reverse:
        """Return the same synapses from the blocks back to the image."""
        return Reverse(self)


def _within_channels(channels: int, taps: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return the taps for each channel: the channel, and what `taps_of` returns."""
    c, t = np.indices((channels, len(taps[0]))).reshape(2, -1)
    return c, *(found[t] for found in taps)


def _one_of(what: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise CircuitError(what, got=repr(value), expected=f"one of {', '.join(known)}", remedy="Choose one of these.")
