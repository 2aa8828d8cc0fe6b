"""Places: the layers of a row of populations from the input to the top, and their projections up and down.

A layer with weights has a number h; it is population `layer{h}` and its synapses are `W{h}` or `A{h}`. Layers without
weights take no number: they are named after the layer below, such as `layer1_maxpool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from circuitsim.circuit.connectivity import DENSE, Connectivity, Shape, size_of
from circuitsim.circuit.norms import Norm
from circuitsim.circuit.parts import Activates, Combine, Population, Projection
from circuitsim.circuit.weights import Fixed, Own, Transposed, Weights


@dataclass(frozen=True)
class Place:
    """One layer in its row.

    name, shape : of its population. kind : conv, local, dense, gain, maxpool, meanpool, upsample, sum, or input.
    h : its number, if it has weights. below : the numbers in the row of the layers that project to it.
    connectivity : of these projections. dropout : fraction of its neurons that are silent in each presentation.
    norm : how its neurons normalise. home : the layer of whose neurons it is a compartment; "": it is none.
    bends : its neurons have the activation function; None: those with weights have it. first : value with which its
    weights begin; None: they are drawn.
    """

    name: str
    shape: Shape
    kind: str
    h: int | None = None
    below: tuple[int, ...] = ()
    connectivity: Connectivity = DENSE
    dropout: float = 0.0
    norm: Norm | None = None
    home: str = ""
    bends: bool | None = None
    first: float | None = None

    @property
    def site(self) -> str:
        """The site of its population."""
        return self.home or self.name

    @property
    def activates(self) -> bool:
        """True if its neurons have the activation function of the layers."""
        return self.h is not None if self.bends is None else self.bends

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

    def populations(self, hidden: Activates, output: Activates) -> list[Population]:
        """Return the populations of all layers; those without weights pass on what arrives."""
        activations = {place.name: hidden for place in self.places if place.activates}
        activations |= {self.top.name: output} if self.top.h is not None else {}
        return [
            Population(
                place.name,
                size_of(place.shape),
                activations.get(place.name, "identity"),
                place.site,
                shape=place.shape,
                combine=Combine.MAX if place.kind == "maxpool" else Combine.SUM,
                dropout=place.dropout,
                norm=place.norm,
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
                own = replace(q, bias=bias and place.norm is None, weights=Own(first=place.first))
                found.append(own if place.h else replace(q, weights=Fixed(1.0)))
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
    def plain(self) -> dict[int, Place]:
        """The layers with weights other than gains, whose errors pass back through the neurons' own gains."""
        return {h: place for h, place in self.weighted.items() if place.kind != "gain"}

    def backwards(self, place: Place, weights: Weights, delay: int) -> Projection:
        """Return the projection of errors from a layer with weights to the one below."""
        chosen = Transposed(f"W{place.h}") if place.kind == "gain" else weights
        below, made = self.places[place.below[0]].error, place.connectivity.transposed()
        return Projection(f"B{place.h}", place.error, below, delay, weights=chosen, connectivity=made)

    @property
    def shares(self) -> bool:
        """Tell if neurons of some layer share their weights."""
        return any(place.kind == "conv" and place.shape[1] * place.shape[2] > 1 for place in self.places)

    def activation(self, place: Place, hidden: Activates) -> Activates:
        """Return the function whose values a layer below the top fires: pools and upsampling pass them on."""
        if place.activates:
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
