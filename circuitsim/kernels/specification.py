"""The specification of what passes over synapses that are listed: every kernel walks the table (post, pre, slot).

It shares no code with the kernels that are lowered. Arrays are (replica, batch, neuron) and (replica, *tensor).
"""

from __future__ import annotations

import numpy as np

from circuitsim.kernels.links import Links
from circuitsim.kernels.steps import Step

Array = np.ndarray


def _weights(links: Links, weight: Array) -> Array:
    """Return the weight of each synapse of one replica, (synapse,)."""
    return weight[np.unravel_index(links.synapses[2], links.tensor_shape)]


def deliver_along(links: Links, emitted: Array, weight: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, post] (+)= sum over synapses of w[r, slot] emitted[r, b, pre]."""
    post, pre, _ = links.synapses

    def delivery() -> None:
        for r in range(arriving.shape[0]):
            passed = emitted[min(r, emitted.shape[0] - 1)][:, pre] * _weights(links, weight[r])
            total = np.zeros_like(arriving[r])
            np.add.at(total.T, post, passed.T)
            arriving[r] = arriving[r] + total if accumulate else total

    return delivery


def outer_along(links: Links, post: Array, pre: Array, target: Array) -> Step:
    """target[r, slot] = sum over examples and over the synapses of the slot of post[r, b, post] pre[r, b, pre]."""
    posts, pres, slot = links.synapses
    places = np.unravel_index(slot, links.tensor_shape)

    def product() -> None:
        target[...] = 0
        for r in range(target.shape[0]):
            first, second = (a[min(r, a.shape[0] - 1)] for a in (post, pre))
            np.add.at(target[r], places, (first[:, posts] * second[:, pres]).sum(axis=0))

    return product


def largest(links: Links, emitted: Array, weight: Array, arriving: Array, winner: Array | None) -> Step:
    """S[r, b, post] = the largest w[r, slot] emitted[r, b, pre]; winner = the tap that won, or a bit for each.

    A tap without a synapse competes as 0 if `links.zero_fills`. Where nothing competes S is 0 and winner -1 or no bit.
    """
    post, pre, _ = links.synapses
    most = int(np.prod(links.tensor_shape)) if links.zero_fills else int(links.taps.max()) + 1
    absent = 0.0 if links.zero_fills else -np.inf

    def choice() -> None:
        for r in range(arriving.shape[0]):
            passed = emitted[min(r, emitted.shape[0] - 1)][:, pre] * _weights(links, weight[r])
            field = np.full((*arriving[r].shape, most), absent, arriving.dtype)
            field[:, post, links.taps] = passed
            highest = field.max(axis=2)
            highest[np.isnan(field).any(axis=2)] = np.nan
            arriving[r] = np.where(highest == -np.inf, 0, highest)
            if winner is not None:
                winner[r] = _winners(field == highest[:, :, None], links)

    return choice


def _winners(equal: Array, links: Links) -> Array:
    """Return which taps have won of those that equal the largest, (batch, post, tap) of bool."""
    exists = np.ones(equal.shape[1:], bool)
    if not links.zero_fills:
        exists[...] = False
        exists[links.synapses[0], links.taps] = True
    equal = equal & exists
    if links.ties == "all":
        bits: Array = (equal * (1 << np.arange(equal.shape[2]))).sum(axis=2)
        return bits
    taps = equal.shape[2]
    place = equal.argmax(axis=2) if links.ties == "first" else taps - 1 - equal[:, :, ::-1].argmax(axis=2)
    return np.where(equal.any(axis=2), place, -1)


def deliver_winners(
    links: Links, forwards: Links, emitted: Array, winner: Array, weight: Array, arriving: Array, *, accumulate: bool
) -> Step:
    """S[r, b, post] (+)= sum of w[r, slot] emitted[r, b, pre] over the synapses that won, read backwards.

    `links` are the synapses of `forwards` with their ends exchanged, in the same order; `winner` is what `largest`
    made of `forwards`.
    """
    post, pre, _ = links.synapses
    taps = forwards.taps

    def delivery() -> None:
        for r in range(arriving.shape[0]):
            chosen = winner[min(r, winner.shape[0] - 1)][:, pre]
            won = (chosen >> taps) & 1 if forwards.ties == "all" else chosen == taps
            passed = emitted[min(r, emitted.shape[0] - 1)][:, pre] * _weights(links, weight[r]) * won
            total = np.zeros_like(arriving[r])
            np.add.at(total.T, post, passed.T)
            arriving[r] = arriving[r] + total if accumulate else total

    return delivery


def signed(magnitude: Array, other: Array, out: Array) -> Step:
    """out = |magnitude| sign(other), element by element."""
    return lambda: np.multiply(np.abs(magnitude), np.sign(other), out=out)


def spread(bias: Array, out: Array) -> Step:
    """out[r, i] = bias[r, channel of neuron i], for channels that follow one another."""

    def copy() -> None:
        out[...] = np.repeat(bias, out.shape[1] // bias.shape[1], axis=1)

    return copy


def bound_grouped(weights: list[Array], groups: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each group of synapses by min(1, limit / norm), over all of its weights and its bias.

    Parameters
    ----------
    weights : (replica, slot). groups : the group of each slot, (slot,): a neuron, or a filter that neurons share.
    biases : (replica, group).
    """
    count = max(int(g.max()) + 1 for g in groups)

    def scale() -> None:
        for r in np.flatnonzero(alive):
            squares = sum(
                np.bincount(g, w[r].astype(np.float64) ** 2, count) for w, g in zip(weights, groups, strict=True)
            )
            norm = np.sqrt(squares + sum(b[r].astype(np.float64) ** 2 for b in biases))
            factor = np.where(norm > limit[r], limit[r] / np.where(norm > 0, norm, 1), 1.0)
            for w, g in zip(weights, groups, strict=True):
                w[r] *= factor[g].astype(w.dtype)
            for b in biases:
                b[r] *= factor.astype(b.dtype)

    return scale
