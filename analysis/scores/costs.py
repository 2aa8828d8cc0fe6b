"""Costs of a presentation, counted from schedule and circuit: operations, memory of neurons and synapses, wires."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Carries, Projection
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import BEFORE, Access, Key, Mode
from circuitsim.lowering.links import links, used
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.schedule import Schedule


@dataclass(frozen=True)
class Span:
    """Ticks between which a neuron holds a quantity of one cycle: from its first writing to its last use."""

    what: str
    begins: int
    ends: int


def costs(simulator: Simulator) -> dict[str, Any]:
    """Count operations, memory and wires of one presentation.

    Returns
    -------
    `operations`, see `operations`; `neurons`, see `memory`; `mirror`, the same of one wave of each mirror mode;
    `synapses`, the quantities that a synapse holds, for each projection with weights of its own; `wires`, see `wires`.
    """
    arrays = simulator.state.arrays()
    return {
        "operations": operations(simulator.schedule),
        "neurons": memory(simulator, simulator.schedule),
        "mirror": {
            s.protocol.mirror: {"operations": operations(s), "neurons": memory(simulator, s)}
            for s in simulator.schedules[1:]
        },
        "synapses": {
            q.name: [what for what in ("weight", "increment", "velocity", "pending") if (q.name, what, None) in arrays]
            + ["trace"] * any(p.trace is not None for p in simulator.circuit.rules.get(q.name, ()))
            for q in simulator.circuit.projections
            if q.has_tensor
        },
        "wires": wires(simulator.circuit),
    }


def operations(schedule: Schedule) -> dict[str, Any]:
    """Count the synaptic operations of a presentation, one multiplication and addition each.

    Returns
    -------
    `deliveries`: for each example, by projection, and `total`; `rules`: evaluations of a rule for each example;
    `updates`: changes of a stored weight or bias for each batch; synapses may share one.
    """
    circuit = schedule.circuit
    delivered: Counter[str] = Counter()
    rules = updates = 0
    for entry in schedule.entries:
        if entry.event.phase not in phases.OF_PROJECTIONS:
            continue
        q = circuit.projections[entry.event.which]
        if entry.event.phase == phases.DELIVERY:
            delivered[q.name] += _synapses(circuit, q)
        elif entry.event.phase in (phases.TRACE, phases.PLASTICITY):
            rules += _synapses(circuit, q) + (circuit.population(q.target).size if q.bias else 0)
        else:
            updates += _stored(circuit, q)
    return {"deliveries": dict(delivered), "total": delivered.total(), "rules": rules, "updates": updates}


def memory(simulator: Simulator, schedule: Schedule) -> dict[str, Any]:
    """Count what the neurons of each population hold from one tick to a later one, for one example.

    A snapshot is an activity, slope or summed input of one cycle. A neuron holds it from its first writing to its last
    reading by rules, by mixing or by error neurons at the site; signals in transit are held by wires.

    Returns
    -------
    `populations`: for each the most `snapshots` at once, the `ticks` of the longest, and rows of a quantity `held`, its
    first and last tick. `snapshots`, `ticks`: the largest. `numbers`: snapshots at once times neurons, over all
    populations.
    """
    found: dict[str, list[Span]] = {p.name: [] for p in simulator.circuit.populations}
    for (owner, quantity, cycle), (begins, ends) in _spans(simulator, schedule).items():
        if ends > begins and owner in found:  # traces are held by synapses
            found[owner].append(Span(f"{quantity}({cycle})", begins, ends))
    rows = {name: _held(spans) for name, spans in found.items()}
    numbers = sum(simulator.circuit.population(name).size * row["snapshots"] for name, row in rows.items())
    largest = {measure: max(row[measure] for row in rows.values()) for measure in ("snapshots", "ticks")}
    return {**largest, "numbers": numbers, "populations": rows}


def wires(circuit: Circuit) -> dict[str, Any]:
    """Count synapses, lines between colocated neurons, and declared non-local wires.

    Returns
    -------
    `synapses`: of projections with weights of their own, without biases; `lines`: one for each neuron of each colocated
    exchange; `nonlocal`: declared wires by kind; `learning_channels`: projections that carry errors.
    """
    lines = sum(circuit.population(x.target).size for x in circuit.exchanges if not x.remote)
    return {
        "synapses": sum(_synapses(circuit, q) for q in circuit.projections if q.has_tensor),
        "lines": lines,
        "nonlocal": dict(Counter(wire.kind for wire in circuit.wires)),
        "learning_channels": sum(q.feedback or circuit.population(q.target).feedback for q in circuit.projections),
    }


def _synapses(circuit: Circuit, q: Projection) -> int:
    """Count a projection's synapses, without biases."""
    if q.dense:
        return circuit.population(q.target).size * circuit.population(q.source).size
    return len(links(circuit, q).synapses[2])


def _stored(circuit: Circuit, q: Projection) -> int:
    """Count a projection's weights and biases."""
    exists = used(circuit, q)
    weights = size_of(circuit.tensor_shape(q.name)) if exists is None else int(exists.sum())
    return weights + (size_of(circuit.bias_shape(q.name)) if q.bias else 0)


def _spans(simulator: Simulator, schedule: Schedule) -> dict[Key, tuple[int, int]]:
    """Return the tick of each signal's first writing and of its last use other than its emission."""
    found = {key: (fired, fired) for key, fired in schedule.retained.items()}
    for entry in schedule.entries:
        now = entry.event.tick
        for a in entry.accesses:
            if a.cycle == BEFORE and a.mode is not Mode.READ:
                continue  # the same memory, handed on to the next presentation
            if a.cycle is not None and a.mode is not Mode.READ:
                found.setdefault(a.key, (now, now))
                if a.mode is Mode.ADD:  # a sum is held until its last contribution
                    found[a.key] = found[a.key][0], now
            elif a.cycle is not None and not _in_transit(entry, a) and _needs(simulator, entry, a.key):
                found[a.key] = found[a.key][0], now
    return found


def _in_transit(entry: Entry, access: Access) -> bool:
    """Tell if a wire holds what an event reads: a signal; which synapse won is the pooling neuron's own memory."""
    return entry.event.phase == phases.DELIVERY and access.quantity != "winner"


def _needs(simulator: Simulator, entry: Entry, key: Key) -> bool:
    """Tell if a neuron uses what it declares to read: mixing with zero coefficients does not use cycle 0."""
    name = phases.subject(simulator.circuit, entry.event)
    mixing = entry.event.phase == phases.RECIRCULATION and key == (name, "O", 0)
    if not mixing or simulator.circuit.exchanged(name, Carries.ERROR):
        return True
    return any(simulator.state.parameter(name, quantity).any() for quantity in ("emits", "remembers"))


def _held(spans: list[Span]) -> dict[str, Any]:
    return {
        "snapshots": _at_once(spans),
        "ticks": max((s.ends - s.begins for s in spans), default=0),
        "held": [[s.what, s.begins, s.ends] for s in spans],
    }


def _at_once(spans: list[Span]) -> int:
    """Return the most spans at one time; a span that ends at a tick does not count there."""
    return max((sum(s.begins <= t.begins < s.ends for s in spans) for t in spans), default=0)
