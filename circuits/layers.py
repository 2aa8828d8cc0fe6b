"""Layers: rows of populations from the input to the top, named by texts such as "conv 32 5" or "maxpool 3/2 same".

A layer with weights has a number h; it is population `layer{h}` and its synapses are `W{h}` or `A{h}`. Layers without
weights take no number: they are named after the layer below, such as `layer1_maxpool`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from circuitsim.circuit.connectivity import (
    Connectivity,
    Convolution,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    PerChannel,
    Shape,
    Upsample,
)
from circuitsim.circuit.norms import NORMS
from circuitsim.circuits.places import Layers, Place
from circuitsim.errors import CircuitError

TEXTS = (
    '"conv C K[/S] [valid]", "local C K[/S] [valid]", "maxpool K[/S] [same]", "meanpool K[/S] [same]", "upsample K", '
    '"meanpool all", "sum", "drop P", "dense N", "norm online|batch|divisive", "residual C[/S] [projected] [NORM]", '
    '"chain C[/S] [NORM]"'
)
_WEIGHTED = re.compile(r"(conv|local) (\d{1,6}) (\d{1,4})(?:/(\d{1,4}))?(?: (valid|same))?", re.ASCII)
_POOL = re.compile(
    r"(maxpool|meanpool(?!.* (?:first|last|all))) (\d{1,4})(?:/(\d{1,4}))?(?: (valid|same))?(?: (first|last|all))?",
    re.ASCII,
)
_OTHER = re.compile(r"(upsample|dense) (\d{1,9})", re.ASCII)
_DROP = re.compile(r"drop (0?\.\d{1,6}|0)", re.ASCII)
_NORM = re.compile(rf"norm ({'|'.join(NORMS)})")
_BLOCK = re.compile(rf"(residual|chain) (\d{{1,6}})(?:/(\d{{1,4}}))?( projected)?(?: ({'|'.join(NORMS)}))?", re.ASCII)
KERNEL = 3  # side of the convolutions of a block


def parse_layers(texts: Sequence[str], shape: Shape) -> Layers:
    """Return the layers that texts name above an input of a shape.

    Parameters
    ----------
    texts : one for each layer, from the bottom: "conv C K[/S] [valid]" (C channels, a kernel of side K, stride S),
        "local C K[/S] [valid]" (the same, untied), "maxpool K[/S] [same] [first|last|all]", "meanpool K[/S] [same]",
        "upsample K", "sum" (adds the two layers below), "drop P" (fraction of the layer below that is silent),
        "dense N"; "meanpool all" (the mean of each channel); "norm KIND" (the neurons of the layer below, which has
        weights, normalise, and pass a gain and a bias); "residual C[/S] [projected] [KIND]" (two convolutions, around
        which the input is added: as it is, or through a 1 x 1 convolution where the shape changes or as asked for; the
        last gain begins at 0), "chain C[/S] [KIND]" (the same convolutions alone).
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
        if match := _NORM.fullmatch(str(text)):
            places[-1:] = _normalised(str(text), places, match[1])
        elif match := _BLOCK.fullmatch(str(text)):
            _add_block(str(text), places, match)
        else:
            places.append(_place(str(text), places, h + 1))
        h = max(place.h or 0 for place in places)
    if not h:
        _refuse(list(texts), "at least one layer with weights", 'Add one, such as "dense 10".')
    return Layers(tuple(places))


def _dropped(text: str, place: Place, fraction: float) -> Place:
    """Return a layer with a fraction of its neurons silent."""
    if place.kind == "input" or place.dropout:
        got = f"{text!r} above {'the input' if place.kind == 'input' else 'another drop'}"
        _refuse(got, "a layer whose neurons can be silent, once", "Put it above another layer.")
    return replace(place, dropout=fraction)


def _normalised(text: str, places: Sequence[Place], norm: str, first: float = 1.0) -> list[Place]:
    """Return the last layer with neurons that normalise, and the compartment above them with a gain and a bias."""
    place = places[-1]
    if place.kind not in ("conv", "local", "dense") or place.norm is not None:
        _refuse(f"{text!r} above {place.kind}", "a layer with weights that does not normalise yet", "Move it.")
    h = (place.h or 0) + 1
    made = PerChannel() if place.kind == "conv" else OneToOne()
    below = replace(place, norm=NORMS[norm], bends=False, dropout=0.0)
    gain = Place(f"layer{h}", place.shape, "gain", h, (len(places) - 1,), made, place.dropout, home=place.name,
                 bends=place.bends, first=first)  # fmt: skip
    return [below, gain]


def _add_block(text: str, places: list[Place], match: re.Match[str]) -> None:
    """Add two convolutions, and unless they are a chain the way around them and the sum."""
    kind, channels, stride, projected, norm = match.groups()
    start = len(places) - 1
    if places[start].kind == "input" or (kind == "chain" and projected):
        _refuse(f"{text!r} above {places[start].kind}", "a layer with weights below, and no way around a chain",
                'Begin with "conv C K", and leave out "projected" in a chain.')  # fmt: skip

    def convolve(source: int, kernel: int, step: int, first: float, *, bends: bool) -> None:
        h = 1 + max(place.h or 0 for place in places)
        made = Place(f"layer{h}", (int(channels), 0, 0), "conv", h, (source,), Convolution(kernel, step), bends=bends)
        places.append(_fitted(text, made, [*places, places[source]]))
        if norm:
            places[-1:] = _normalised(text, places, norm, first)

    convolve(start, KERNEL, int(stride or 1), 1.0, bends=True)
    residual = kind == "residual"
    convolve(len(places) - 1, KERNEL, 1, 0.0 if residual else 1.0, bends=not residual)
    if not residual:
        return
    last = len(places) - 1
    if projected or places[start].shape != places[last].shape:
        convolve(start, 1, int(stride or 1), 1.0, bends=False)
        start = len(places) - 1
    shape = places[last].shape
    places.append(Place(_name("sum", places), shape, "sum", None, (last, start), OneToOne(), bends=True))


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
    if text == "meanpool all" and len(shape) == 3:
        whole = MeanPool((shape[1], shape[2]), (shape[1], shape[2]))
        return _fitted(text, Place(_name("meanpool", places), shape, "meanpool", None, (k,), whole), places)
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
