"""How far an error travels from where it is formed to the synapse that uses it, from the timetable alone.

An error is formed where error neurons compare target and output, or where a circuit's output arrives in the population
that recirculates it. From each rule's evaluation the events are walked back to there, along what read what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import dist
from typing import Any

import networkx as nx

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries
from circuitsim.errors import CircuitError
from circuitsim.locality import Key, Mode
from circuitsim.timetable.schedule import Entry, Schedule

Positions = Mapping[str, tuple[float, ...]]


def distances(schedules: Sequence[Schedule], positions: Positions | None = None) -> dict[str, Any]:
    """The longest way of an error to the synapses of each projection that learns, and the longest of all.

    Parameters
    ----------
    schedules : of a presentation and of the mirror modes.
    positions : the coordinates of every site; a hop's length is the Euclidean distance between its ends.

    Returns
    -------
    `projections`: for each that learns from an error `hops` (projections that the error goes through), `ticks` on the
    way, the names along the way (`path`) and, with positions, `length`; None for one that uses no error. `hops`,
    `ticks`, `length`: the largest of each, None where nothing uses an error.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 4.
    """
    _check(schedules[0].circuit, positions)
    measures = ("hops", "ticks", "length") if positions is not None else ("hops", "ticks")
    ways: dict[str, dict[str, Any] | None] = {}
    for schedule in schedules:
        graph = causes(schedule, positions)
        for index, entry in enumerate(schedule.entries):
            if entry.event.phase == phases.PLASTICITY:
                name = phases.subject(schedule.circuit, entry.event)
                ways[name] = _longer(ways.get(name), _way(schedule, graph, index, measures))
    return {m: max((way[m] for way in ways.values() if way), default=None) for m in measures} | {"projections": ways}


def causes(schedule: Schedule, positions: Positions | None = None) -> nx.DiGraph:
    """Which entry of a schedule read what which other entry made, within the presentation.

    Nodes are the entries' numbers. An edge has `hops`, `ticks` and `length`: what a signal covers on it.
    """
    graph, makers = nx.DiGraph(), dict[Key, list[int]]()
    graph.add_nodes_from(range(len(schedule.entries)))
    for index, entry in enumerate(schedule.entries):
        for key in _read(entry):
            for maker in makers.get(key, ()):
                graph.add_edge(maker, index, **_covered(schedule, maker, index, key, positions))
        for a in entry.accesses:
            if a.cycle is not None and a.mode is Mode.WRITE:
                makers[a.key] = [index]
            elif a.cycle is not None and a.mode is Mode.ADD:
                makers.setdefault(a.key, []).append(index)
    return graph


def forms_error(circuit: Circuit, entry: Entry) -> bool:
    """Whether an event is one in which an error is formed."""
    compares = entry.event.phase in (phases.FEEDBACK, phases.REPLACEMENT)
    if not compares and entry.event.phase != phases.RECIRCULATION:
        return False
    kinds = (Carries.TARGET,) if compares else RECIRCULATES
    return bool(circuit.exchanged(phases.subject(circuit, entry.event), *kinds))


def _read(entry: Entry) -> list[Key]:
    """The signals that an event uses. What a delivery adds to is not used by it: deliveries commute."""
    adds = entry.event.phase != phases.DELIVERY
    return [
        a.key for a in entry.accesses if a.cycle is not None and (a.mode is Mode.READ or (a.mode is Mode.ADD and adds))
    ]


def _covered(schedule: Schedule, maker: int, reader: int, key: Key, positions: Positions | None) -> dict[str, float]:
    circuit, event = schedule.circuit, schedule.entries[reader].event
    if event.phase == phases.PLASTICITY:  # the error has arrived; waiting for what else the rule reads is no travel
        return {"hops": 0, "ticks": 0, "length": 0.0}
    ends = key[0], phases.subject(circuit, event)
    if event.phase == phases.DELIVERY:
        ends = key[0], circuit.projections[event.which].target
    sites = [circuit.population(end).site for end in ends]
    length = dist(*(positions[site] for site in sites)) if positions is not None else 0.0
    hops = int(event.phase == phases.DELIVERY or sites[0] != sites[1])  # a declared remote exchange is a hop too
    return {"hops": hops, "ticks": event.tick - schedule.entries[maker].event.tick, "length": length}


def _way(schedule: Schedule, graph: nx.DiGraph, rule: int, measures: Sequence[str]) -> dict[str, Any] | None:
    """The longest ways from the errors that a rule uses, of which those formed last count, to the rule."""
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
    """Of each population that forms errors the last one: an earlier cycle's is only what it is compared with."""
    last: dict[int, int] = {}
    for index in sorted(formed):
        last[schedule.entries[index].event.which] = index
    return set(last.values())


def _through(schedule: Schedule, path: list[int]) -> list[str]:
    events = [schedule.entries[index].event for index in path]
    return [phases.subject(schedule.circuit, event) for event in events if event.phase == phases.DELIVERY]


def _longer(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any] | None:
    ways = [way for way in (first, second) if way]
    return max(ways, key=lambda way: (way["hops"], way["ticks"]), default=None)


def _check(circuit: Circuit, positions: Positions | None) -> None:
    missing = sorted({p.site for p in circuit.populations} - set(positions or ()))
    if positions is not None and missing:
        raise CircuitError(
            f"positions of circuit {circuit.name}",
            got=f"none for {', '.join(missing)}",
            expected="coordinates for every site",
            remedy="Add them.",
        )
