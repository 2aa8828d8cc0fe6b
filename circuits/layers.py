"""Layers: rows of populations from the input to the top, named by texts such as "conv 32 5" or "maxpool 3/2 same".

A layer with weights has a number h; it is population `layer{h}` and its synapses are `W{h}` or `A{h}`. Layers without
weights take no number: they are named after the layer below, such as `layer1_maxpool`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from circuitsim.circuit.connectivity import (
    DENSE,
    Connectivity,
    Convolution,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    Shape,
    Upsample,
    size_of,
)
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuit.weights import Fixed
from circuitsim.errors import CircuitError

TEXTS = (
    '"conv C K[/S] [valid]", "local C K[/S] [valid]", "maxpool K[/S] [same]", "meanpool K[/S] [same]", "upsample K", '
    '"sum", "drop P", "dense N"'
)
_WEIGHTED = re.compile(r"(conv|local) (\d{1,6}) (\d{1,4})(?:/(\d{1,4}))?(?: (valid|same))?", re.ASCII)
_POOL = re.compile(
    r"(maxpool|meanpool(?!.* (?:first|last|all))) (\d{1,4})(?:/(\d{1,4}))?(?: (valid|same))?(?: (first|last|all))?",
    re.ASCII,
)
_OTHER = re.compile(r"(upsample|dense) (\d{1,9})", re.ASCII)
_DROP = re.compile(r"drop (0?\.\d{1,6}|0)", re.ASCII)


@dataclass(frozen=True)
class Place:
    """One layer in its row.

    name, shape : of its population. kind : conv, local, dense, maxpool, meanpool, upsample, sum, or input.
    h : its number, if it has weights. below : the numbers in the row of the layers that project to it.
    connectivity : of these projections. dropout : fraction of its neurons that are silent in each presentation.
    """

    name: str
    shape: Shape
    kind: str
    h: int | None = None
    below: tuple[int, ...] = ()
    connectivity: Connectivity = DENSE
    dropout: float = 0.0

    @property
    def error(self) -> str:
        """The name of the feedback neurons beside it."""
        return self.name.replace("layer", "error", 1)


@dataclass(frozen=True)
class Layers:
    """A row of layers, the input first."""

    places: tuple[Place, ...]

    @property
    def top(self) -> Place:
        """The last layer."""
        return self.places[-1]

    @cached_property
    def weighted(self) -> dict[int, Place]:
        """The layers with weights by their number."""
        return {place.h: place for place in self.places if place.h is not None}

    @property
    def sizes(self) -> list[int]:
        """The number of neurons of the input and of each layer with weights."""
        return [size_of(place.shape) for place in (self.places[0], *self.weighted.values())]

    def source(self, h: int) -> Place:
        """Return the layer whose activity layer h takes in."""
        return self.places[self.weighted[h].below[0]]

    @cached_property
    def taught(self) -> tuple[Place, ...]:
        """The layers that errors must reach: those with weights, and those above one with weights."""
        first = next(k for k, place in enumerate(self.places) if place.h is not None)
        return self.places[first:]

    def populations(self, hidden: str, output: str) -> list[Population]:
        """Return the populations of all layers; those without weights pass on what arrives."""
        activations = {place.name: hidden for place in self.weighted.values()} | {self.top.name: output}
        return [
            Population(
                place.name,
                size_of(place.shape),
                activations.get(place.name, "identity") if place.h else "identity",
                shape=place.shape,
                combine=Combine.MAX if place.kind == "maxpool" else Combine.SUM,
                dropout=place.dropout,
            )
            for place in self.places
        ]

    def upwards(self, prefix: str, delay: int, bias: bool) -> list[Projection]:
        """Return the projections from layer to layer: `prefix` and the number, and fixed ones where no weights are."""
        found = []
        for place in self.places[1:]:
            for index, below in enumerate(place.below):
                name = f"{prefix}{place.h}" if place.h else f"{'skip' if index else 'to'}_{place.name}"
                q = Projection(name, self.places[below].name, place.name, delay, connectivity=place.connectivity)
                found.append(replace(q, bias=bias) if place.h else replace(q, weights=Fixed(1.0)))
        return found

    def pools(self, h: int) -> tuple[Place, ...]:
        """Return the pools directly above layer h."""
        found = []
        for place in self.places[self.places.index(self.weighted[h]) + 1 :]:
            if place.kind not in ("maxpool", "meanpool"):
                break
            found.append(place)
        return tuple(found)

    @property
    def shares(self) -> bool:
        """Tell if neurons of some layer share their weights."""
        return any(place.kind == "conv" and place.shape[1] * place.shape[2] > 1 for place in self.places)

    def activation(self, place: Place, hidden: str) -> str:
        """Return the function whose values a layer below the top fires: pools and upsampling pass them on."""
        if place.h is not None:
            return hidden
        return self.activation(self.places[place.below[0]], hidden) if len(place.below) == 1 else "identity"

    def downwards(self, place: Place, delay: int) -> list[Projection]:
        """Return the fixed projections by which feedback neurons beside a layer without weights pass their errors."""
        winners = place.name if place.kind == "maxpool" else ""
        return [
            Projection(
                f"{'skip' if index else 'from'}_{place.error}",
                place.error,
                self.places[below].error,
                delay,
                weights=Fixed(1.0),
                connectivity=place.connectivity.transposed(),
                winners=winners,
            )
            for index, below in enumerate(place.below)
            if self.places[below] in self.taught
        ]


def dense_layers(sizes: Sequence[int]) -> Layers:
    """Return layers of these numbers of neurons, each connected to all of the next."""
    rest = (Place(f"layer{h}", (n,), "dense", h, (h - 1,)) for h, n in enumerate(sizes[1:], start=1))
    return Layers((Place("layer0", (sizes[0],), "input"), *rest))


def as_layers(layers: Layers | Sequence[int]) -> Layers:
    """Return layers; numbers of neurons stand for dense ones."""
    return layers if isinstance(layers, Layers) else dense_layers(layers)


def parse_layers(texts: Sequence[str], shape: Shape) -> Layers:
    """Return the layers that texts name above an input of a shape.

    Parameters
    ----------
    texts : one for each layer, from the bottom: "conv C K[/S] [valid]" (C channels, a kernel of side K, stride S),
        "local C K[/S] [valid]" (the same, untied), "maxpool K[/S] [same] [first|last|all]", "meanpool K[/S] [same]",
        "upsample K", "sum" (adds the two layers below), "drop P" (fraction of the layer below that is silent),
        "dense N".
    shape : of the input, (channel, row, column) or (neuron,).

    Raises
    ------
    CircuitError : a text that names no layer, or a layer that does not fit the one below.
    """
    if isinstance(texts, str):
        _refuse(f"{texts!r}, one text", "a list of texts", "Put it into a list.")
    places = [Place("layer0", tuple(shape), "input")]
    h = 0
    for text in texts:
        if match := _DROP.fullmatch(str(text)):
            places[-1] = _dropped(str(text), places[-1], float(match[1]))
            continue
        made = _place(str(text), places, h + 1)
        h = made.h or h
        places.append(made)
    if not h:
        _refuse(list(texts), "at least one layer with weights", 'Add one, such as "dense 10".')
    return Layers(tuple(places))


def _dropped(text: str, place: Place, fraction: float) -> Place:
    """Return a layer with a fraction of its neurons silent."""
    if place.kind == "input" or place.dropout:
        got = f"{text!r} above {'the input' if place.kind == 'input' else 'another drop'}"
        _refuse(got, "a layer whose neurons can be silent, once", "Put it above another layer.")
    return replace(place, dropout=fraction)


def _place(text: str, places: Sequence[Place], h: int) -> Place:
    """Return the layer that a text names above others; `h` is the number of the next one with weights."""
    k = len(places) - 1
    shape = places[k].shape
    if match := _WEIGHTED.fullmatch(text):
        kind, channels, kernel, stride, padding = match.groups()
        kind_of = Convolution if kind == "conv" else LocallyConnected
        made = kind_of(int(kernel), int(stride or 1), padding or "same")
        return _fitted(text, Place(f"layer{h}", (int(channels), 0, 0), kind, h, (k,), made), places)
    if match := _POOL.fullmatch(text):
        kind, size, stride, padding, ties = match.groups()
        window = int(size), int(stride or size), padding or "valid"
        pool: Connectivity = MaxPool(*window, ties=ties or "first") if kind == "maxpool" else MeanPool(*window)
        return _fitted(text, Place(_name(kind, places), shape, kind, None, (k,), pool), places)
    if text == "sum":
        if k < 1 or places[k - 1].shape != shape:
            below = [place.shape for place in places[max(0, k - 1) :]]
            _refuse(f'"sum" above layers of shapes {below}', "two layers of one shape below", "Match the layers.")
        return Place(_name("sum", places), shape, "sum", None, (k, k - 1), OneToOne())
    match = _OTHER.fullmatch(text)
    if match is None or int(match[2]) < 1:
        _refuse(repr(text), f"one of {TEXTS}", "Correct the text.")
    assert match is not None
    if match[1] == "dense":
        return Place(f"layer{h}", (int(match[2]),), "dense", h, (k,))
    return _fitted(
        text, Place(_name("upsample", places), shape, "upsample", None, (k,), Upsample(int(match[2]))), places
    )


def _fitted(text: str, place: Place, places: Sequence[Place]) -> Place:
    """Return a layer of windows with the shape that follows from the layer below."""
    below = places[-1].shape
    if len(below) != 3:
        _refuse(
            f"{text!r} above a layer of shape {below}",
            "an image (channel, row, column)",
            "Put it below the dense layers.",
        )
    made = place.connectivity
    wide = isinstance(made, Convolution)
    shape = made.output_shape(below, place.shape[0]) if isinstance(made, Convolution) else made.output_shape(below)  # type: ignore[attr-defined]
    if 0 in shape or (wide and place.shape[0] < 1):
        _refuse(
            f"{text!r} above an image of shape {below}",
            "windows that fit into it, and at least one channel",
            "Use a smaller window.",
        )
    return replace(place, shape=shape)


def _name(kind: str, places: Sequence[Place]) -> str:
    """Return a name of its own for a layer without weights, after the last one with weights."""
    last = next(place.name for place in reversed(places) if place.h is not None or place.kind == "input")
    name = f"{last}_{kind}"
    count = sum(place.name == name or place.name.startswith(f"{name}_") for place in places)
    return f"{name}_{count + 1}" if count else name


def _refuse(got: object, expected: str, remedy: str) -> None:
    raise CircuitError("layers", got=str(got), expected=expected, remedy=remedy)
