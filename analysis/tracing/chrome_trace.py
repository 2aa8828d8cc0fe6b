"""One presentation as a Chrome-trace file, which https://ui.perfetto.dev and chrome://tracing open.

Process 1 is simulated time, one tick a millisecond: a track for each population and each projection, a slice for each
event of the timetable, an arrow from each event to those that read its result. Deliveries last as long as their delay.
Process 2 is the wall clock: every kernel in the order in which it ran.

Viewers refuse slices of a track that overlap without nesting, and bind arrows to the topmost slice. So the events of a
tick have slots in the order of their phases, and a second signal in transit over a projection has a track of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.random_labels import random_labels
from circuitsim.analysis.tracing.dataflow import Segment, address_text, cycle_of, segments
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.evidence import Record
from circuitsim.engine.simulator import Simulator
from circuitsim.events import Event
from circuitsim.locality import Mode
from circuitsim.randomness import generator
from circuitsim.runs.config import TrainingSettings
from circuitsim.runs.design import Design

TICK = 1000  # microseconds, the unit of all times in such a file
FILLED = 900  # microseconds of a tick that slots fill; a gap separates ticks
SIMULATED, WALL = 1, 2

Json = dict[str, Any]


@dataclass(frozen=True)
class Slice:
    """One event as drawn: its record, begin and end in microseconds, and its lane among its subject's tracks.

    number : among all records. emitted : the tick at which a delivered signal was emitted.
    """

    record: Record
    number: int
    tick: int
    begin: int
    end: int
    emitted: int | None = None
    lane: int = 0

    @property
    def track(self) -> tuple[bool, int, int]:
        """Sort key of tracks: populations, then projections, each with its lanes."""
        return self.record.event.phase in phases.OF_PROJECTIONS, self.record.event.which, self.lane


def chrome_trace(simulator: Simulator) -> Json:
    """Return the last presentation of a simulator as an object in the Trace Event Format.

    Parameters
    ----------
    simulator : made with `evidence=True`, after a presentation.

    Raises
    ------
    CircuitError : no evidence, or nothing presented.
    """
    found = segments(simulator, what="trace of a presentation")
    circuit = simulator.circuit
    slots = _Slots(found)
    slices = _in_lanes([s for segment in found for s in slots.slices(segment)])
    tids = _tids(circuit, slices)
    events = [*_names(circuit, tids), *(_slice(circuit, s, tids) for s in slices)]
    events += _arrows(found, slices, tids)
    clock = len(tids) + 1  # numbers of tracks are unique in the file: some viewers name them by that alone
    events += [*_named(WALL, "wall clock", {clock: "kernels, in the order run"}), *_kernels(found, clock)]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "simulated time": "1 tick = 1 ms",
            "circuit": circuit.name,
            "presentation": simulator.presentations,
            "window in ticks": simulator.schedule.window,
            "ticks a presentation": sum(segment.schedule.duration for segment in found),
        },
    }


def trace_design(design: Design, settings: TrainingSettings) -> bytes:
    """Trace one presentation of random numbers in [0, 1], after one to warm up, for `circuitsim trace`.

    Parameters
    ----------
    design : circuit, protocol and parameters of a replica. settings : its batch, dtype and seeds.
    """
    simulator = Simulator(
        design.circuit,
        design.protocol,
        batch=settings.batch,
        seeds=(settings.seed,),
        dtype=settings.dtype,
        parameters=design.parameters,
        evidence=True,
    )
    circuit, random = design.circuit, generator(settings.data_seed, "examples of a trace")
    x = random.random((settings.batch, circuit.population(circuit.inputs).size))
    simulator.use(x, random_labels(circuit, random, settings.batch))
    for _ in range(2):  # kernels are compiled when first run
        simulator.present(np.arange(settings.batch))
    return json.dumps(chrome_trace(simulator), separators=(",", ":")).encode()


class _Slots:
    """Positions of events in their tick: one slot for each phase in use."""

    def __init__(self, found: Sequence[Segment]) -> None:
        used = sorted({record.event.phase for segment in found for record in segment.records})
        self._width = FILLED // len(used)
        self._place = {phase: place for place, phase in enumerate(used)}

    def slices(self, segment: Segment) -> Iterator[Slice]:
        for index, record in enumerate(segment.records):
            tick = segment.start + record.event.tick
            begin, end = self._span(tick, record.event)
            emission = self._emission(segment, index)
            if emission is None:
                yield Slice(record, segment.first + index, tick, begin, end)
            else:  # in transit since the firing
                emitted = segment.start + emission.tick
                began = self._span(emitted, emission)[1]
                yield Slice(record, segment.first + index, tick, began, end, emitted)

    def _span(self, tick: int, event: Event) -> tuple[int, int]:
        begin = TICK * tick + self._width * self._place[event.phase]
        return begin, begin + self._width

    def _emission(self, segment: Segment, index: int) -> Event | None:
        """Return the firing whose activity a delivery reads; None of other events."""
        if segment.records[index].event.phase != phases.DELIVERY:
            return None
        source = segment.schedule.circuit.projections[segment.records[index].event.which].source
        (maker,) = (
            s for key, made in segment.sources[index].items() if key[0] == source and key[1] in "OE" for s in made
        )
        return segment.records[maker].event


def _in_lanes(slices: Sequence[Slice]) -> list[Slice]:
    """Give each slice the first lane of its track in which it overlaps with none, and keep the order."""
    free: dict[tuple[bool, int, int], int] = {}
    laid: dict[int, Slice] = {}
    for one in sorted(slices, key=lambda s: (s.begin, s.end)):
        while free.get(one.track, one.begin) > one.begin:
            one = replace(one, lane=one.lane + 1)
        free[one.track] = one.end
        laid[one.number] = one
    return [laid[one.number] for one in slices]


def _tids(circuit: Circuit, slices: Sequence[Slice]) -> dict[tuple[bool, int, int], int]:
    """Number the tracks: populations, then projections, in the circuit's order, each with its lanes."""
    tracks = {(False, index, 0) for index in range(len(circuit.populations))}
    tracks |= {(True, index, 0) for index in range(len(circuit.projections))}
    return {track: tid for tid, track in enumerate(sorted(tracks | {s.track for s in slices}), start=1)}


