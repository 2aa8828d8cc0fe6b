"""Refusal, by name, of each part of a circuit that neurons with their own time do not support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from circuitsim.asynchrony.clock import Rhythm
from circuitsim.asynchrony.timing import Timing
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Combine, Population, Projection
from circuitsim.circuit.weights import Own
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.locality import BEFORE
from circuitsim.phases.reading import readings, retained
from circuitsim.timetable.protocol import Protocol, Updates

ELSEWHERE = "Run it on a Simulator."


def refuse_uncovered(circuit: Circuit, protocol: Protocol, timing: Timing, state: State) -> None:
    """Raise CircuitError for the first part of a circuit that this engine has no events for."""
    for p in circuit.populations:
        for what in _of_population(p, circuit):
            _refuse(f"population {p.name}", what, "neurons that fire f(S + b) and recirculate")
    for q in circuit.projections:
        for what in _of_projection(q):
            _refuse(f"projection {q.name}", what, "dense synapses with weights of their own")
    for x in circuit.exchanges:
        if x.carries is not Carries.OUTPUT:
            _refuse(f"exchange {x.source} -> {x.target}", x.carries.value, "the activity, recirculated")
    if circuit.mirrors or protocol.passes or protocol.mirror or protocol.updates is not Updates.LAST:
        _refuse(f"protocol of circuit {circuit.name}", "mirror mode or updates at other times", "presentations alone")
    if protocol.clock:
        _refuse(f"protocol of circuit {circuit.name}", "a clock", "neurons that fire at no common steps")
    for name in retained(circuit):
        what = f"a rule that reads it at cycle {BEFORE}, the presentation before"
        _refuse(f"population {name}", what, "memories of the present example")
    for name, rules in circuit.rules.items():
        if any(rule.transposed_from for rule in rules):
            _refuse(f"rule of projection {name}", "a weight elsewhere", "a rule of what its own synapses hold")
        for quantity in ("momentum", "weight_decay"):
            value = float(state.parameter(name, quantity)[0])
            if value:
                _refuse(f"parameter {quantity} of {name}", f"{value:g}", "0")
    _check_fractions(circuit, timing, state)


def check_window(circuit: Circuit, protocol: Protocol, rhythm: Rhythm) -> None:
    """Raise ScheduleError if a rule reads what a neuron stored longer ago than the protocol's window."""
    found = [
        (rhythm.duration - rhythm.begin(circuit.index[owner], cycle + 1), name, projection, reading)
        for projection, rules in circuit.rules.items()
        for rule in rules
        for name, reading, (owner, _, cycle) in readings(circuit, rule)
        if cycle is not None
    ]
    age, name, projection, reading = max(found, key=lambda row: row[0], default=(0, "", "", None))
    if protocol.window is not None and reading and age > protocol.window:
        raise ScheduleError(
            f"rule {name} of projection {projection}",
            got=f"{reading.place.value}.at({reading.cycle}), stored {age} ticks before it is read",
            expected=f"nothing older than the window of {protocol.window} ticks of circuit {circuit.name}",
            remedy=f"Set the window to {age} or more, or shorten the delays.",
        )


def _of_population(p: Population, circuit: Circuit) -> Iterator[str]:
    if p.activation == "softmax":
        yield "softmax, for which a neuron needs its whole layer"
    if not isinstance(p.activation, str):
        yield f"the activation {p.activation}, a function of one's own"
    if p.feedback or p.replaced:
        yield "feedback neurons"
    if p.centres:
        yield "a mean over the batch"
    if p.norm is not None:
        yield f"norm={p.norm}"
    if p.bounded:
        yield "a bound on incoming weights"
    if p.combine is not Combine.SUM:
        yield f"a {p.combine.value} of what arrives"
    if p.dropout:
        yield "dropout"
    if p.name == circuit.labels:
        yield "labels"


def _of_projection(q: Projection) -> Iterator[str]:
    if not q.dense:
        yield f"connectivity={q.connectivity}"
    if not isinstance(q.weights, Own):
        yield f"weights={q.weights}"
    for quality in ("deferred", "feedback", "masked"):
        if getattr(q, quality):
            yield f"{quality}=True"


def _check_fractions(circuit: Circuit, timing: Timing, state: State) -> None:
    """Raise CircuitError if slow neurons do not mix, or mix by coefficients as well."""
    mixing = {p.name for p in circuit.populations if p.mixes}
    for quantity in ("membrane", "trace"):
        value = getattr(timing, quantity)
        for name in value if isinstance(value, Mapping) else ():
            if name not in mixing:
                raise CircuitError(
                    f"{quantity} of population {name}",
                    got="a population that does not mix, or that the circuit lacks",
                    expected=f"one of {', '.join(sorted(mixing)) or 'none'}",
                    remedy="Correct the name.",
                )
    for name in sorted(mixing):
        coefficient = max(float(state.parameter(name, quantity)[0]) for quantity in ("emits", "remembers"))
        if timing.slow and coefficient:
            raise CircuitError(
                f"population {name}",
                got=f"a coefficient of {coefficient:g} in a circuit with slow neurons",
                expected="emits and remembers of 0",
                remedy="Slow neurons mix by themselves: use the plain variant.",
            )


def _refuse(what: str, got: str, expected: str) -> NoReturn:
    raise CircuitError(what, got=got, expected=f"{expected}, where neurons keep their own time", remedy=ELSEWHERE)
