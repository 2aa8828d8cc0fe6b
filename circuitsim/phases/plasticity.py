"""Plasticity: a local rule proposes an increment for every synapse of a projection, summed over the batch.

It runs at the first tick at which all that the rule reads exists; `update` applies what it proposes. What several rules
of one projection propose adds up; an event's detail is the rule's place among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access, Key, Place, Reading
from circuitsim.lowering.compiler import RuleInputs, lower
from circuitsim.phases.base import Binding, Step, adds, reads

NAME = "plasticity"


def learning(circuit: Circuit, event: Event) -> Plasticity:
    """The plasticity that an event carries out."""
    return circuit.rules[circuit.projections[event.which].name][event.detail]


def readings(circuit: Circuit, rule: Plasticity) -> list[tuple[str, Reading, Key]]:
    """All that a projection's rules read, as rows (rule's name, reading, the address of the array)."""
    q = circuit.projection(rule.projection)
    rows: list[tuple[str, Reading, Key]] = []
    for quantity, law in _laws(circuit, rule):
        for reading in law.certificate.readings:
            if reading.place is Place.SYNAPSE:
                rows.append((law.name, reading, (q.name, quantity, None)))
            elif reading.place is Place.REMOTE:
                rows.append((law.name, reading, (str(rule.transports), quantity, None)))
            elif reading.place is Place.POST:
                rows.append((law.name, reading, (rule.post or q.target, "O", reading.cycle)))
            elif quantity == "weight":  # the presynaptic unit of a bias is always 1: nothing to remember
                rows.append((law.name, reading, (rule.pre or q.source, "O", reading.cycle)))
    return rows


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads what the certificates say, adds to the increments."""
    name = circuit.projections[event.which].name
    rule = learning(circuit, event)
    laws = _laws(circuit, rule)
    parameters = {(name, f"{law.name}.{parameter}") for _, law in laws for parameter in law.free}
    return (
        *(reads(*key) for key in dict.fromkeys(key for _, _, key in readings(circuit, rule))),
        *(reads(*key) for key in sorted(parameters)),
        reads("data", "rows"),
        *(adds(name, "increment" if quantity == "weight" else "bias_increment") for quantity, _ in laws),
    )


def bind(b: Binding) -> Step:
    """Bind the lowered rules of weights and biases, followed by the check that their increments are finite."""
    q = b.circuit.projections[b.event.which]
    rule = learning(b.circuit, b.event)
    steps: list[Step] = []
    factors: dict[tuple[Any, ...], np.ndarray] = {}  # weights and biases have postsynaptic terms in common
    for quantity, law in _laws(b.circuit, rule):
        out = b.view(q.name, "increment" if quantity == "weight" else "bias_increment")
        operands = RuleInputs(
            pre={r.cycle: b.view(rule.pre or q.source, "O", r.cycle) for r in _at(law, Place.PRE)}
            if quantity == "weight"
            else {},
            post={r.cycle: b.view(rule.post or q.target, "O", r.cycle) for r in _at(law, Place.POST)},
            synapse=b.optional(q.name, quantity),
            w_remote=_far(b, rule) if quantity == "weight" else None,
            parameters={p: b.view(q.name, f"{law.name}.{p}") for p in law.free},
            batch=b.view("data", "rows").shape[-1],
            factors=factors,
        )
        if b.first:
            steps.append(lower(law, quantity, operands, out, b.kernels))
        else:
            own = np.empty_like(out)
            steps += [lower(law, quantity, operands, own, b.kernels), b.kernels.add(own, out)]
        steps.append(b.kernels.guard(out, b.limit, b.alive, b.report))
    return in_turn(steps)


def _far(b: Binding, rule: Plasticity) -> np.ndarray | None:
    """The transposed weights that the rule reads of another projection; a bias has none."""
    return b.view(rule.transports, "weight").transpose(0, 2, 1) if rule.transports else None


def _laws(circuit: Circuit, rule: Plasticity):  # type: ignore[no-untyped-def]
    laws = [("weight", rule.rule)]
    if circuit.projection(rule.projection).bias:
        laws.append(("bias", rule.bias_rule or rule.rule))
    return laws


def _at(law, place: Place) -> list[Reading]:  # type: ignore[no-untyped-def]
    return [r for r in law.certificate.readings if r.place is place]
