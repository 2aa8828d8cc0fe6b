"""Readings of rules: of each one in a certificate the neurons, the cycle or step, and the array that has it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Key, Place, Reading
from circuitsim.lowering.links import across
from circuitsim.lowering.mapped import RuleInputs
from circuitsim.phases.base import Binding
from circuitsim.rules.rule import Rule
from circuitsim.rules.sealing import sealed

Rules = list[tuple[str, Rule]]
"""Rules with what they are for: "weight" or "bias"."""
Row = tuple[str, Reading, Key]
NEURONS = (Place.PRE, Place.POST, Place.THIRD)
PREFIX = {"weight": "", "bias": "bias_"}


def learning_of(circuit: Circuit, event: Event) -> Plasticity:
    """Return the plasticity that an event of a rule or its trace carries out."""
    rules = circuit.rules[circuit.projections[event.which].name]
    return rules[event.detail % len(rules)]


def step_of(circuit: Circuit, event: Event) -> int:
    """Return the step at which a rule runs; 0 for a rule that runs once in a presentation."""
    return event.detail // len(circuit.rules[circuit.projections[event.which].name])


def rules_of(circuit: Circuit, learning: Plasticity) -> Rules:
    """Return the rule of a projection's weights, and that of its biases."""
    rules = [("weight", sealed(learning.rule))]
    if circuit.projection(learning.projection).bias:
        rules.append(("bias", sealed(learning.bias_rule or learning.rule)))
    return rules


def traces_of(circuit: Circuit, learning: Plasticity) -> Rules:
    """Return the rule of the trace of weights, and of biases, whose own rule reads it."""
    if learning.trace is None:
        return []
    return [(quantity, sealed(learning.trace)) for quantity, rule in rules_of(circuit, learning) if reads_trace(rule)]


def reads_trace(rule: Rule) -> bool:
    """Return whether a rule reads its synapse's trace."""
    return any(reading.place is Place.TRACE for reading in rule.certificate.readings)


def owner(circuit: Circuit, learning: Plasticity, place: Place) -> str:
    """Return the population whose memory a rule reads at a place."""
    q = circuit.projection(learning.projection)
    ends = {Place.PRE: learning.pre or q.source, Place.POST: learning.post or q.target, Place.THIRD: learning.third}
    return ends[place]


def retained(circuit: Circuit) -> list[str]:
    """Return the populations whose last activity of the presentation before some rule reads, in the circuit's order."""
    read = {
        key[0]
        for rules in circuit.rules.values()
        for learning in rules
        for _, reading, key in _all_readings(circuit, learning, 0)
        if reading.cycle == BEFORE
    }
    return [p.name for p in circuit.populations if p.name in read]


def cycle_read(circuit: Circuit, learning: Plasticity, reading: Reading, step: int) -> int | None:
    """Return the cycle, or the step, of the activity that a reading names."""
    if not learning.each_step or reading.cycle is None:
        return reading.cycle
    lag = circuit.projection(learning.projection).lag if reading.place is Place.PRE else 0
    return step - lag - reading.cycle


def readings(circuit: Circuit, learning: Plasticity, step: int = 0, rules: Rules | None = None) -> list[Row]:
    """Return all readings of a projection's rules, as rows (rule's name, reading, address of the array).

    A rule that runs at each step reads nothing of the steps before the first. `rules`: those of the traces, if these
    are meant.
    """
    rows = _all_readings(circuit, learning, step, rules)
    return [row for row in rows if row[2][2] is None or row[2][2] >= 0 or row[1].cycle == BEFORE]


def missed(circuit: Circuit, learning: Plasticity, step: int) -> bool:
    """Return whether a rule gives zero at a step because of what it would read before the first step."""
    early = {(name, reading) for name, reading, key in _all_readings(circuit, learning, step) if (key[2] or 0) < 0}
    for quantity, rule in rules_of(circuit, learning) if early else ():
        places = NEURONS if quantity == "weight" else (Place.POST, Place.THIRD)
        read = {s: m for s, m in rule.symbols.items() if isinstance(m, Reading) and (rule.name, m) in early}
        absent = {symbol: 0 for symbol, reading in read.items() if reading.place in places}
        if rule.expression.xreplace(absent) != 0:
            return False
    return bool(early)


