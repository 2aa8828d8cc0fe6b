"""Norms: ways in which neurons normalise their summed input. One type for each way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuitsim.circuit.connectivity import Shape, size_of


@dataclass(frozen=True)
class Online:
    """Each neuron uses running statistics of its own; nothing else is read.

    y = (S - m) / sqrt(v + epsilon), where m and v are of the examples before; then v <- a v + a (1 - a) (S - m)^2 and
    m <- a m + (1 - a) S. Errors d pass back as g = d - (1 - b) e y, e <- e + g y, g <- g / sqrt(v + epsilon),
    dx = g - (1 - b) c, c <- c + dx. The examples of a batch are taken one after another. The neuron fires y cut off at
    `limit` on both sides; no error passes where it is cut off. In presentations that do not teach m, v, e and c stay,
    and errors are only scaled.

    Parameters
    ----------
    forward, backward : a and b, from 0 to below 1. epsilon : above 0. limit : largest activity, above 0.

    Source
    ------
    Chiley et al. 2019, "Online normalization for training neural networks". There the cut follows a gain and a bias.
    """

    forward: float = 0.999
    backward: float = 0.99
    epsilon: float = 1e-5
    limit: float = 5.0

    def state(self, shape: Shape) -> Mapping[str, tuple[int, float]]:
        """Return the memory that outlives a presentation: numbers and first value by quantity."""
        count = size_of(shape)
        return {"mean": (count, 0.0), "variance": (count, 1.0), "error_mean": (count, 0.0), "error_scale": (count, 0.0)}

    def lateral(self, name: str, shape: Shape) -> str:
        """Return what a neuron reads of others: nothing."""
        return ""


@dataclass(frozen=True)
class Batch:
    """Mean and variance over the batch, and over the positions of a channel in neurons of shape (channel, ...).

    y = (S - m) / sqrt(v + epsilon). Presentations that do not teach use running averages of m and v in their place.
    Batch statistics are a declared non-local wire.

    Parameters
    ----------
    decay : of the running averages, from 0 to below 1. epsilon : above 0.

    Source
    ------
    Ioffe & Szegedy 2015, "Batch normalization".
    """

    decay: float = 0.9
    epsilon: float = 1e-5

    def state(self, shape: Shape) -> Mapping[str, tuple[int, float]]:
        """Return the memory that outlives a presentation: numbers and first value by quantity."""
        return {"mean": (shape[0], 0.0), "variance": (shape[0], 1.0)}

    def lateral(self, name: str, shape: Shape) -> str:
        """Return what a neuron reads of others."""
        return f"mean and variance of {name} over the batch{' and the positions of a channel' * (len(shape) > 1)}"


@dataclass(frozen=True)
class Divisive:
    """Each neuron subtracts the mean of its group and divides by the group's spread, a declared non-local wire.

    y = (S - m) / ((delta + sum (S - m)^2) / n)^power, over the n neurons of the group, in each example.

    Parameters
    ----------
    groups : number of groups of successive neurons, >= 1. power, delta : above 0.

    Source
    ------
    Pogodin & Latham 2020, "Kernelized information bottleneck leads to biologically plausible 3-factor Hebbian learning
    in deep networks".
    """

    groups: int = 1
    power: float = 0.2
    delta: float = 1.0

    def state(self, shape: Shape) -> Mapping[str, tuple[int, float]]:
        """Return the memory that outlives a presentation: none."""
        return {}

    def lateral(self, name: str, shape: Shape) -> str:
        """Return what a neuron reads of others."""
        return f"the {size_of(shape) // self.groups} neurons of its group in {name}"


Norm = Online | Batch | Divisive
NORMS: Mapping[str, Norm] = {"online": Online(), "batch": Batch(), "divisive": Divisive()}
"""Norms with their usual numbers, by name."""
STATE = ("mean", "variance", "error_mean", "error_scale")
"""Quantities of neurons that outlive a presentation."""
