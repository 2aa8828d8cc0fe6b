"""Plasticity: a local rule proposes an increment for every synapse of a projection, summed over the batch.

Where synapses share a weight their increments are summed as well, exactly as those of the batch's examples. It runs at
the first tick at which all its readings exist; `update` applies the increments. Increments of several rules of one
projection add up; an event's detail is the rule's index among them, and for a rule that runs at each step t of a
clocked protocol this index + t times their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Plasticity, Projection
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.kernels.links import Links
from circuitsim.locality import Access, Key, Place, Reading
from circuitsim.lowering.compiler import RuleInputs, lower
from circuitsim.lowering.links import across, bias_links, in_rows, links
from circuitsim.phases.base import Binding, Step, adds, reads
from circuitsim.rules.sealing import sealed

NAME = "plasticity"


def learning_of(circuit: Circuit, event: Event) -> Plasticity:
    """Return the plasticity that an event carries out."""
    rules = circuit.rules[circuit.projections[event.which].name]
    return rules[event.detail % len(rules)]


def step_of(circuit: Circuit, event: Event) -> int:
    """Return the step at which a rule runs; 0 for a rule that runs once in a presentation."""
    return event.detail // len(circuit.rules[circuit.projections[event.which].name])


def readings(circuit: Circuit, learning: Plasticity, step: int = 0) -> list[tuple[str, Reading, Key]]:
    """Return all readings of a projection's rules, as rows (rule's name, reading, address of the array).

    A rule that runs at each step reads nothing of the steps before the first.
    """
    rows = _all_readings(circuit, learning, step)
    return [row for row in rows if row[2][2] is None or row[2][2] >= 0]


def missed(circuit: Circuit, learning: Plasticity, step: int) -> bool:
    """Return whether a rule gives zero at a step because of what it would read before the first step."""
    early = {(name, reading) for name, reading, key in _all_readings(circuit, learning, step) if (key[2] or 0) < 0}
    for quantity, rule in _rules(circuit, learning) if early else ():
        places = (Place.PRE, Place.POST) if quantity == "weight" else (Place.POST,)
        absent = {s: 0 for s, m in rule.symbols.items() if (rule.name, m) in early and m.place in places}
        if rule.expression.xreplace(absent) != 0:
            return False
    return bool(early)


def cycle_read(circuit: Circuit, learning: Plasticity, reading: Reading, step: int) -> int | None:
    """Return the cycle, or the step, of the activity that a reading names."""
    if not learning.each_step or reading.cycle is None:
        return reading.cycle
    lag = circuit.projection(learning.projection).lag if reading.place is Place.PRE else 0
    return step - lag - reading.cycle


def _all_readings(circuit: Circuit, learning: Plasticity, step: int) -> list[tuple[str, Reading, Key]]:
    q = circuit.projection(learning.projection)
    rows: list[tuple[str, Reading, Key]] = []

    def at(reading: Reading) -> int | None:
        return cycle_read(circuit, learning, reading, step)

    for quantity, rule in _rules(circuit, learning):
        for reading in rule.certificate.readings:
            if reading.place is Place.SYNAPSE:
                rows.append((rule.name, reading, (q.name, quantity, None)))
            elif reading.place is Place.REMOTE:
                rows.append((rule.name, reading, (str(learning.transposed_from), quantity, None)))
            elif reading.place is Place.POST:
                rows.append((rule.name, reading, (learning.post or q.target, "O", at(reading))))
            elif quantity == "weight":  # the presynaptic unit of a bias is always 1: nothing to remember
                rows.append((rule.name, reading, (learning.pre or q.source, "O", at(reading))))
    return rows


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the quantities in the certificates, adds to the increments."""
    name = circuit.projections[event.which].name
    learning = learning_of(circuit, event)
    rules = _rules(circuit, learning)
    parameters = {(name, f"{rule.name}.{parameter}") for _, rule in rules for parameter in rule.free}
    return (
        *(
            reads(*key)
            for key in dict.fromkeys(key for _, _, key in readings(circuit, learning, step_of(circuit, event)))
        ),
        *(reads(*key) for key in sorted(parameters)),
        reads("data", "rows"),
        *(adds(name, "increment" if quantity == "weight" else "bias_increment") for quantity, _ in rules),
    )


