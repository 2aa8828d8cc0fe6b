"""Explain a synapse's last update by the events that led to it, in order, with their values.

The events are a backward slice of the recorded presentation: from the update through the rule to the activities of its
two neurons, the signals behind them, and the clamped input. The values are complete: the rule's text, evaluated on
them, gives the increment, and the increment gives the update.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest

from circuitsim import phases
from circuitsim.analysis.tracing.changes import Changes, SynapseAddress, find_synapse
from circuitsim.analysis.tracing.dataflow import Segment, segments
from circuitsim.analysis.tracing.lineage import ExplainedEvent, History, backward_slice, described
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

WIDTH, TICK, EVENT = 80, 4, 30  # columns of the table
GLUE = "\0"  # stands for a non-breaking space
MOST_EXAMPLES = 6  # printed; `events` has all


@dataclass(frozen=True)
class Explanation:
    """The events behind one synapse's update; `title` names the synapse and the source of the values."""

    title: str
    events: tuple[ExplainedEvent, ...]

    def __str__(self) -> str:
        lines = [*textwrap.wrap(self.title, WIDTH), "", *_row("tick", "event (cycle)", ["what happened"])]
        last = ("", "")
        for event in _shortened(self.events):
            cycle = "" if event.cycle is None else f" ({event.cycle})"
            when = str(event.tick), f"{event.phase} {event.subject}{cycle}"
            lines += _row(*(when if when != last else ("", "")), _text(event))
            last = when
        return "\n".join(lines)


def explain(
    simulator: Simulator, projection: str, i: int, j: int, *, replica: int = 0, example: int | None = None
) -> Explanation:
    """List the events that led to one synapse's last update, in order, with their values.

    Call it right after `present`.

    Parameters
    ----------
    simulator : made with `evidence=True`, after a presentation.
    projection, i, j : synapse from the source's neuron j to the target's neuron i; neurons of a shape, such as
        (channel, row, column), are numbered in C order.
    replica : number of the replica.
    example : position in the batch of the example whose values are listed; None: means over the batch, and the rule's
        values of each example.

    Raises
    ------
    CircuitError : no evidence, nothing presented, a projection that does not exist or did not learn, an index out of
        range, or neurons that no synapse joins.

    Examples
    --------
    >>> import numpy as np
    >>> from circuitsim.circuits.autoencoder import circular_autoencoder
    >>> simulator = Simulator(*circular_autoencoder([4, 2, 4]), batch=3, evidence=True)
    >>> simulator.use(np.eye(4))
    >>> simulator.present([0, 1, 2])
    >>> found = explain(simulator, "A1", 1, 2)
    >>> [event.phase for event in found.events][-2:], list(found.events[-1].values)
    (['plasticity', 'update'], ['mean dw', 'v', 'lr', 'before', 'after'])
    """
    found = segments(simulator, what=f"explanation of {projection}")
    _check(simulator, projection, (i, j), replica)
    segment = _last_update(simulator.circuit, found, projection)
    if example is not None:
        _check_index("example", example, segment.batch, "one of the batch")
    history = History(simulator, segment, replica, example)
    synapse = find_synapse(simulator.circuit, projection, i, j)
    changes = Changes(history, synapse, example)
    events = [*described(history, backward_slice(segment, simulator.circuit, changes.readings())), *changes.events()]
    events.sort(key=lambda pair: pair[0])  # by record; the order within a record stays
    return Explanation(_title(simulator, history, synapse, example), tuple(event for _, event in events))


def _title(simulator: Simulator, history: History, synapse: SynapseAddress, example: int | None) -> str:
    q, circuit = simulator.circuit.projection(synapse.projection), simulator.circuit.name
    row = "" if history.rows is None or example is None else f", row {history.rows[example]}"
    chosen = f"means over the {history.segment.batch} examples" if example is None else f"of example {example}{row}"
    mode = history.segment.schedule.protocol.mirror
    when = f"Mirror mode of {mode} after presentation" if mode else "Presentation"
    shared = f", one of {len(synapse.others) + 1} synapses of this weight" if len(synapse.others) else ""
    return (
        f"{synapse.text}, from neuron {synapse.j} of {q.source} to neuron {synapse.i} of {q.target}{shared}. "
        f"{when} {simulator.presentations} of {circuit}, replica {history.replica}; activities are {chosen}."
    )


def _last_update(circuit: Circuit, found: Sequence[Segment], projection: str) -> Segment:
    for segment in reversed(found):
        if any(r.event.phase == phases.UPDATE and r.subject == projection for r in segment.records):
            return segment
    raise CircuitError(
        f"explanation of {projection}",
        got="a last presentation that did not update it",
        expected=f"one that does; {', '.join(circuit.rules)} have rules",
        remedy="Present again with a protocol in which it learns, and call explain() right after.",
    )


def _check(simulator: Simulator, projection: str, synapse: tuple[int, int], replica: int) -> None:
    circuit = simulator.circuit
    if projection not in circuit.rules:
        known = projection in {q.name for q in circuit.projections}
        raise CircuitError(
            f"explanation of {projection}",
            got="a projection that does not learn" if known else f"no projection of circuit {circuit.name}",
            expected=f"one of {', '.join(circuit.rules)}",
            remedy="Name a projection that a rule changes.",
        )
    q = circuit.projection(projection)
    for name, index, population in zip("ij", synapse, (q.target, q.source), strict=True):
        _check_index(name, index, circuit.population(population).size, f"a neuron of {population}")
    _check_index("replica", replica, simulator.state.replicas, "one of the simulator's")


def _check_index(name: str, index: int, size: int, what: str) -> None:
    if index not in range(size):
        raise CircuitError(
            f"{name} of an explanation",
            got=repr(index),
            expected=f"{what}, 0 to {size - 1}",
            remedy="Indices count from 0: i is the target's neuron, j the source's.",
        )


def _shortened(events: Sequence[ExplainedEvent]) -> Iterator[ExplainedEvent]:
    """Leave out the middle of long lists of examples."""
    for listed, group in groupby(events, key=lambda event: event.what.startswith("example ")):
        each = list(group)
        if listed and len(each) > MOST_EXAMPLES:
            left_out = each[MOST_EXAMPLES - 1 : -1]
            note = replace(left_out[0], what=f"({len(left_out)} more examples: see .events)", values={})
            each = [*each[: MOST_EXAMPLES - 1], note, each[-1]]
        yield from each


def _text(event: ExplainedEvent) -> list[str]:
    """Write what happened, and below it the values, none of them broken over two lines."""
    width = WIDTH - TICK - EVENT - 4
    values = [f"{name} = {value + 0.0:.6g}".replace(" ", GLUE) for name, value in event.values.items()]
    lines = textwrap.wrap("  ".join(values), width, initial_indent="  ", subsequent_indent="  ")
    return textwrap.wrap(event.what, width) + [line.replace(GLUE, " ") for line in lines]


def _row(tick: str, event: str, what: Sequence[str]) -> list[str]:
    columns = zip_longest(textwrap.wrap(event, EVENT), what, fillvalue="")
    return [
        f"{tick if n == 0 else '':>{TICK}}  {left:<{EVENT}}  {right}".rstrip()
        for n, (left, right) in enumerate(columns)
    ]