def _names(circuit: Circuit, tids: dict[tuple[bool, int, int], int]) -> list[Json]:
    named = {}
    for (projection, index, lane), tid in tids.items():
        name = circuit.projections[index].name if projection else circuit.populations[index].name
        named[tid] = name + (f" ({lane + 1})" if lane else "")
    return _named(SIMULATED, "simulated time (1 tick = 1 ms)", named)


def _named(pid: int, process: str, tracks: dict[int, str]) -> list[Json]:
    def about(kind: str, tid: int, **args: Any) -> Json:
        return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "ts": 0, "args": args}

    first = next(iter(tracks))
    found = [about("process_name", first, name=process), about("process_sort_index", first, sort_index=pid)]
    for tid, name in tracks.items():
        found += [about("thread_name", tid, name=name), about("thread_sort_index", tid, sort_index=tid)]
    return found


def _slice(circuit: Circuit, s: Slice, tids: dict[tuple[bool, int, int], int]) -> Json:
    args = _touched(s.record) | {"tick": s.tick}
    if s.emitted is not None:
        args |= {"emitted at tick": s.emitted, "delay in ticks": circuit.projections[s.record.event.which].delay}
    return _complete(_title(s.record), s.record.phase, SIMULATED, tids[s.track], s.begin, s.end - s.begin, args)


def _kernels(found: Sequence[Segment], tid: int) -> Iterator[Json]:
    zero = found[0].records[0].began
    for segment in found:
        for r in segment.records:
            began, lasted = (r.began - zero) / 1000, (r.ended - r.began) / 1000
            args = {"tick": segment.start + r.event.tick}
            yield _complete(f"{_title(r)} {r.subject}", r.phase, WALL, tid, began, lasted, args)


def _complete(name: str, kind: str, pid: int, tid: int, ts: float, dur: float, args: Json) -> Json:
    return {"ph": "X", "name": name, "cat": kind, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args}


def _title(record: Record) -> str:
    """Return the phase and, for activity, the cycle."""
    cycle = cycle_of(record)
    return record.phase + ("" if cycle is None else f" {cycle}")


def _touched(record: Record) -> Json:
    """Return what the event read, with ages in ticks, and what it changed."""
    read = {address_text(a.key): "given" if age is None else age for a, age in record.read if a.mode is Mode.READ}
    return {"reads, age in ticks": read, "changes": [address_text(key) for key in record.made]}


def _arrows(
    found: Sequence[Segment], slices: Sequence[Slice], tids: dict[tuple[bool, int, int], int]
) -> Iterator[Json]:
    """Yield an arrow from each event to each reader of its result, as a pair of flow events inside their slices."""
    drawn, number = {s.number: s for s in slices}, count(1)
    for segment in found:
        for reader, sources in enumerate(segment.sources):
            for maker, name in sorted((index, address_text(key)) for key, made in sources.items() for index in made):
                which = next(number)
                yield _end("s", name, which, drawn[segment.first + maker], tids)
                yield _end("f", name, which, drawn[segment.first + reader], tids) | {"bp": "e"}


def _end(kind: str, name: str, number: int, s: Slice, tids: dict[tuple[bool, int, int], int]) -> Json:
    """Make an arrow's end near the end of a slice, where its result exists and a delivery arrives."""
    ts = s.end - 1
    return {"ph": kind, "name": name, "cat": "flow", "id": number, "pid": SIMULATED, "tid": tids[s.track], "ts": ts}
