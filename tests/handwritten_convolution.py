"""Hand-written convolutional and untied circuits: plain NumPy, float64, no code shared with the engine.

This file has the layers and their tensors, handwritten_convolution_passes.py the passes up and down,
handwritten_convolution_rules.py the increments and the classifiers, handwritten_convolution_autoencoder.py the circular
autoencoders. A layer is a loop over positions (p, q) of its own image and taps (u, v) of its window. Activity is
(batch, channel, row, column); N dense neurons are N channels of one row and one column.

Forward tensors are W{h} (classifier) or A{h} (autoencoder), `.weight` and `.bias`; layers without weights take no
number. Weights: convolution (out, in, kh, kw), untied (rows, columns, out, in, kh, kw), dense (out, in), reading its
input flattened channel, row, column. Biases: (out,), (out, rows, columns), (out,). B{h}.weight is W{h}'s shape with out
and in swapped, no flip. D{h}.weight is (neurons of the layer with number h, outputs), both flattened.

Choices, where the interface leaves one open:
- A convolution and an untied layer pad "same" and have stride 1 unless told otherwise; a pool pads "valid" and has its
  own size as stride. "same" is TensorFlow's rule on each axis. n pads n cells on all four sides.
- Pools, upsampling, sums and dropout have the identity as activation, no bias and no number. Dropout is off.
- "sum" adds the layer just below and the one below that, whatever they are (the input too); its error goes to both.
- Max-pool: candidates come row after row. With fill="zero" a padded cell is a candidate of value 0 in its place in that
  order; where it wins, no feedback goes down. ties="first" and "last" choose one winner; with "all" each equal
  candidate gets the whole feedback. With fill="none" a padded cell is no candidate.
- Mean-pool: with fill="zero" the divisor is the window's size, with "none" the number of cells that exist in it.
- Glorot's fans are taps · channels, in and out: k·k·in and k·k·out, or n_in and n_out of a dense layer.
- Slots at which no position has a synapse (taps that always fall into the padding) never change and count in no norm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from handwritten import Array, Weights

Pair = tuple[int, int]
Shape = tuple[int, int, int]  # channel, row, column
WEIGHTED = ("conv", "local", "dense")
EVERY = slice(None)


@dataclass(frozen=True)
class Layer:
    """One layer as a list of layers names it: conv, local, dense, maxpool, meanpool, upsample, sum or drop.

    channels: maps of conv and local, neurons of dense. kernel: the window of a convolution or a pool, the factor of
    upsampling. padding: "same", "valid" or a number of cells. fill ("zero", "none") and ties ("first", "last", "all")
    are for pools.
    """

    kind: str
    channels: int = 0
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: str | int = "same"
    fill: str = "zero"
    ties: str = "first"


@dataclass(frozen=True)
class Place:
    """A layer in its network: the shapes below and here, the padding before, and h if it has weights."""

    layer: Layer
    below: Shape
    shape: Shape
    before: Pair
    h: int | None


@dataclass(frozen=True)
class Network:
    """Layers 1, 2, … in `places[0]`, `places[1]`, …, above an input; `prefix` is W (classifier) or A (autoencoder)."""

    shape: Shape
    places: tuple[Place, ...]
    prefix: str

    @property
    def weighted(self) -> dict[int, int]:
        """For each h = 1 … L the layer's index in the list, which counts from 1."""
        return {place.h: k for k, place in enumerate(self.places, start=1) if place.h is not None}


def parse(text: str) -> Layer:
    """The layer of a text: "conv 6 5/2 valid", "local 6 5", "maxpool 3/2 same", "meanpool 2", "upsample 2", "dense 10",
    "sum", "drop .5".
    """
    kind, *words = text.split()
    if kind in ("sum", "drop"):
        return Layer(kind)
    if kind == "dense":
        return Layer(kind, int(words[0]))
    if kind not in ("conv", "local", "maxpool", "meanpool", "upsample"):
        raise ValueError(f"unknown layer {text!r}")
    channels = int(words.pop(0)) if kind in WEIGHTED else 0
    size, _, step = words[0].partition("/")
    stride = int(step or (1 if kind in WEIGHTED else size))
    padding = words[1] if words[1:] else ("same" if kind in WEIGHTED else "valid")
    return Layer(kind, channels, (int(size), int(size)), (stride, stride), padding)


