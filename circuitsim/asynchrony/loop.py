"""The compiled loop: processes events from the heap, in the order of their keys, until a tick, without Python.

Events within a tick come in this order, then by index, then by detail:

    SLICE     population   a time slice begins (detail: its cycle); the neurons store what they hold of the one before
    UPDATE    neuron       its incoming synapses apply what is pending
    DELIVERY  axon         a change of emission arrives at all its synapses (detail: the bits of a float64)
    FIRE      neuron       a tick of its own: it computes from the signals that have arrived
    RETURN    neuron       the same, of neurons that copy a colocated one's activity or are clamped
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from circuitsim.compilation import compiled
from circuitsim.events import heap_pop, heap_push

SLICE, UPDATE, DELIVERY, FIRE, RETURN = range(5)
SHIFT = 40  # of the 63 bits of an order: the phase above, the index below
MASK = (1 << SHIFT) - 1

# records: the fields of one object that an event touches lie side by side
_WHOLE, _REAL, _BOOL = np.int64, np.float64, np.bool_
POPULATION = np.dtype(
    [(name, _WHOLE) for name in ("first", "size", "activation", "returns", "slice", "out", "out_end", "in", "in_end")]
    + [(name, _REAL) for name in ("emits", "remembers", "membrane", "trace")]
    + [("clamped", _BOOL)],
    align=True,
)
"""first : its first neuron. returns : the first neuron whose activity it copies, or -1. slice : the cycle of its time
slice. out, in : its places in `outgoing` and `incoming`."""
PROJECTION = np.dtype(
    [(name, _WHOLE) for name in ("axon", "sources", "weight", "bias")] + [("rate", _REAL), ("rate_bias", _REAL)]
)
"""axon, weight, bias : its first axon, synapse and bias (-1: none). sources : number of its axons."""
AXON = np.dtype([(name, _WHOLE) for name in ("delay", "target", "size", "weight")] + [("arrived", _REAL)])
"""target, size : the neurons it reaches. weight : its first synapse. arrived : the emission that its synapses
receive now."""
NEURON = np.dtype([("population", _WHOLE), ("emitted", _REAL), ("kept", _REAL)])
"""emitted : its emission. kept : its memory if the slice ended now."""


class LoopArrays(NamedTuple):
    """A circuit as arrays of the loop.

    populations, projections, axons, neurons : records, as above. outgoing, incoming : projections, by population.
    summed : (neuron,), the input S without bias. memory, sent : (cycle, neuron), kept and emitted at the end of each
    time slice. shown : (input neuron,). weight, pending : (synapse,), contiguous for each axon. bias, bias_pending : by
    projection and neuron. counts : neuron events, emissions, synaptic operations, updates. largest : (1,), the largest
    change of an emission that has arrived since the sums were made anew. overflows : (1,), the number of synapses whose
    update would not have been finite and was left out.
    """

    populations: np.ndarray
    projections: np.ndarray
    axons: np.ndarray
    neurons: np.ndarray
    outgoing: np.ndarray
    incoming: np.ndarray
    summed: np.ndarray
    memory: np.ndarray
    sent: np.ndarray
    shown: np.ndarray
    weight: np.ndarray
    pending: np.ndarray
    bias: np.ndarray
    bias_pending: np.ndarray
    counts: np.ndarray
    largest: np.ndarray
    overflows: np.ndarray


@compiled(nogil=True)
def push_all(heap, size, ticks, orders, details):  # type: ignore[no-untyped-def]
    """Push events into a heap that has room for them; return the new size."""
    for k in range(ticks.size):
        size = heap_push(heap, size, ticks[k], orders[k], details[k])
    return size


@compiled(nogil=True)
def process_events(heap, size, until, room, arrays):  # type: ignore[no-untyped-def]
    """Process all events up to and including a tick; return the new size.

    It ends early when fewer than `room` columns of the heap are free, the most that one event may push. `arrays` is a
    `LoopArrays` as a plain tuple, because cached compiled code must not depend on a class by name.
    """
    # unpacked once: counting references to arrays would cost more than an event
    (populations, projections, axons, neurons, outgoing, incoming, summed, memory, sent, shown,
     weight, pending, bias, bias_pending, counts, largest, overflows) = arrays  # fmt: skip
    change = np.empty(1, np.float64)
    bits = change.view(np.int64)
    while size > 0 and heap[0, 0] <= until and size + room <= heap.shape[1]:
        size = heap_pop(heap, size)
        tick, order, detail = heap[0, size], heap[1, size], heap[2, size]
        phase, which = order >> SHIFT, order & MASK
        if phase == DELIVERY:
            bits[0] = detail
            _deliver(axons, which, change[0], summed, weight)
            if not abs(change[0]) <= largest[0]:  # NaN too
                largest[0] = abs(change[0])
            counts[2] += axons[which].size
        elif phase >= FIRE:
            p = neurons[which].population
            s = summed[which] + _biases(populations, p, which, projections, incoming, bias)
            change[0] = _fire(populations, p, neurons, which, s, memory, shown)
            counts[0] += 1
            if change[0] != 0.0:
                for place in range(populations[p].out, populations[p].out_end):
                    axon = projections[outgoing[place]].axon + which - populations[p].first
                    size = heap_push(heap, size, tick + axons[axon].delay, (DELIVERY << SHIFT) | axon, bits[0])
                    counts[1] += 1
        elif phase == UPDATE:
            summed[which] = _update(
                populations, neurons[which].population, which, projections, incoming, axons,
                weight, pending, bias, bias_pending, overflows,
            )  # fmt: skip
            counts[3] += 1
        else:
            _begin_slice(populations, which, detail, neurons, memory, sent)
    return size


@compiled(nogil=True)
def _deliver(axons, which, change, summed, weight):  # type: ignore[no-untyped-def]
    """S_k += w_kj * change for all targets k of the axon's neuron j."""
    axon = axons[which]
    axon.arrived += change
    target = summed[axon.target : axon.target + axon.size]
    synapses = weight[axon.weight : axon.weight + axon.size]
    by = summed.dtype.type(change)
    for k in range(synapses.size):
        target[k] += synapses[k] * by


