"""The forward pass of a circuit as a row of populations, for formats that know no other events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Population, Projection
from circuitsim.circuit.weights import Fixed, Transposed
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.lowering.links import across, constants
from circuitsim.timetable.protocol import Protocol


@dataclass(frozen=True)
class Stage:
    """A population of the forward pass, and the projections or the population that it takes its activity from."""

    population: Population
    incoming: tuple[Projection, ...]
    taken: str = ""  # a colocated population, whose activity it takes over


def stages(circuit: Circuit, protocol: Protocol) -> Iterator[Stage]:
    """Yield the populations between the inputs and the outputs in the order in which they fire.

    Raises
    ------
    CircuitError : the circuit computes its outputs over several steps, or its outputs depend on no inputs.
    """
    if protocol.clock is not None or any(q.lag for q in circuit.projections):
        raise CircuitError(
            f"export of circuit {circuit.name}",
            got="a clocked presentation",
            expected="a forward pass of one step",
            remedy="Export a feedforward circuit.",
        )
    needed: list[Stage] = []
    pending, seen = [circuit.outputs], {circuit.inputs}
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        stage = _stage(circuit, name)
        needed.append(stage)
        pending += [q.source for q in stage.incoming] + ([stage.taken] if stage.taken else [])
    yield from _in_order(needed, circuit.inputs)


def _stage(circuit: Circuit, name: str) -> Stage:
    taken = circuit.exchanged(name, Carries.INPUT)
    if taken:
        return Stage(circuit.population(name), (), taken[0].source)
    incoming = tuple(q for q in circuit.incoming[name] if not q.feedback and not circuit.population(q.source).feedback)
    if incoming:
        return Stage(circuit.population(name), incoming)
    raise CircuitError(
        f"export of circuit {circuit.name}",
        got=f"population {name}, which no projection of the forward pass reaches",
        expected="outputs that are computed from the inputs",
        remedy="Export a feedforward circuit.",
    )


def _in_order(needed: list[Stage], inputs: str) -> Iterator[Stage]:
    ready, left = {inputs}, needed
    while left:
        now = [s for s in left if {*(q.source for q in s.incoming), *([s.taken] if s.taken else [])} <= ready]
        if not now:
            raise CircuitError(
                "export of a circuit",
                got=f"populations that wait for each other: {', '.join(s.population.name for s in left)}",
                expected="a forward pass without loops",
                remedy="Export a feedforward circuit.",
            )
        yield from now
        ready |= {s.population.name for s in now}
        left = [s for s in left if s not in now]


def weight_of(simulator: Simulator, q: Projection, replica: int) -> np.ndarray:
    """Return a projection's weights, of its connectivity's tensor shape."""
    graph = simulator.circuit
    if isinstance(q.weights, Fixed):
        return np.asarray(q.weights.value * constants(graph, q) * np.ones(graph.tensor_shape(q.name)))
    tensor = simulator.tensors()[f"{q.tensor_owner}.weight"][replica : replica + 1]
    return np.asarray((across(tensor, q.connectivity) if isinstance(q.weights, Transposed) else tensor)[0])


def bias_of(simulator: Simulator, q: Projection, replica: int) -> np.ndarray | None:
    """Return the biases of a projection's neurons, neuron by neuron, or None."""
    if not q.bias:
        return None
    bias = simulator.tensors()[f"{q.name}.bias"][replica]
    target = simulator.circuit.population(q.target)
    if bias.size == target.size:
        return np.asarray(bias.reshape(-1))
    return np.repeat(bias.reshape(-1), target.size // bias.size)


def refuse_population(population: Population, got: str, form: str) -> CircuitError:
    """Return the error for a population that a format cannot express."""
    return CircuitError(
        f"export of population {population.name}",
        got=got,
        expected=f"what {form} has",
        remedy="Leave it out, or export another format.",
    )
