"""One network twice: as the hand-written loops of convolution have it, and as layers of the engine."""

from __future__ import annotations

from collections.abc import Sequence

import handwritten_convolution as hand
import numpy as np

from circuitsim.circuit.connectivity import (
    DENSE,
    Connectivity,
    Convolution,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    Upsample,
)
from circuitsim.circuits.places import Layers, Place
from circuitsim.engine.simulator import Simulator

Item = str | hand.Layer
Tensors = dict[str, np.ndarray]


def connectivity_of(layer: hand.Layer) -> Connectivity:
    """The synapses of a layer in the engine's terms."""
    match layer.kind:
        case "conv":
            return Convolution(layer.kernel, layer.stride, layer.padding)
        case "local":
            return LocallyConnected(layer.kernel, layer.stride, layer.padding)
        case "maxpool":
            return MaxPool(layer.kernel, layer.stride, layer.padding, layer.fill, layer.ties)
        case "meanpool":
            return MeanPool(layer.kernel, layer.stride, layer.padding, layer.fill)
        case "upsample":
            return Upsample(layer.kernel)
        case "sum":
            return OneToOne()
    assert layer.kind == "dense"
    return DENSE


def layers_of(net: hand.Network) -> Layers:
    """The network's layers in the engine, also where no text can say them: wide borders, fills, ties, oblongs."""
    found = [Place("layer0", net.shape, "input")]
    last, seen = "layer0", dict[str, int]()
    for k, place in enumerate(net.places):
        kind, name = place.layer.kind, f"layer{place.h}"
        if place.h is None:
            name = f"{last}_{kind}"
            seen[name] = seen.get(name, 0) + 1
            name += f"_{seen[name]}" if seen[name] > 1 else ""
        last = name if place.h else last
        shape = place.shape[:1] if kind == "dense" else place.shape
        below = (k, k - 1) if kind == "sum" else (k,)
        found.append(Place(name, shape, kind, place.h, below, connectivity_of(place.layer)))
    return Layers(tuple(found))


def images(net: hand.Network, count: int, *, levels: int = 0, seed: int = 0) -> np.ndarray:
    """Random examples, flat, in [0, 1]; with levels, only so many different numbers."""
    drawn = np.random.default_rng(seed).random((count, int(np.prod(net.shape))))
    return np.floor(drawn * levels) / (levels - 1) if levels else drawn


def draw_biases(made: Simulator, size: float = 0.3) -> None:
    """Load biases that are not zero, the same for every replica."""
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            random = np.random.default_rng(int(name[1]))
            made.load(name, size * random.normal(size=tensor.shape[1:]).astype(tensor.dtype))


def replica_of(made: Simulator, replica: int = 0) -> Tensors:
    """A copy of one replica's weights and biases, in double precision."""
    return {name: tensor[replica].astype(np.float64) for name, tensor in made.tensors().items()}


def furthest(found: Sequence[Tensors], expected: Sequence[Tensors]) -> float:
    """The largest difference after any presentation, relative to the largest number of its tensor."""
    far = 0.0
    for here, there in zip(found, expected, strict=True):
        assert here.keys() == there.keys(), sorted(here.keys() ^ there.keys())
        for name, tensor in there.items():
            assert here[name].shape == tensor.shape, name
            far = max(far, float(np.abs(here[name] - tensor).max() / (np.abs(tensor).max() or 1.0)))
    return far
