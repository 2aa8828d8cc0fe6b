"""Passes up and down a hand-written convolutional or untied circuit: see handwritten_convolution.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from handwritten import Array, activation, derivative
from handwritten_convolution import Network, Place, Shape, slot, taps


@dataclass
class Passage:
    """One pass: total inputs s[k] and activities o[k] of layers 0, 1, …, and the winners of max-pools.

    s[0] is the input and is not used. won[k] is (batch, channel, row, column, u, v): the taps that won.
    """

    s: list[Array]
    o: list[Array]
    won: dict[int, Array] = field(default_factory=dict)


def weighted_sum(place: Place, below: Array, weight: Array, bias: Array | None) -> Array:
    """S[o, p, q] = Σ W[o, i, u, v] O[i, p·stride + u - pad, q·stride + v - pad] + b."""
    batch = below.shape[0]
    s = np.zeros((batch, *place.shape))
    if place.layer.kind == "dense":
        s[:, :, 0, 0] = below.reshape(batch, -1) @ weight.T
    else:
        for p, q, u, v, i, j in taps(place):
            s[:, :, p, q] += below[:, :, i, j] @ weight[slot(place, p, q, u, v)].T
    if bias is None:
        return s
    return s + (bias if place.layer.kind == "local" else bias[:, np.newaxis, np.newaxis])


def weighted_back(place: Place, delta: Array, back: Array) -> Array:
    """What arrives below: δ_in[i, p·stride + u - pad, …] += B[i, o, u, v] δ[o, p, q]."""
    batch = delta.shape[0]
    if place.layer.kind == "dense":
        return (delta[:, :, 0, 0] @ back.T).reshape(batch, *place.below)
    arriving = np.zeros((batch, *place.below))
    for p, q, u, v, i, j in taps(place):
        arriving[:, :, i, j] += delta[:, :, p, q] @ back[slot(place, p, q, u, v)].T
    return arriving


def largest(place: Place, below: Array) -> tuple[Array, Array]:
    """Max-pool: each window's largest candidate, and which taps won, (batch, channel, row, column, u, v)."""
    layer = place.layer
    inside = {(p, q, u, v): (i, j) for p, q, u, v, i, j in taps(place)}
    s = np.zeros((below.shape[0], *place.shape))
    won = np.zeros((*s.shape, *layer.kernel), dtype=bool)
    for p, q in np.ndindex(*place.shape[1:]):
        candidates = {}
        for u, v in np.ndindex(*layer.kernel):
            if (p, q, u, v) in inside:
                i, j = inside[p, q, u, v]
                candidates[u, v] = below[:, :, i, j]
            elif layer.fill == "zero":
                candidates[u, v] = np.zeros(s.shape[:2])
        s[:, :, p, q] = np.max(list(candidates.values()), axis=0)
        taken = np.zeros(s.shape[:2], dtype=bool)
        for u, v in sorted(candidates, reverse=layer.ties == "last"):
            winner = candidates[u, v] == s[:, :, p, q]
            won[:, :, p, q, u, v] = winner if layer.ties == "all" else winner & ~taken
            taken |= winner
    return s, won


def fixed(place: Place) -> Iterator[tuple[int, int, int, int, float]]:
    """The fixed synapses of mean-pooling and upsampling: position p, q, the cell i, j below, the weight."""
    if place.layer.kind == "upsample":
        for p, q in np.ndindex(*place.shape[1:]):
            yield p, q, p // place.layer.kernel[0], q // place.layer.kernel[1], 1.0
        return
    count = np.zeros(place.shape[1:])
    for p, q, *_ in taps(place):
        count[p, q] += 1
    for p, q, _, _, i, j in taps(place):
        divisor = np.prod(place.layer.kernel) if place.layer.fill == "zero" else count[p, q]
        yield p, q, i, j, 1.0 / float(divisor)


def computed(
    net: Network, k: int, o: Sequence[Array], w: Mapping[str, Array], bias: bool
) -> tuple[Array, Array | None]:
    """S of layer k from the activities o[0] … o[k-1], and the winners if it is a max-pool."""
    place, below = net.places[k - 1], o[k - 1]
    if place.h is not None:
        name = f"{net.prefix}{place.h}"
        return weighted_sum(place, below, w[f"{name}.weight"], w[f"{name}.bias"] if bias else None), None
    if place.layer.kind == "maxpool":
        return largest(place, below)
    if place.layer.kind == "sum":
        return below + o[k - 2], None
    if place.layer.kind == "drop":
        return below.copy(), None
    s = np.zeros((below.shape[0], *place.shape))
    for p, q, i, j, weight in fixed(place):
        s[:, :, p, q] += weight * below[:, :, i, j]
    return s, None


def fire(name: str, s: Array) -> Array:
    """O = f(S); a softmax is over all neurons of its layer."""
    return activation(name, s.reshape(s.shape[0], -1)).reshape(s.shape)


def function_of(net: Network, k: int, hidden: str, output: str) -> str:
    """The activation of layer k: `output` on top, `hidden` below it where there are weights, elsewhere the identity."""
    if k == len(net.places):
        return output
    return hidden if net.places[k - 1].h is not None else "identity"


def image(x: Array, shape: Shape) -> Array:
    """Examples, flat or not, as (batch, channel, row, column)."""
    return np.asarray(x, dtype=np.float64).reshape(len(x), *shape)


def forward(
    net: Network, x: Array, w: Mapping[str, Array], *, hidden: str = "tanh", output: str = "softmax", bias: bool = True
) -> Passage:
    """One plain pass up."""
    start = image(x, net.shape)
    passed = Passage([start], [start])
    for k in range(1, len(net.places) + 1):
        s, won = computed(net, k, passed.o, w, bias)
        if won is not None:
            passed.won[k] = won
        passed.s.append(s)
        passed.o.append(fire(function_of(net, k, hidden, output), s))
    return passed


def handed_down(net: Network, k: int, delta: Array, passed: Passage, back: Mapping[int, Array]) -> Array:
    """What layer k sends to the layer just below: through B{h}, the winners, or the fixed synapses the other way."""
    place = net.places[k - 1]
    if place.h is not None:
        return weighted_back(place, delta, back[place.h])
    if place.layer.kind in ("sum", "drop"):
        return delta
    arriving = np.zeros((delta.shape[0], *place.below))
    if place.layer.kind == "maxpool":
        for p, q, u, v, i, j in taps(place):
            arriving[:, :, i, j] += passed.won[k][:, :, p, q, u, v] * delta[:, :, p, q]
        return arriving
    for p, q, i, j, weight in fixed(place):
        arriving[:, :, i, j] += weight * delta[:, :, p, q]
    return arriving


def backward(
    net: Network, passed: Passage, delta_top: Array, back: Mapping[int, Array], hidden: str
) -> dict[int, Array]:
    """δ^1 … δ^L at the total inputs of the layers with weights, from δ^L; back[h] is what δ^h returns through."""
    M = len(net.places)
    arriving = [np.zeros_like(o) for o in passed.o]
    deltas = {}
    for k in range(M, 0, -1):
        place = net.places[k - 1]
        delta = image(delta_top, place.shape) if k == M else arriving[k]
        if place.h is not None:
            deltas[place.h] = delta if k == M else derivative(hidden, passed.s[k]) * delta
            delta = deltas[place.h]
        if place.h == 1:
            continue  # nothing below it learns, and there is no B1
        arriving[k - 1] += handed_down(net, k, delta, passed, back)
        if place.layer.kind == "sum":
            arriving[k - 2] += delta
    return deltas
