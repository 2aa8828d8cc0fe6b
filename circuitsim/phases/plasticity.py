"""Plasticity: a local rule proposes an increment for every synapse of a projection, summed over the batch.

Where synapses share a weight their increments are summed as well, exactly as those of the batch's examples. It runs at
the first tick at which all its readings exist; `update` applies the increments. Increments of several rules of one
projection add up; an event's detail is the rule's index among them, and for a rule that runs at each step t of a
clocked protocol this index + t times their number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Projection
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.kernels.links import Links
from circuitsim.locality import Access
from circuitsim.lowering.compiler import lower
from circuitsim.lowering.links import bias_links, in_rows, links
from circuitsim.phases.base import Binding, Step, adds, reads
from circuitsim.phases.reading import PREFIX, inputs, learning_of, parameters_of, readings, rules_of, step_of

NAME = "plasticity"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the quantities in the certificates, adds to the increments."""
    learning = learning_of(circuit, event)
    rules = rules_of(circuit, learning)
    read = [key for _, _, key in readings(circuit, learning, step_of(circuit, event))]
    return (
        *(reads(*key) for key in dict.fromkeys([*read, *parameters_of(learning, rules)])),
        reads("data", "rows"),
        *(adds(learning.projection, f"{PREFIX[quantity]}increment") for quantity, _ in rules),
    )


def bind(b: Binding) -> Step:
    """Bind the lowered rules of weights and biases, followed by the check that their increments are finite."""
    q = b.circuit.projections[b.event.which]
    learning = learning_of(b.circuit, b.event)
    steps: list[Step] = []
    factors: dict[tuple[Any, ...], np.ndarray] = {}  # weights and biases have postsynaptic terms in common
    for quantity, rule in rules_of(b.circuit, learning):
        out = b.view(q.name, f"{PREFIX[quantity]}increment")
        operands = replace(inputs(b, learning, quantity, rule), factors=factors)
        along = _links(b, q, quantity)
        own = out if b.first else np.empty_like(out)
        steps.append(lower(rule, quantity, operands, own, b.kernels, along))
        if not b.first:
            steps.append(b.kernels.add(in_rows(own), in_rows(out)))
        steps.append(b.kernels.guard(in_rows(out), b.limit, b.alive, b.report))
    return in_turn(steps)


def _links(b: Binding, q: Projection, quantity: str) -> Links | None:
    """Return the synapses that a rule is mapped over; None where every pair, or every neuron's bias, is one."""
    if q.dense:
        return None
    if quantity == "weight":
        return links(b.circuit, q)
    return (
        bias_links(b.circuit, q) if size_of(b.circuit.bias_shape(q.name)) < size_of(b.circuit.ends(q.name)[1]) else None
    )