@compiled(nogil=True)
def _biases(populations, p, i, projections, incoming, bias):  # type: ignore[no-untyped-def]
    """Sum a neuron's biases, one for each projection that has them."""
    total = 0.0
    for place in range(populations[p]["in"], populations[p].in_end):
        begin = projections[incoming[place]].bias
        if begin >= 0:
            total += bias[begin + i - populations[p].first]
    return total


@compiled(nogil=True)
def _fire(populations, p, neurons, i, s, memory, shown):  # type: ignore[no-untyped-def]
    """Fire a neuron at a tick of its own: compute, emit and remember; return the change of its emission."""
    population, neuron = populations[p], neurons[i]
    before = neuron.emitted
    here = i - population.first
    if population.clamped and population.slice == 0:
        neuron.emitted = neuron.kept = shown[here]
        return neuron.emitted - before
    value = neurons[population.returns + here].emitted if population.returns >= 0 else _f(population.activation, s)
    if population.membrane < 1 or population.trace < 1:
        neuron.emitted = before + population.membrane * (value - before)
        neuron.kept += population.trace * (neuron.emitted - neuron.kept)
        return neuron.emitted - before
    held = memory[0, i]
    e, m = (population.emits, population.remembers) if population.slice > 0 else (0.0, 0.0)
    neuron.emitted = e * held + (1 - e) * value if e else value
    neuron.kept = m * held + (1 - m) * value if m else value
    return neuron.emitted - before


@compiled(nogil=True)
def _f(kind, s):  # type: ignore[no-untyped-def]
    """Apply an activation function, numbered as in `wiring.ACTIVATIONS`; NaN stays NaN."""
    if kind == 1:
        return math.tanh(s)
    if kind == 2:
        return 1 / (1 + math.exp(min(-s, 700.0)))
    if kind == 3:
        return 0.0 if s < 0 else s
    if kind == 4:
        return -1.0 if s < -1 else (1.0 if s > 1 else s)
    if kind == 5:
        return -1.0 if s < -2 else (1.0 if s > 2 else s / 2)
    if kind == 6:
        return math.expm1(s) if s < 0 else s
    return s


@compiled(nogil=True)
def _begin_slice(populations, p, cycle, neurons, memory, sent):  # type: ignore[no-untyped-def]
    """Store what the neurons hold of the time slice before and begin that of `cycle`; the last one goes on."""
    population = populations[p]
    if cycle > 0:
        for i in range(population.first, population.first + population.size):
            memory[cycle - 1, i] = neurons[i].kept
            sent[cycle - 1, i] = neurons[i].emitted
    population.slice = min(cycle, memory.shape[0] - 1)


@compiled(nogil=True)
def _update(populations, p, i, projections, incoming, axons, weight, pending, bias, bias_pending, overflows):  # type: ignore[no-untyped-def]
    """w_ij += rate * pending_ij; return S_i, summed anew so that rounding errors do not add up."""
    population = populations[p]
    here = i - population.first
    for place in range(population["in"], population.in_end):
        q = projections[incoming[place]]
        for j in range(q.sources):
            _apply(weight, pending, q.weight + j * population.size + here, q.rate, overflows)
        if q.bias >= 0:
            _apply(bias, bias_pending, q.bias + here, q.rate_bias, overflows)
    return _summed(population, here, projections, incoming, axons, weight)


@compiled(nogil=True)
def _apply(weight, pending, k, rate, overflows):  # type: ignore[no-untyped-def]
    """w += rate * pending, unless that is not finite."""
    changed = weight.dtype.type(weight[k] + rate * pending[k])
    if math.isfinite(changed):
        weight[k] = changed
    else:
        overflows[0] += 1
    pending[k] = 0


@compiled(nogil=True)
def _summed(population, here, projections, incoming, axons, weight):  # type: ignore[no-untyped-def]
    """Sum a neuron's inputs anew, S_i = sum_j w_ij times what arrives."""
    total = 0.0
    for place in range(population["in"], population.in_end):
        q = projections[incoming[place]]
        for j in range(q.sources):
            total += weight[q.weight + j * population.size + here] * axons[q.axon + j].arrived
    return total


@compiled(nogil=True)
def sum_anew(arrays):  # type: ignore[no-untyped-def]
    """Sum the inputs of all neurons anew."""
    populations, projections, axons, neurons, incoming, summed, weight = (
        arrays[0], arrays[1], arrays[2], arrays[3], arrays[5], arrays[6], arrays[10]
    )  # fmt: skip
    for i in range(neurons.size):
        population = populations[neurons[i].population]
        summed[i] = _summed(population, i - population.first, projections, incoming, axons, weight)
