"""The verdict in sentences: the window, what a neuron remembers, what waits, and how old it can get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.scores.costs import memory
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Copied
from circuitsim.engine.parameters import readable
from circuitsim.engine.simulator import Simulator
from circuitsim.timetable.protocol import Updates
from circuitsim.timetable.schedule import Schedule


def stated(simulator: Simulator, audit: Mapping[str, Any], schedules: Sequence[Schedule]) -> dict[str, Any]:
    """State how far back and how long a circuit remembers.

    Parameters
    ----------
    audit : the static audit with all findings. schedules : of presentations, one for each protocol that ran.

    Returns
    -------
    `window` and `presentation` in ticks; `memory`, the most values of one quantity or several that a neuron holds;
    `waits`, rows of what waits or lasts, with its age in `ticks` (None: unbounded) and why; `single`, see `_single`;
    `crossings`, synapses that carry two signals in one tick; `text`.
    """
    window = max(audit["window"].values(), default=0)
    length = max(schedule.duration for schedule in schedules)
    held = max(memory(simulator, schedule)["snapshots"] for schedule in schedules)
    waits = [row for q in simulator.circuit.projections for row in _waits(simulator, q, schedules)]
    single = _single(simulator)
    crossings = list(dict.fromkeys(line for schedule in schedules for line in schedule.crossings))
    longer = f" (longer than a presentation of {length})" if window > length else ""
    kinds = dict.fromkeys(str(f["kind"]) for f in audit["findings"] if f["kind"] != "label")
    verdict = "Local" if audit["local"] else f"Not local ({', '.join(kinds)}),"
    parts = [
        f"{verdict} within a window of {_ticks(window)}{longer}",
        f"memory of a neuron {held} value" + "s" * (held != 1),
        *_lines(waits),
        *([single["text"]] if single["differing"] else []),
        *crossings,
    ]
    return {
        "window": window,
        "presentation": length,
        "memory": held,
        "waits": waits,
        "single": single,
        "crossings": crossings,
        "text": "; ".join(parts) + ".",
    }


def _ticks(count: int) -> str:
    return f"{count} tick" + "s" * (count != 1)


def _lines(waits: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say the longest wait of updates, then all that is unbounded."""
    yield f"updates wait up to {_ticks(max((row['ticks'] for row in waits if row['what'] == 'update'), default=0))}"
    for what in dict.fromkeys(row["text"] for row in waits if row["what"] != "update"):
        names = [row["projection"] for row in waits if row["text"] == what]
        yield f"{what} ({', '.join(names)})"


def _waits(simulator: Simulator, q: Projection, schedules: Sequence[Schedule]) -> Iterator[dict[str, Any]]:
    """Yield what waits or lasts at the synapses of a projection."""
    circuit, state = simulator.circuit, simulator.state
    if isinstance(q.weights, Copied):
        most = float(state.parameter(q.name, "copy_interval").max())
        age = "as old as the run" if np.isinf(most) else f"up to {most:g} presentation" + "s" * (most != 1)
        yield _row("copy", q.name, None, f"copied weights are {age} old")
    if q.name not in circuit.rules:
        return
    ticks = max(_until_update(circuit, q.name, schedule) for schedule in schedules)
    yield _row("update", q.name, ticks, f"updates wait up to {_ticks(ticks)}")
    if any(p.trace is not None for p in circuit.rules[q.name]):
        ticks = max(schedule.duration for schedule in schedules)
        yield _row("trace", q.name, ticks, f"traces last up to {_ticks(ticks)}, a presentation")
    if q.deferred:
        chance = float(state.parameter(q.name, "update_probability").min())
        text = f"increments wait unbounded, applied with probability {chance:g} in a presentation"
        yield _row("increment", q.name, None, text)
    if (q.name, "velocity", None) in state.arrays():
        kept = float(state.parameter(q.name, "momentum").max())
        yield _row("velocity", q.name, None, f"velocities are unbounded in age, and decay with {kept:g}")


def _row(what: str, projection: str, ticks: int | None, text: str) -> dict[str, Any]:
    return {"what": what, "projection": projection, "ticks": ticks, "text": text}


def _until_update(circuit: Circuit, name: str, schedule: Schedule) -> int:
    """Return the most ticks between a rule's evaluation and the update that applies its increment."""
    own = [e.event for e in schedule.entries if phases.subject(circuit, e.event) == name]
    proposed = [event.tick for event in own if event.phase == phases.PLASTICITY]
    applied = [event.tick for event in own if event.phase == phases.UPDATE]
    if not proposed or not applied:
        return 0
    last = schedule.entries[-1].event.tick if schedule.protocol.updates is Updates.EITHER else max(applied)
    return max(0, last - min(proposed))


def _single(simulator: Simulator) -> dict[str, Any]:
    """Count the populations of one neuron and the projections of one synapse, and their different parameters.

    A parameter is one value for a whole projection, so that no array of them can spell out a matrix. Circuits of
    single neurons can: `differing` counts the values of rates and coefficients, where there is more than one.
    """
    circuit = simulator.circuit
    ones = {p.name for p in circuit.populations if p.size == 1}
    synapses = [q.name for q in circuit.projections if q.source in ones and q.target in ones]
    values: dict[str, set[float]] = {}
    for owner in ones | set(synapses):
        for quantity in readable(circuit)[owner]:
            values.setdefault(quantity, set()).add(float(simulator.state.parameter(owner, quantity)[0]))
    differing = {quantity: len(found) for quantity, found in sorted(values.items()) if len(found) > 1}
    told = ", ".join(f"{count} values of {quantity}" for quantity, count in differing.items())
    text = f"{len(ones)} populations of one neuron, whose parameters differ: {told}"
    return {"populations": len(ones), "projections": len(synapses), "differing": differing, "text": text}
