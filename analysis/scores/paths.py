"""Paths of errors from the neurons that form them to the synapses that use them, from the timetable alone.

An error is formed where error neurons compare target and output, or where a circuit's output arrives in the population
that recirculates it. The paths follow the dataflow from there to the evaluation of each rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import dist
from typing import Any

import networkx as nx

from circuitsim import phases
from circuitsim.analysis.tracing.dataflow import sources
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries
from circuitsim.errors import CircuitError
from circuitsim.locality import Key
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.schedule import Schedule

Positions = Mapping[str, tuple[float, ...]]


def distances(schedules: Sequence[Schedule], positions: Positions | None = None) -> dict[str, Any]:
    """Measure the longest path of an error to the synapses of each projection that learns, and the longest of all.

    Parameters
    ----------
    schedules : of a presentation and of the mirror modes.
    positions : the coordinates of every site; a hop's length is the Euclidean distance between its ends.

    Returns
    -------
    `projections`: for each that learns `hops` (projections that the error passes), `ticks`, the names along the `path`
    and, with positions, `length`; None where it uses no error. `hops`, `ticks`, `length`: the largest of each, None
    where no projection uses an error.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 4.
    """
    _check(schedules[0].circuit, positions)
    measures = ("hops", "ticks", "length") if positions is not None else ("hops", "ticks")
    paths: dict[str, dict[str, Any] | None] = {}
    for schedule in schedules:
        graph = dataflow_graph(schedule, positions)
        for index, entry in enumerate(schedule.entries):
            if entry.event.phase == phases.PLASTICITY:
                name = phases.subject(schedule.circuit, entry.event)
                paths[name] = _longer(paths.get(name), _longest_path(schedule, graph, index, measures))
    return {m: max((path[m] for path in paths.values() if path), default=None) for m in measures} | {
        "projections": paths
    }


def dataflow_graph(schedule: Schedule, positions: Positions | None = None) -> nx.DiGraph:
    """Make the graph of a presentation's signals, from the entry that makes one to each entry that reads it.

    Nodes are the numbers of entries. Edges have the `hops`, `ticks` and `length` that the signal covers.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(schedule.entries)))
    for index, read in enumerate(sources(schedule.entries)):
        for key, makers in read.items():
            for maker in makers if key[2] is not None else ():
                graph.add_edge(maker, index, **_covered(schedule, maker, index, key, positions))
    return graph


def forms_error(circuit: Circuit, entry: Entry) -> bool:
    """Tell if an event forms an error."""
    compares = entry.event.phase in (phases.FEEDBACK, phases.REPLACEMENT)
    if not compares and entry.event.phase != phases.RECIRCULATION:
        return False
    kinds = (Carries.TARGET,) if compares else RECIRCULATES
    return bool(circuit.exchanged(phases.subject(circuit, entry.event), *kinds))


def _covered(schedule: Schedule, maker: int, reader: int, key: Key, positions: Positions | None) -> dict[str, float]:
    circuit, event = schedule.circuit, schedule.entries[reader].event
    if event.phase == phases.PLASTICITY:  # the error has arrived
        return {"hops": 0, "ticks": 0, "length": 0.0}
    ends = key[0], phases.subject(circuit, event)
    if event.phase == phases.DELIVERY:
        ends = key[0], circuit.projections[event.which].target
    sites = [circuit.population(end).site for end in ends]
    length = dist(*(positions[site] for site in sites)) if positions is not None else 0.0
    hops = int(event.phase == phases.DELIVERY or sites[0] != sites[1])  # a declared remote exchange is a hop too
    return {"hops": hops, "ticks": event.tick - schedule.entries[maker].event.tick, "length": length}


def _longest_path(schedule: Schedule, graph: nx.DiGraph, rule: int, measures: Sequence[str]) -> dict[str, Any] | None:
    """Return the longest path to a rule from the errors that it uses and that are formed last."""
    before = nx.ancestors(graph, rule) | {rule}
    starts = _latest(schedule, {index for index in before if forms_error(schedule.circuit, schedule.entries[index])})
    if not starts:
        return None
    after = starts.union(*(nx.descendants(graph, start) for start in starts))
    between = graph.subgraph(before & after)
    path = nx.dag_longest_path(between, weight="hops")
    found = {m: nx.dag_longest_path_length(between, weight=m) for m in measures}
    return {**found, "path": _through(schedule, path)}


def _latest(schedule: Schedule, formed: set[int]) -> set[int]:
    """Return the last error of each population: earlier cycles are only what it is compared with."""
    last: dict[int, int] = {}
    for index in sorted(formed):
        last[schedule.entries[index].event.which] = index
    return set(last.values())


def _through(schedule: Schedule, path: list[int]) -> list[str]:
    events = [schedule.entries[index].event for index in path]
    return [phases.subject(schedule.circuit, event) for event in events if event.phase == phases.DELIVERY]


def _longer(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any] | None:
    paths = [path for path in (first, second) if path]
    return max(paths, key=lambda path: (path["hops"], path["ticks"]), default=None)


def _check(circuit: Circuit, positions: Positions | None) -> None:
    missing = sorted({p.site for p in circuit.populations} - set(positions or ()))
    if positions is not None and missing:
        raise CircuitError(
            f"positions of circuit {circuit.name}",
            got=f"none for {', '.join(missing)}",
            expected="coordinates for every site",
            remedy="Add them.",
        )
