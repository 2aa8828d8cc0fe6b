"""Hand-written Tourbillons of convolutions and untied layers: plain NumPy, float64, no code shared with the engine.

The layers are those of handwritten_convolution.py with prefix E; the top is dense, W{n}. Block b has the encoder E{b},
the decoder D{b}.weight (E{b}'s shape with out and in swapped, no flip: r_in[i, p·stride + u - pad] += D[i, o, u, v]
h[o, p]) and D{b}.bias (one a channel of what it reconstructs; untied: one a neuron), R{b}.weight (E{b}'s shape) where
blocks learn by rbp, F{b}.weight (D{b}'s shape) for the random channel, B{n}.weight (neurons below the top, classes).

A block is h = f(E u), the pools directly above it, each of these undone, r = g(D of that): the hinge that learns is the
convolution's own neurons, before the pools. Cycle 1 goes from r to the hinge again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from handwritten import Array, Weights, derivative
from handwritten_convolution import Network, Place, swapped
from handwritten_convolution_passes import (
    Passage,
    computed,
    fire,
    handed_down,
    image,
    weighted_back,
    weighted_sum,
)
from handwritten_convolution_rules import bias_increment, increment
from handwritten_tourbillon import top_error
from numpy.typing import NDArray

Terms = dict[str, tuple[Array, Array]]  # by group: the increments of weights and biases


@dataclass(frozen=True)
class Made:
    """What holds for a whole run."""

    rule: str = "rec"
    hidden: str = "tanh"
    output: str = "logistic"
    unpool: str = "upsample"
    channel: str = "decoders"
    loss: str = "softmax"


def function_of(net: Network, k: int, made: Made) -> str:
    """The function whose values layer k fires: pools and upsampling pass on those of the layer below."""
    if k == 0:
        return made.output
    if net.places[k - 1].h is not None:
        return made.hidden
    return "identity" if net.places[k - 1].layer.kind == "sum" else function_of(net, k - 1, made)


def rise(net: Network, x: Array, w: Mapping[str, Array], made: Made) -> Passage:
    """One pass up to the top, whose total input is the last s."""
    start = image(x, net.shape)
    passed, top = Passage([start], [start]), len(net.places)
    named = {f"E{net.places[top - 1].h}.{kind}": w[f"W{net.places[top - 1].h}.{kind}"] for kind in ("weight", "bias")}
    for k in range(1, top + 1):
        s, won = computed(net, k, passed.o, {**w, **named}, True)
        if won is not None:
            passed.won[k] = won
        passed.s.append(s)
        passed.o.append(fire(made.hidden if net.places[k - 1].h and k < top else "identity", s))
    return passed


def spread(place: Place, pooled: Array) -> Array:
    """Each cell takes the value of the window that begins in its block; cells after the last window take the last."""
    found = np.zeros((pooled.shape[0], *place.below))
    for i in range(place.below[1]):
        for j in range(place.below[2]):
            p = min(i // place.layer.stride[0], place.shape[1] - 1)
            q = min(j // place.layer.stride[1], place.shape[2] - 1)
            found[:, :, i, j] = pooled[:, :, p, q]
    return found


def gathered(place: Place, delta: Array) -> Array:
    """The errors of all cells that took a window's value, summed."""
    found = np.zeros((delta.shape[0], *place.shape))
    for i in range(place.below[1]):
        for j in range(place.below[2]):
            p = min(i // place.layer.stride[0], place.shape[1] - 1)
            q = min(j // place.layer.stride[1], place.shape[2] - 1)
            found[:, :, p, q] += delta[:, :, i, j]
    return found


def pools_above(net: Network, k: int) -> list[int]:
    """The pools directly above layer k."""
    found = []
    while k < len(net.places) and net.places[k].layer.kind in ("maxpool", "meanpool"):
        k += 1
        found.append(k)
    return found


def turned(net: Network, k: int, h: Array, w: Mapping[str, Array], passed: Passage, made: Made) -> tuple[Array, Array]:
    """What reaches block k's decoder when its hinge fires h as in this pass, and the image."""
    place, undone = net.places[k - 1], passed.o[(pools_above(net, k) or [k])[-1]]
    for pool in reversed(pools_above(net, k)):
        there = net.places[pool - 1]
        through = made.unpool == "winners" and there.layer.kind == "maxpool"
        undone = handed_down(net, pool, undone, passed, {}) if through else spread(there, undone)
    b = place.h
    s = weighted_back(place, undone, w[f"D{b}.weight"])
    bias = w[f"D{b}.bias"]
    if place.layer.kind == "dense":
        s = s + bias.reshape(place.below)
    else:
        s = s + (bias if place.layer.kind == "local" else bias[:, np.newaxis, np.newaxis])
    return undone, fire(function_of(net, k - 1, made), s)


def block(net: Network, k: int, w: Mapping[str, Array], passed: Passage, made: Made) -> Terms:
    """The increments of a block's encoder and decoder."""
    place = net.places[k - 1]
    b, u, h = place.h, passed.o[k - 1], passed.o[k]
    undone, r = turned(net, k, h, w, passed, made)
    error = u - r
    decoder = swapped(place, increment(place, undone, error))
    if place.layer.kind == "conv":
        decoder_bias = error.sum(axis=(0, 2, 3)) / len(u)
    else:
        decoder_bias = (error.sum(axis=0) / len(u)).reshape(w[f"D{b}.bias"].shape)
    if made.rule in ("rec", "rec-symmetric"):
        again = fire(made.hidden, weighted_sum(place, r, w[f"E{b}.weight"], w[f"E{b}.bias"]))
        post, pre = (h - again, u) if made.rule == "rec" else (-(h - again), error)
    else:
        back = swapped(place, w[f"D{b}.weight"]) if made.rule == "bp" else w[f"R{b}.weight"]
        delta = weighted_sum(place, error, back, None)
        for pool in pools_above(net, k):
            delta = gathered(net.places[pool - 1], delta)
        for pool in reversed(pools_above(net, k)):
            delta = handed_down(net, pool, delta, passed, {})
        post, pre = derivative(made.hidden, passed.s[k]) * delta, u
    return {
        f"encoder {b}": (increment(place, post, pre), bias_increment(place, post)),
        f"decoder {b}": (decoder, decoder_bias),
    }


def tuning(net: Network, w: Mapping[str, Array], passed: Passage, delta: Array, made: Made) -> Terms:
    """The increments of all encoders by the error of the top, (batch, classes)."""
    top = len(net.places)
    n = net.places[top - 1].h
    down = w[f"W{n}.weight"].T if made.channel == "bp" else w[f"B{n}.weight"]
    arriving = [np.zeros_like(o) for o in passed.o]
    arriving[top - 1] = (delta @ down.T).reshape(arriving[top - 1].shape)
    found: Terms = {}
    for k in range(top - 1, 0, -1):
        place, error = net.places[k - 1], arriving[k]
        if place.h is None:
            pool = place.layer.kind in ("maxpool", "meanpool")
            passing = spread(place, error) if pool and made.channel == "decoders" else None
            arriving[k - 1] += handed_down(net, k, error, passed, {}) if passing is None else passing
            if place.layer.kind == "sum":
                arriving[k - 2] += error
            continue
        error = derivative(made.hidden, passed.s[k]) * error
        found[f"tuning {place.h}"] = increment(place, error, passed.o[k - 1]), bias_increment(place, error)
        if place.h > 1:
            back = {"bp": swapped(place, w[f"E{place.h}.weight"]), "random": w.get(f"F{place.h}.weight")}
            arriving[k - 1] += weighted_back(place, error, back.get(made.channel, w[f"D{place.h}.weight"]))
    return found


def increments(net: Network, x: Array, y: NDArray[np.int64], w: Mapping[str, Array], made: Made) -> Terms:
    """The increments of every group, all from the same weights."""
    passed, top = rise(net, x, w, made), len(net.places)
    found: Terms = {}
    for k in range(1, top):
        if net.places[k - 1].h is not None:
            found |= block(net, k, w, passed, made)
    delta = top_error(y, passed.s[top].reshape(len(x), -1), made.loss)
    shaped = delta.reshape(len(x), -1, 1, 1)
    place = net.places[top - 1]
    found["top"] = increment(place, shaped, passed.o[top - 1]), bias_increment(place, shaped)
    return found | tuning(net, w, passed, delta, made)


def run(
    net: Network,
    x: Array,
    y: NDArray[np.int64],
    weights: Mapping[str, Array],
    *,
    rows: Sequence[NDArray[np.int64]],
    rates: Mapping[str, float],
    made: Made,
    momentum: float = 0.0,
) -> list[Weights]:
    """One update for each presentation in `rows`; the groups in `rates` learn. Returns the weights after each."""
    w: Weights = {name: np.array(a, np.float64) for name, a in weights.items()}
    n = net.places[-1].h
    owner = {"encoder": "E", "decoder": "D", "tuning": "E"}
    velocity: dict[tuple[str, int], Array] = {}
    history = []
    for chosen in rows:
        terms = increments(net, x[chosen], y[chosen], w, made)
        for group, rate in rates.items():
            kind, _, b = group.partition(" ")
            name = f"W{n}" if kind == "top" else f"{owner[kind]}{b}"
            for index, tensor in enumerate(("weight", "bias")):
                v = momentum * velocity.get((group, index), 0.0) + terms[group][index]
                velocity[group, index] = v
                w[f"{name}.{tensor}"] = w[f"{name}.{tensor}"] + rate * v
        history.append({name: a.copy() for name, a in w.items()})
    return history
