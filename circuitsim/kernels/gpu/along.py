"""The device's kernels of synapses that are not dense; specification.py says what each computes."""

from __future__ import annotations

import numpy as np

from circuitsim.kernels.gpu.device import device
from circuitsim.kernels.gpu.launch import LaunchOperand, launch, outer, product, reads, writes
from circuitsim.kernels.links import Links, Window, begins
from circuitsim.kernels.steps import Step, in_turn

Array = np.ndarray
TIES = {"first": 0.0, "last": 1.0, "all": 2.0}


def deliver_along(links: Links, emitted: Array, weight: Array, arriving: Array, *, accumulate: bool) -> Step:
    """S[r, b, post] (+)= sum over synapses of w[r, slot] emitted[r, b, pre]."""
    kept = LaunchOperand(float(accumulate))
    if links.window and links.window.covers:
        rows = links.window.matrix(weight)
        return product(
            emitted, rows if links.window.backwards else rows.transpose(0, 2, 1), arriving, accumulate=accumulate
        )
    if window := links.window:
        name = "window_backward" if window.backwards else "window_forward"
        stored = _stored(window, weight)
        return launch(name, _numbers(window), kept, reads(emitted), reads(stored), writes(arriving))
    rows, pre, slot, _ = links.by_post()
    flat = weight.reshape(weight.shape[0], -1)
    return launch("listed_deliver", *_words(rows, pre, slot), kept, reads(emitted), reads(flat), writes(arriving))


def outer_along(links: Links, post: Array, pre: Array, target: Array) -> Step:
    """target[r, slot] = sum over examples and over the synapses of the slot of post[r, b, post] pre[r, b, pre]."""
    if window := links.window:
        image, fields = (post, pre) if window.backwards else (pre, post)
        if window.covers:
            return outer(fields, image, target.reshape(target.shape[0], window.fields[0], window.taps))
        rows = target.reshape(target.shape[0], -1, window.taps)
        return launch("window_outer", _numbers(window), reads(fields), reads(image), writes(rows))
    flat = target.reshape(target.shape[0], -1)
    return launch("listed_outer", *_words(*links.by_slot()), reads(post), reads(pre), writes(flat))


def largest(links: Links, emitted: Array, weight: Array, arriving: Array, winner: Array | None) -> Step:
    """S[r, b, post] = the largest w[r, slot] emitted[r, b, pre]; winner = the tap that won, or a bit for each."""
    competing = LaunchOperand(float(np.prod(links.tensor_shape)) if links.zero_fills else 0.0)
    how = LaunchOperand(TIES[links.ties]), competing
    flat = weight.reshape(weight.shape[0], -1)
    return launch(
        "largest", *_words(*links.by_post()), *how, reads(emitted), reads(flat), writes(winner), writes(arriving)
    )


def deliver_winners(
    links: Links, forwards: Links, emitted: Array, winner: Array, weight: Array, arriving: Array, *, accumulate: bool
) -> Step:
    """S[r, b, post] (+)= sum of w[r, slot] emitted[r, b, pre] over the synapses that won, read backwards."""
    post, pre, slot = links.synapses
    order = np.argsort(post, kind="stable")
    listed = _words(begins(post, links.posts), pre[order], slot[order], forwards.taps[order])
    how = LaunchOperand(TIES[forwards.ties]), LaunchOperand(float(accumulate))
    flat = weight.reshape(weight.shape[0], -1)
    return launch("winners", *listed, *how, reads(emitted), reads(winner), reads(flat), writes(arriving))


def signed(magnitude: Array, other: Array, out: Array) -> Step:
    """out = |magnitude| sign(other), element by element."""
    return launch("signed_flat", reads(magnitude), reads(other), writes(out))


def spread(bias: Array, out: Array) -> Step:
    """out[r, i] = bias[r, channel of neuron i], for channels that follow one another."""
    return launch("spread", reads(bias), writes(out))


def bound_grouped(weights: list[Array], groups: list[Array], biases: list[Array], limit: Array, alive: Array) -> Step:
    """Scale each group of synapses by min(1, limit / norm), over all of its weights and its bias."""
    count = max(int(g.max()) + 1 for g in groups)
    squares = np.zeros((len(alive), count, 1), np.float64)
    own = np.arange(count)
    pairs = [*zip(weights, groups, strict=True), *((b, own) for b in biases)]
    halted = reads(device().halted)
    found: list[Step] = []
    for k, (w, g) in enumerate(pairs):
        listed = _words(begins(g, count), np.argsort(g, kind="stable"))
        kept = LaunchOperand(float(k > 0))
        found.append(launch("group_squares", halted, *listed, kept, reads(w), writes(squares), kind=w, keeps=True))
    for w, g in pairs:
        rest = reads(squares), *_words(g), reads(limit), reads(alive)
        found.append(launch("group_bound", halted, *rest, writes(w), keeps=True))
    return in_turn(found)


def _stored(window: Window, weight: Array) -> Array:
    """Return weights as (replica, row, tap); the rows of untied ones are (position, out)."""
    return window.stored(weight).reshape(weight.shape[0], -1, window.taps)


def _numbers(window: Window) -> LaunchOperand:
    sizes = (*window.image, *window.fields, *window.kernel, *window.stride, *window.before, int(window.untied))
    return _words(np.array(sizes, np.int64))[0]


def _words(*arrays: Array) -> list[LaunchOperand]:
    """Return index numbers as operands that all replicas share."""
    return [reads(np.ascontiguousarray(a, np.int64)[None]) for a in arrays]