def bind(b: Binding) -> Step:
    """Bind the lowered rules of weights and biases, followed by the check that their increments are finite."""
    q = b.circuit.projections[b.event.which]
    learning = learning_of(b.circuit, b.event)
    steps: list[Step] = []
    factors: dict[tuple[Any, ...], np.ndarray] = {}  # weights and biases have postsynaptic terms in common
    for quantity, rule in _rules(b.circuit, learning):
        out = b.view(q.name, "increment" if quantity == "weight" else "bias_increment")
        operands = _inputs(b, learning, quantity, rule, factors)
        along = _links(b, q, quantity)
        own = out if b.first else np.empty_like(out)
        steps.append(lower(rule, quantity, operands, own, b.kernels, along))
        if not b.first:
            steps.append(b.kernels.add(in_rows(own), in_rows(out)))
        steps.append(b.kernels.guard(in_rows(out), b.limit, b.alive, b.report))
    return in_turn(steps)


def _inputs(
    b: Binding, learning: Plasticity, quantity: str, rule: Any, factors: dict[tuple[Any, ...], np.ndarray]
) -> RuleInputs:
    """Return the arrays that the rule of a projection's weights or biases reads."""
    q = b.circuit.projection(learning.projection)
    weights = quantity == "weight"
    return RuleInputs(
        pre=_memories(b, learning, rule, Place.PRE) if weights else {},
        post=_memories(b, learning, rule, Place.POST),
        synapse=b.optional(q.name, quantity),
        w_remote=_remote(b, learning) if weights else None,
        parameters={p: b.view(q.name, f"{rule.name}.{p}") for p in rule.free},
        batch=b.view("data", "rows").shape[-1],
        factors=factors,
    )


def _memories(b: Binding, learning: Plasticity, rule: Any, place: Place) -> dict[int | None, np.ndarray]:
    """Return what the neurons at one end remember, by the cycle that the rule names; zeros before the first step."""
    q, step = b.circuit.projection(learning.projection), step_of(b.circuit, b.event)
    owner = (learning.pre or q.source) if place is Place.PRE else (learning.post or q.target)
    found: dict[int | None, np.ndarray] = {}
    for reading in _at(rule, place):
        cycle = cycle_read(b.circuit, learning, reading, step)
        if cycle is not None and cycle < 0:
            dtype = b.view(q.name, "increment").dtype
            silent = np.zeros((1, b.view("data", "rows").shape[-1], b.circuit.population(owner).size), dtype)
            found[reading.cycle] = silent
        else:
            found[reading.cycle] = b.view(owner, "O", cycle)
    return found


def _links(b: Binding, q: Projection, quantity: str) -> Links | None:
    """Return the synapses that a rule is mapped over; None where every pair, or every neuron's bias, is one."""
    if q.dense:
        return None
    if quantity == "weight":
        return links(b.circuit, q)
    return (
        bias_links(b.circuit, q) if size_of(b.circuit.bias_shape(q.name)) < size_of(b.circuit.ends(q.name)[1]) else None
    )


def _remote(b: Binding, learning: Plasticity) -> np.ndarray | None:
    """Return the transposed weights of another projection that the rule reads, or None."""
    if not learning.transposed_from:
        return None
    return across(b.view(learning.transposed_from, "weight"), b.circuit.projection(learning.projection).connectivity)


def _rules(circuit: Circuit, learning: Plasticity):  # type: ignore[no-untyped-def]
    rules = [("weight", sealed(learning.rule))]
    if circuit.projection(learning.projection).bias:
        rules.append(("bias", sealed(learning.bias_rule or learning.rule)))
    return rules


def _at(rule, place: Place) -> list[Reading]:  # type: ignore[no-untyped-def]
    return [r for r in rule.certificate.readings if r.place is place]
