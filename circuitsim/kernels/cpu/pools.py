"""Largest inputs: which of a neuron's synapses wins, and what passes back through it.

Windows of pools are compared a vector of neurons at a time: the table of cells by tap says where each finds its input.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from circuitsim.kernels.cpu import vectors
from circuitsim.kernels.cpu.native import address
from circuitsim.kernels.cpu.operands import read_all, read_examples, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.cpu.vectors import WIDE
from circuitsim.kernels.links import Links
from circuitsim.kernels.steps import Step

# mypy: disable-error-code="no-untyped-def"

Array = np.ndarray
kernel = njit(nogil=True, error_model="numpy")
TIES = {"first": 0, "last": 1, "all": 2}
FIRST, LAST = vectors.largest(False), vectors.largest(True)


def largest(links: Links, emitted: Array, weight: Array, arriving: Array, winner: Array | None) -> Step:
    """S[r, b, post] = the largest w[r, slot] emitted[r, b, pre]; winner = the tap that won, or a bit for each."""
    first, pre, slot, tap = links.by_post()
    count = int(np.prod(links.tensor_shape)) if links.zero_fills else 0
    cells, ranks = tables_of(links)
    how = read_all(np.array([TIES[links.ties], count, len(cells) > 0, len(ranks) > 0, winner is not None], np.int64))
    rows = read_all(first), read_all(pre), read_all(slot), read_all(tap), read_all(cells), read_all(ranks)
    flat, given = read_all(weight.reshape(weight.shape[0], -1)), read_examples(emitted)
    work = arriving.shape[0] * arriving.shape[1] * len(pre)
    out = write_part(arriving)
    won = out if winner is None else write_part(winner)
    return bind(_largest, *rows, how, given, flat, won, out, work=work)


def tables_of(links: Links) -> tuple[Array, Array]:
    """Return the cell that each slot of each neuron reads, -1 for none, and the slot's place among its neuron's taps.

    The first is empty where neurons have several synapses of a slot, or none at all, or remember every tap that won;
    the second where taps are numbered like slots.
    """
    first, pre, slot, tap = links.by_post()
    rows, none = np.repeat(np.arange(links.posts), np.diff(first)), np.zeros((0, 1), np.int32)
    increasing = (np.diff(slot)[np.diff(rows) == 0] > 0).all()
    if links.ties == "all" or not increasing or not (links.zero_fills or np.diff(first).all()):
        return none, none
    cells = np.full((int(np.prod(links.tensor_shape)), links.posts), -1, np.int32)
    cells[slot, rows] = pre
    if np.array_equal(slot, tap):
        return cells, none
    ranks = np.zeros_like(cells)
    ranks[slot, rows] = tap
    return cells, ranks


@njit(nogil=True, error_model="numpy")
def _choose(k, stop, pre, slot, tap, ties, count, w, e):
    """Return the largest input of a neuron, whose synapses are k to stop, and the tap or the taps that won."""
    zero = e.dtype.type(0)
    most, won, next_tap = zero, np.int64(0) if ties == 2 else np.int64(-1), 0
    some = False
    while k < stop or next_tap < count:
        place = tap[k] if k < stop else count
        absent = next_tap < count and next_tap < place  # a tap without a synapse competes as 0
        value = zero if absent else w[slot[k]] * e[pre[k]]
        now = next_tap if absent else place
        if absent:
            next_tap += 1
        else:
            k += 1
            next_tap = place + 1
        if math.isnan(value):
            return value, np.int64(0) if ties == 2 else np.int64(-1)
        if not some or value > most:
            most, won, some = value, np.int64(1) << now if ties == 2 else np.int64(now), True
        elif value == most:
            won = won | np.int64(1) << now if ties == 2 else np.int64(now) if ties == 1 else won
    return most, won


@kernel
def _largest(
    rows, pre, slot, tap, cells, ranks, how, emitted, weight, winner, arriving, first, last, low, high, begin, end
):
    lanes = WIDE // arriving.itemsize
    for r in range(first, last):
        for b in range(begin, end):
            e, out, won = emitted[min(r, emitted.shape[0] - 1), b], arriving[r, b], winner[r, b]
            done = low
            if how[2] != 0:
                done = high - (high - low) % lanes
                _compare(e, weight[r], cells, ranks, how, low, done, lanes, out, won)
            for i in range(low, high):
                # what is not a number, and the lowest of numbers, are compared one by one
                if i >= done or not out[i] > -np.inf:
                    most, tap_won = _choose(rows[i], rows[i + 1], pre, slot, tap, how[0], how[1], weight[r], e)
                    out[i] = most
                    if how[4] != 0:
                        won[i] = tap_won


@njit(nogil=True, error_model="numpy")
def _compare(e, w, cells, ranks, how, low, high, lanes, out, won):
    """Find the largest input of neurons from low to high, and the slot that won as its neuron numbers it."""
    absent = e.dtype.type(0 if how[1] > 0 else -np.inf)
    for i in range(low, high, lanes):
        to, memory = address(out) + i * out.itemsize, address(won) + 8 * i if how[4] != 0 else 0
        table, width, slots = address(cells) + 4 * i, cells.strides[0], cells.shape[0]
        if how[0] == 1:
            LAST(absent, to, memory, address(e), address(w), table, width, slots)
        else:
            FIRST(absent, to, memory, address(e), address(w), table, width, slots)
    if how[3] != 0 and how[4] != 0:
        for i in range(low, high):
            if won[i] >= 0:
                won[i] = ranks[int(won[i]), i]


def deliver_winners(
    links: Links, forwards: Links, emitted: Array, winner: Array, weight: Array, arriving: Array, *, accumulate: bool
) -> Step:
    """S[r, b, post] (+)= sum of w[r, slot] emitted[r, b, pre] over the synapses that won, read backwards.

    Each pooling neuron adds to the cell that won: a thread has examples of its own.
    """
    post, pre, slot = links.synapses
    cells = np.full((2, links.pres, int(forwards.taps.max()) + 1), -1, np.int64)
    cells[0, pre, forwards.taps], cells[1, pre, forwards.taps] = post, slot
    how = read_all(np.array([TIES[forwards.ties], int(accumulate)], np.int64))
    flat = read_all(weight.reshape(weight.shape[0], -1))
    given = read_examples(emitted), read_examples(winner), flat
    work = arriving.shape[0] * arriving.shape[1] * links.posts
    out = write_part(arriving)
    return bind(_deliver_winners, read_all(cells), how, *given, out, work=work, separable=False)


@kernel
def _deliver_winners(cells, how, emitted, winner, weight, arriving, first, last, low, high, begin, end):
    if low == high:
        return
    for r in range(first, last):
        w = weight[r]
        for b in range(begin, end):
            e, won = emitted[min(r, emitted.shape[0] - 1), b], winner[min(r, winner.shape[0] - 1), b]
            out = arriving[r, b]
            if how[1] == 0:
                for i in range(out.shape[0]):
                    out[i] = 0
            for j in range(cells.shape[1]):
                if how[0] != 2:
                    tap = won[j]
                    if 0 <= tap < cells.shape[2] and cells[0, j, tap] >= 0:
                        out[cells[0, j, tap]] += w[cells[1, j, tap]] * e[j]
                    continue
                for tap in range(cells.shape[2]):
                    if won[j] >> tap & 1 and cells[0, j, tap] >= 0:
                        out[cells[0, j, tap]] += w[cells[1, j, tap]] * e[j]
