"""Arrays of the compiled loop for a circuit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from circuitsim.asynchrony.loop import AXON, NEURON, POPULATION, PROJECTION, LoopArrays
from circuitsim.asynchrony.timing import Timing
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Projection
from circuitsim.engine.state import State
from circuitsim.randomness import generator
from circuitsim.timetable.protocol import Protocol

ACTIVATIONS = ("identity", "tanh", "logistic", "relu", "saturated", "saturated-half", "elu")


def loop_arrays(circuit: Circuit, protocol: Protocol, timing: Timing, state: State, seed: int) -> LoopArrays:
    """Return the arrays of silent neurons without signals under way; weights are still zero."""
    populations, projections = _populations(circuit, protocol, timing, state), _projections(circuit, state)
    neurons = np.zeros(int(populations["size"].sum()), NEURON)
    neurons["population"] = np.repeat(np.arange(len(populations)), populations["size"])
    axons = np.concatenate(
        [_axons(circuit, k, populations, projections, timing, seed) for k in range(len(projections))]
    )
    synapses = int(axons["size"].sum())
    biases = sum(circuit.population(q.target).size for q in circuit.projections if q.bias)
    remembered = (protocol.cycles + 1, len(neurons))
    return LoopArrays(
        populations,
        projections,
        axons,
        neurons,
        outgoing=_listed(circuit, circuit.outgoing),
        incoming=_listed(circuit, circuit.incoming),
        summed=np.zeros(len(neurons), state.dtype),
        memory=np.zeros(remembered, state.dtype),
        sent=np.zeros(remembered, state.dtype),
        shown=np.zeros(circuit.population(circuit.inputs).size, state.dtype),
        weight=np.zeros(synapses, state.dtype),
        pending=np.zeros(synapses, state.dtype),
        bias=np.zeros(biases, state.dtype),
        bias_pending=np.zeros(biases, state.dtype),
        counts=np.zeros(4, np.int64),
        largest=np.zeros(1, np.float64),
        overflows=np.zeros(1, np.int64),
    )


def _populations(circuit: Circuit, protocol: Protocol, timing: Timing, state: State) -> np.ndarray:
    found = np.zeros(len(circuit.populations), POPULATION)
    found["size"] = [p.size for p in circuit.populations]
    found["first"] = _begins(found["size"])
    found["activation"] = [ACTIVATIONS.index(p.activation) for p in circuit.populations]
    found["clamped"] = [p.name in circuit.clamped for p in circuit.populations]
    found["slice"] = protocol.cycles
    found["returns"] = -1
    for x in circuit.exchanges:
        if x.carries in RECIRCULATES:
            found["returns"][circuit.index[x.target]] = found["first"][circuit.index[x.source]]
    for begin, end, listed in (("out", "out_end", circuit.outgoing), ("in", "in_end", circuit.incoming)):
        counts = [len(listed[p.name]) for p in circuit.populations]
        found[begin], found[end] = _begins(counts), np.cumsum(counts)
    for quantity in ("emits", "remembers"):
        found[quantity] = [state.parameter(p.name, quantity)[0] if p.mixes else 0 for p in circuit.populations]
    for quantity in ("membrane", "trace"):
        found[quantity] = [timing.fraction(quantity, p.name) if p.mixes else 1 for p in circuit.populations]
    return found


def _projections(circuit: Circuit, state: State) -> np.ndarray:
    found = np.zeros(len(circuit.projections), PROJECTION)
    targets = np.array([circuit.population(q.target).size for q in circuit.projections])
    biased = np.array([q.bias for q in circuit.projections])
    found["sources"] = [circuit.population(q.source).size for q in circuit.projections]
    found["axon"], found["weight"] = _begins(found["sources"]), _begins(found["sources"] * targets)
    found["bias"] = np.where(biased, _begins(targets * biased), -1)
    learns = np.array([q.name in circuit.rules for q in circuit.projections])
    for field, quantity in (("rate", "lr"), ("rate_bias", "lr_bias")):
        rates = np.array([state.parameter(q.name, quantity)[0] for q in circuit.projections])
        found[field] = rates * learns
    return found


def _axons(
    circuit: Circuit, index: int, populations: np.ndarray, projections: np.ndarray, timing: Timing, seed: int
) -> np.ndarray:
    """Return the axons of a projection's source neurons, with their delays."""
    q = circuit.projections[index]
    target = populations[circuit.index[q.target]]
    found = np.zeros(projections["sources"][index], AXON)
    found["delay"] = q.delay + generator(seed, f"delays of {q.name}").integers(0, timing.delays + 1, len(found))
    found["target"], found["size"] = target["first"], target["size"]
    found["weight"] = projections["weight"][index] + np.arange(len(found)) * target["size"]
    return found


def _listed(circuit: Circuit, projections: Mapping[str, Sequence[Projection]]) -> np.ndarray:
    """Return the indices of projections by population, one population after the other."""
    return np.array([circuit.index[q.name] for p in circuit.populations for q in projections[p.name]], np.int64)


def _begins(sizes: Iterable[int]) -> np.ndarray:
    """Return the first index of each of several parts that follow one another."""
    return np.cumsum([0, *sizes])[:-1]
