"""Connectivities as kernels need them: links with the numbers of windows, and weights in the order of memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from circuitsim.circuit.connectivity import (
    Connectivity,
    Convolution,
    LocallyConnected,
    MaxPool,
    Reverse,
    Shape,
    forwards,
    size_of,
)
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Projection
from circuitsim.kernels.links import Links, Window


def links(graph: Graph, q: Projection) -> Links:
    """Return the links of a projection."""
    pre, post = graph.population(q.source).shape, graph.population(q.target).shape
    return _links(q.connectivity, pre, post)  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _links(connectivity: Connectivity, pre: Shape, post: Shape) -> Links:
    plain = forwards(connectivity)
    competing: dict[str, Any] = {}
    if isinstance(plain, MaxPool):
        competing = {"zero_fills": plain.fill == "zero", "ties": plain.ties}
    return Links(
        lambda: tuple(connectivity.synapses(pre, post)),  # type: ignore[arg-type,return-value]
        connectivity.tensor_shape(pre, post),
        size_of(pre),
        size_of(post),
        _window(connectivity, pre, post),
        turned=connectivity.channel_axes if isinstance(connectivity, Reverse) else None,
        **competing,
    )


def _window(connectivity: Connectivity, pre: Shape, post: Shape) -> Window | None:
    backwards = isinstance(connectivity, Reverse)
    plain = forwards(connectivity)
    if not isinstance(plain, Convolution):
        return None
    image, fields = (post, pre) if backwards else (pre, post)
    down, across = plain.axes(image)
    return Window(
        image,  # type: ignore[arg-type]
        fields,  # type: ignore[arg-type]
        (down.taps, across.taps),
        (down.stride, across.stride),
        (down.before, across.before),
        isinstance(plain, LocallyConnected),
        backwards,
    )


def bias_links(graph: Graph, q: Projection) -> Links:
    """Return the links from a unit that is always 1 to the neurons of a projection whose biases are shared."""
    _, post = graph.ends(q.name)
    window = Window((1, *post[1:]), post, (1, 1), (1, 1), (0, 0), False, False)  # type: ignore[arg-type]
    neurons = size_of(post)
    numbers = np.arange(neurons)
    return Links(
        lambda: (numbers, numbers % window.positions, numbers // window.positions),
        (post[0], 1, 1, 1),
        window.positions,
        neurons,
        window,
    )


def across(tensor: np.ndarray, connectivity: Connectivity) -> np.ndarray:
    """Return the tensor (replica, *tensor) of a projection as the transposed connectivity has it: a view."""
    axes = connectivity.channel_axes
    return tensor if axes is None else tensor.swapaxes(axes[0] + 1, axes[1] + 1)


def reversed_axes(q: Projection) -> tuple[int, int] | None:
    """Return the axes of a projection's tensor that lie exchanged in memory, or None."""
    return q.connectivity.channel_axes if isinstance(q.connectivity, Reverse) else None


def constants(graph: Graph, q: Projection) -> Any:
    """Return what a fixed weight multiplies: 1, or numbers of the connectivity's own by slot, read either way."""
    pre, post = graph.ends(q.name)
    own = getattr(forwards(q.connectivity), "constants", None)
    if own is None:
        return 1.0
    return own(post, pre) if isinstance(q.connectivity, Reverse) else own(pre, post)


def in_rows(array: np.ndarray) -> np.ndarray:
    """Return a tensor of images (replica, ...) as (replica, row, column) in the order of memory; others as they are."""
    if array.ndim <= 3:
        return array
    # axes of length one last: their strides say nothing, and differ between arrays that lie alike
    order = sorted(range(1, array.ndim), key=lambda axis: (array.shape[axis] == 1, -array.strides[axis]))
    found = array.transpose(0, *order)
    return found.reshape(*found.shape[:2], -1)


def used(graph: Graph, q: Projection) -> np.ndarray | None:
    """Return which slots have a synapse, bool of the tensor's shape; None: all of them."""
    plain, (pre, post) = forwards(q.connectivity), graph.ends(q.name)
    if not isinstance(plain, Convolution):
        return None
    axes = reversed_axes(q)
    return plain.used(post, pre).swapaxes(*axes) if axes else plain.used(pre, post)


def groups(graph: Graph, q: Projection) -> np.ndarray:
    """Return the neuron that each weight in memory belongs to, or the filter that neurons share, (slot,)."""
    shape = graph.tensor_shape(q.name)
    if q.connectivity.shared(*graph.ends(q.name)):
        found = np.indices(shape)[0]
    else:
        post, _, slot = graph.synapses(q.name)
        found = np.zeros(shape, np.int64)
        found[np.unravel_index(slot, shape)] = post
    axes = reversed_axes(q)
    memory: np.ndarray = found.swapaxes(*axes) if axes else found
    return memory.ravel()