def along(n: int, kernel: int, stride: int, padding: str | int) -> Pair:
    """On one axis: the number of positions, and the number of padded cells before the first."""
    if padding == "valid":
        return (n - kernel) // stride + 1, 0
    if padding == "same":  # TensorFlow: as many positions as strides begun, the smaller half of the padding before
        outputs = -(-n // stride)
        return outputs, max((outputs - 1) * stride + kernel - n, 0) // 2
    return (n + 2 * int(padding) - kernel) // stride + 1, int(padding)


def place_of(layer: Layer, below: Shape, h: int | None) -> Place:
    """The layer above an image of shape `below`."""
    channels, rows, columns = below
    if layer.kind in ("sum", "drop"):
        return Place(layer, below, below, (0, 0), None)
    if layer.kind == "dense":
        return Place(layer, below, (layer.channels, 1, 1), (0, 0), h)
    if layer.kind == "upsample":
        return Place(layer, below, (channels, rows * layer.kernel[0], columns * layer.kernel[1]), (0, 0), None)
    high, above = along(rows, layer.kernel[0], layer.stride[0], layer.padding)
    wide, left = along(columns, layer.kernel[1], layer.stride[1], layer.padding)
    if high < 1 or wide < 1:
        raise ValueError(f"the window of {layer} does not fit {below}")
    return Place(layer, below, (layer.channels or channels, high, wide), (above, left), h)


def network(shape: Shape, layers: Sequence[str | Layer], prefix: str = "W") -> Network:
    """The network of a list of layers, texts or `Layer`s, above an input of this shape."""
    places: list[Place] = []
    shapes, h = [shape], 0
    for item in layers:
        layer = parse(item) if isinstance(item, str) else item
        h += layer.kind in WEIGHTED
        if layer.kind == "sum" and (len(shapes) < 2 or shapes[-1] != shapes[-2]):
            raise ValueError(f"a sum needs two layers of one shape below, got {shapes[-2:]}")
        places.append(place_of(layer, shapes[-1], h if layer.kind in WEIGHTED else None))
        shapes.append(places[-1].shape)
    if not places or places[-1].h is None:
        raise ValueError("the last layer needs weights")
    return Network(shape, tuple(places), prefix)


def taps(place: Place) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Position p, q, tap u, v and the cell i, j below, for every tap of every position that does not fall outside."""
    _, rows, columns = place.below
    for p in range(place.shape[1]):
        for q in range(place.shape[2]):
            for u in range(place.layer.kernel[0]):
                for v in range(place.layer.kernel[1]):
                    i = p * place.layer.stride[0] + u - place.before[0]
                    j = q * place.layer.stride[1] + v - place.before[1]
                    if 0 <= i < rows and 0 <= j < columns:
                        yield p, q, u, v, i, j


def slot(place: Place, p: int, q: int, u: int, v: int) -> tuple[int | slice, ...]:
    """Where a weight tensor has the matrix (out, in) of this position and tap, and a feedback tensor (in, out)."""
    return (EVERY, EVERY, u, v) if place.layer.kind == "conv" else (p, q, EVERY, EVERY, u, v)


def swapped(place: Place, weight: Array) -> Array:
    """A weight tensor as a feedback tensor, or back: out and in change places, no flip."""
    if place.layer.kind == "dense":
        return weight.T
    return np.swapaxes(weight, 0, 1) if place.layer.kind == "conv" else np.swapaxes(weight, 2, 3)


def tensor_shape(place: Place) -> tuple[int, ...]:
    """The shape of W{h}.weight."""
    if place.layer.kind == "dense":
        return place.shape[0], int(np.prod(place.below))
    shared = (place.shape[0], place.below[0], *place.layer.kernel)
    return shared if place.layer.kind == "conv" else (*place.shape[1:], *shared)


def bias_shape(place: Place) -> tuple[int, ...]:
    """The shape of W{h}.bias."""
    return place.shape if place.layer.kind == "local" else place.shape[:1]


def exists(place: Place) -> Array:
    """1 in the slots of W{h} that have a synapse, 0 in the others."""
    if place.layer.kind == "dense":
        return np.ones(tensor_shape(place))
    found = np.zeros(tensor_shape(place))
    for p, q, u, v, _, _ in taps(place):
        found[slot(place, p, q, u, v)] = 1.0
    return found


def glorot(net: Network, seed: int = 0, bias: float = 0.0) -> Weights:
    """Every forward tensor, every B{h} and every D{h}, uniform after Glorot; biases within ±bias."""
    rng = np.random.default_rng(seed)
    w: Weights = {}
    outputs = int(np.prod(net.places[-1].shape))
    for h, k in net.weighted.items():
        place = net.places[k - 1]
        size = 1 if place.layer.kind == "dense" else place.layer.kernel[0] * place.layer.kernel[1]
        fan_in = size * (int(np.prod(place.below)) if place.layer.kind == "dense" else place.below[0])
        bound = np.sqrt(6.0 / (fan_in + size * place.shape[0]))
        w[f"{net.prefix}{h}.weight"] = rng.uniform(-bound, bound, tensor_shape(place))
        w[f"{net.prefix}{h}.bias"] = rng.uniform(-bias, bias, bias_shape(place))
        if h > 1:
            w[f"B{h}.weight"] = swapped(place, rng.uniform(-bound, bound, tensor_shape(place))).copy()
        if k < len(net.places):
            units = int(np.prod(place.shape))
            bound = np.sqrt(6.0 / (units + outputs))
            w[f"D{h}.weight"] = rng.uniform(-bound, bound, (units, outputs))
    return w