def _all_readings(circuit: Circuit, learning: Plasticity, step: int, rules: Rules | None = None) -> list[Row]:
    rows: list[Row] = []
    for quantity, rule in rules_of(circuit, learning) if rules is None else rules:
        for reading in rule.certificate.readings:
            if reading.place is Place.SYNAPSE:
                rows.append((rule.name, reading, (learning.projection, quantity, None)))
            elif reading.place is Place.TRACE:
                rows.append((rule.name, reading, trace_key(learning, quantity)))
            elif reading.place is Place.REMOTE:
                rows.append((rule.name, reading, (str(learning.transposed_from), quantity, None)))
            elif quantity == "weight" or reading.place is not Place.PRE:
                # the presynaptic unit of a bias is always 1: nothing to remember
                cycle = cycle_read(circuit, learning, reading, step)
                rows.append((rule.name, reading, (owner(circuit, learning, reading.place), "O", cycle)))
    return rows


def trace_key(learning: Plasticity, quantity: str) -> Key:
    """Return the address of the traces of a projection's weights or biases, (replica, batch, synapse)."""
    return learning.projection, f"{PREFIX[quantity]}trace", 0


def parameters_of(learning: Plasticity, rules: Iterable[tuple[str, Rule]]) -> list[Key]:
    """Return the addresses of the numbers that may differ between replicas."""
    names = {f"{rule.name}.{parameter}" for _, rule in rules for parameter in rule.free}
    return [(learning.projection, name, None) for name in sorted(names)]


def inputs(b: Binding, learning: Plasticity, quantity: str, rule: Rule) -> RuleInputs:
    """Return the arrays that the rule of a projection's weights or biases, or of their traces, reads."""
    q = b.circuit.projection(learning.projection)
    weights = quantity == "weight"
    return RuleInputs(
        pre=_memories(b, learning, rule, Place.PRE) if weights else {},
        post=_memories(b, learning, rule, Place.POST),
        third=_memories(b, learning, rule, Place.THIRD),
        synapse=b.optional(q.name, quantity),
        trace=b.view(*trace_key(learning, quantity)) if reads_trace(rule) else None,
        w_remote=_remote(b, learning) if weights else None,
        parameters={p: b.view(q.name, f"{rule.name}.{p}") for p in rule.free},
        batch=b.view("data", "rows").shape[-1],
    )


def _memories(b: Binding, learning: Plasticity, rule: Rule, place: Place) -> dict[int | None, np.ndarray]:
    """Return what the neurons at one end remember, by the cycle that the rule names; zeros before the first step."""
    step = step_of(b.circuit, b.event)
    found: dict[int | None, np.ndarray] = {}
    for reading in rule.certificate.readings:
        if reading.place is place:
            cycle, name = cycle_read(b.circuit, learning, reading, step), owner(b.circuit, learning, place)
            silent = cycle is not None and cycle < 0 and reading.cycle != BEFORE
            found[reading.cycle] = _silence(b, name) if silent else b.view(name, "O", cycle)
    return found


def _silence(b: Binding, population: str) -> np.ndarray:
    """Return the activity of neurons before the first step."""
    dtype = next(view.dtype for key, view in b.views.items() if key[1].endswith(("increment", "trace")))
    return np.zeros((1, b.view("data", "rows").shape[-1], b.circuit.population(population).size), dtype)


def _remote(b: Binding, learning: Plasticity) -> np.ndarray | None:
    """Return the transposed weights of another projection that the rule reads, or None."""
    if not learning.transposed_from:
        return None
    return across(b.view(learning.transposed_from, "weight"), b.circuit.projection(learning.projection).connectivity)
