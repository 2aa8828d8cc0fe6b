"""Trace files against the Trace Event Format: read as a viewer reads them, and held against the timetable."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from building import Setting, digits, simulator

from circuitsim import phases
from circuitsim.analysis.tracing.chrome_trace import chrome_trace, trace_design
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.rules import delta, recirculation
from circuitsim.runs.design import Design
from circuitsim.scenarios.layered import LayeredSettings
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedules

Json = dict[str, Any]
REC = Setting((64, 8, 6, 64), variant="ccrcc", cycles=2)


def slow_side() -> tuple[Circuit, Protocol]:
    """A fast loop beside a slow projection, over which several signals are on their way at once."""
    circuit = Circuit(
        "a fast loop and a slow way out",
        (
            Population("input", 64, mixes=True),
            Population("back", 64, site="input"),
            Population("aside", 5, "tanh", mixes=True),
        ),
        (Projection("fast", "input", "back"), Projection("slow", "input", "aside", delay=7)),
        inputs="input",
        outputs="back",
        exchanges=(Exchange("back", "input", Carries.OUTPUT),),
        plasticity=(
            Plasticity("slow", recirculation.bind(n=0, m=3)),
            Plasticity("fast", recirculation, post="input"),
        ),
    )
    return circuit, Protocol(cycles=3)


def two_ways() -> tuple[Circuit, Protocol]:
    """Two projections that deliver to the same neurons."""
    circuit = Circuit(
        "two ways up",
        (Population("low", 64), Population("high", 6, "tanh")),
        (Projection("quick", "low", "high"), Projection("slow", "low", "high", delay=3)),
        inputs="low",
        outputs="high",
        plasticity=(Plasticity("quick", delta),),
    )
    return circuit, Protocol()


def recorded(described: tuple[Circuit, Protocol]) -> Simulator:
    made = Simulator(*described, batch=4, evidence=True)
    made.use(digits(), np.arange(200) % 10 if described[0].labels else None)
    for _ in range(2):
        made.present(np.arange(4))
    return made


def presented(made: Simulator) -> Simulator:
    for _ in range(2):
        made.present(np.arange(4))
    return made


MADE = {
    "rec": lambda: presented(simulator([REC], evidence=True)),
    "delays": lambda: presented(simulator([REC], longest=6, evidence=True)),
    "bp": lambda: presented(simulator([replace(REC, rule="bp", cycles=1)], delay=3, evidence=True)),
    "srbp": lambda: presented(simulator([replace(REC, rule="srbp", cycles=1)], longest=5, evidence=True)),
    "bounded": lambda: presented(simulator([replace(REC, max_norm=1.0)], evidence=True)),
    "stack": lambda: recorded(stacked_autoencoders([64, 8, 5], delay=2)),
    "several rules": lambda: recorded(layered_classifier([64, 8, 6, 10], "ia")),
    "replacement": lambda: recorded(replacement_classifier([64, 8, 6, 10], delay=2)),
    "mirrors": lambda: recorded(layered_classifier([64, 8, 6, 10], "wm", passes=2)),
    "two ways": lambda: recorded(two_ways()),
    "overlapping": lambda: recorded(slow_side()),
}


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest) -> Simulator:
    return MADE[request.param]()


def read(made: Simulator) -> Json:
    found: Json = json.loads(json.dumps(chrome_trace(made), allow_nan=False))
    return found


def of(trace: Json, ph: str, pid: int | None = None) -> list[Json]:
    return [e for e in trace["traceEvents"] if e["ph"] == ph and pid in (None, e["pid"])]


def named(trace: Json) -> dict[int, str]:
    return {e["tid"]: e["args"]["name"] for e in of(trace, "M") if e["name"] == "thread_name"}


def viewed(trace: Json) -> dict[tuple[str, str, int], list[tuple[str, Json]]]:
    """Bind flows as Perfetto does: events sorted by time, each flow end to the slice last opened on its track.

    Slices must nest, and a flow end must find its slice still open.
    """
    stacks: dict[tuple[int, int], list[Json]] = defaultdict(list)
    flows: dict[tuple[str, str, int], list[tuple[str, Json]]] = defaultdict(list)
    for e in sorted((e for e in trace["traceEvents"] if e["ph"] != "M"), key=lambda e: e["ts"]):
        stack = stacks[e["pid"], e["tid"]]
        if e["ph"] == "X":
            while stack and stack[-1]["ts"] + stack[-1]["dur"] <= e["ts"]:
                stack.pop()
            assert not stack or e["ts"] + e["dur"] <= stack[-1]["ts"] + stack[-1]["dur"]
            stack.append(e)
        else:
            assert stack and stack[-1]["ts"] <= e["ts"] < stack[-1]["ts"] + stack[-1]["dur"]
            flows[e["cat"], e["name"], e["id"]].append((e["ph"], stack[-1]))
    return flows


def test_every_event_is_well_formed(made: Simulator) -> None:
    trace = read(made)
    assert trace["displayTimeUnit"] in ("ms", "ns")
    for e in trace["traceEvents"]:
        assert e["ph"] in "XMsf"
        assert all(isinstance(e[key], int) for key in ("pid", "tid"))
        assert isinstance(e["name"], str) and e["ts"] >= 0
        if e["ph"] == "X":
            assert e["dur"] >= 0 and isinstance(e["cat"], str)
        if e["ph"] == "f":
            assert e["bp"] == "e"
    assert {e["name"] for e in of(trace, "M")} == {
        "process_name",
        "process_sort_index",
        "thread_name",
        "thread_sort_index",
    }
    processes = {e["pid"]: e["args"]["name"] for e in of(trace, "M") if e["name"] == "process_name"}
    assert processes == {1: "simulated time (1 tick = 1 ms)", 2: "wall clock"}
    assert {(e["pid"], e["tid"]) for e in of(trace, "X")} <= {(e["pid"], e["tid"]) for e in of(trace, "M")}


def test_no_two_slices_of_a_track_overlap(made: Simulator) -> None:
    tracks: dict[int, list[Json]] = defaultdict(list)
    for e in of(read(made), "X"):
        tracks[e["tid"]].append(e)
    for slices in tracks.values():
        slices.sort(key=lambda e: e["ts"])
        assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in pairwise(slices))


def test_flows_bind_to_the_slices_that_they_mean(made: Simulator) -> None:
    trace = read(made)
    flows = viewed(trace)
    assert flows
    for (_, name, _), ends in flows.items():
        (start, maker), *rest = ends
        assert start == "s" and rest and all(kind == "f" for kind, _ in rest)
        assert name in maker["args"]["changes"]
        for _, reader in rest:
            assert maker["ts"] + maker["dur"] - 1 <= reader["ts"] + reader["dur"]
            assert name in reader["args"]["reads, age in ticks"] or name in reader["args"]["changes"]
    assert len({number for _, _, number in flows}) == len(flows)


def ran(made: Simulator) -> list[Any]:
    """The entries of all timetables of the last presentation."""
    schedules = make_schedules(made.circuit, made.protocol)
    return list(schedules[0].entries) + made.protocol.passes * [e for s in schedules[1:] for e in s.entries]


def test_slices_are_the_timetable_s_entries(made: Simulator) -> None:
    trace, names = read(made), named(read(made))
    subjects = Counter(phases.subject(made.circuit, e.event) for e in ran(made))
    assert Counter(names[e["tid"]].partition(" (")[0] for e in of(trace, "X", 1)) == subjects
    assert Counter(e["cat"] for e in of(trace, "X", 1)) == Counter(phases.name(e.event) for e in ran(made))
    assert len(of(trace, "X", 2)) == len(ran(made))
    if not made.protocol.passes:
        assert [e["args"]["tick"] for e in of(trace, "X", 1)] == [e.event.tick for e in ran(made)]


def test_tracks_are_in_the_circuit_s_order(made: Simulator) -> None:
    trace = read(made)
    names = named(trace)
    parts = [p.name for p in (*made.circuit.populations, *made.circuit.projections)]
    assert [names[t] for t in sorted(names) if " (" not in names[t]] == [*parts, "kernels, in the order run"]
    sort = [(e["tid"], e["args"]["sort_index"]) for e in of(trace, "M") if e["name"] == "thread_sort_index"]
    assert all(tid == index for tid, index in sort) and len({tid for tid, _ in sort}) == len(sort)


def test_deliveries_last_as_long_as_their_delay(made: Simulator) -> None:
    trace, names = read(made), named(read(made))
    deliveries = [e for e in of(trace, "X", 1) if e["cat"] == "delivery"]
    assert deliveries
    for e in deliveries:
        delay = made.circuit.projection(names[e["tid"]].partition(" (")[0]).delay
        emitted, arrives = e["ts"] // 1000, (e["ts"] + e["dur"]) // 1000
        assert (emitted, arrives) == (e["args"]["emitted at tick"], e["args"]["tick"])
        assert arrives - emitted == delay == e["args"]["delay in ticks"]


def test_every_delivery_has_an_arrow_from_its_source_and_one_to_its_target(made: Simulator) -> None:
    trace, names = read(made), named(read(made))
    into, out = defaultdict(list), defaultdict(list)
    for ends in viewed(trace).values():
        maker, *readers = [e for _, e in ends]
        for reader in readers:
            into[reader["tid"], reader["ts"]].append(names[maker["tid"]])
            out[maker["tid"], maker["ts"]].append(names[reader["tid"]])
    for e in of(trace, "X", 1):
        if e["cat"] == "delivery":
            q = made.circuit.projection(names[e["tid"]].partition(" (")[0])
            assert into[e["tid"], e["ts"]] == [q.source]
            assert out[e["tid"], e["ts"]] == [q.target]


def test_rules_have_an_arrow_for_each_neuron_s_reading(made: Simulator) -> None:
    trace = read(made)
    flows = viewed(trace)
    for e in of(trace, "X", 1):
        if e["cat"] == "plasticity":
            wanted = {name for name in e["args"]["reads, age in ticks"] if ".O(" in name}
            assert wanted == {name for (_, name, _), ends in flows.items() if ends[-1][1] is e}


def test_ages_are_those_of_the_schedule() -> None:
    made = MADE["delays"]()
    rules = {row.projection: {} for row in made.schedule.rows}
    for row in made.schedule.rows:
        rules[row.projection][row.reading] = row.age
    trace, names = read(made), named(read(made))
    for e in of(trace, "X", 1):
        if e["cat"] == "plasticity":
            ages = [age for name, age in e["args"]["reads, age in ticks"].items() if ".O(" in name]
            assert sorted(ages) == sorted(rules[names[e["tid"]].partition(" (")[0]].values())


def test_signals_on_their_way_at_once_have_tracks_of_their_own() -> None:
    trace = read(recorded(slow_side()))
    names = named(trace)
    assert [name for name in names.values() if name.startswith("slow")] == ["slow", "slow (2)"]
    slices = [e for e in of(trace, "X", 1) if e["cat"] == "delivery" and names[e["tid"]].startswith("slow")]
    assert [e["name"] for e in slices] == ["delivery 0", "delivery 3"]


def test_the_wall_clock_is_the_evidence_s() -> None:
    made = MADE["rec"]()
    kernels = of(read(made), "X", 2)
    records = made.evidence.records
    assert [e["dur"] for e in kernels] == [(r.ended - r.began) / 1000 for r in records]
    assert [e["ts"] for e in kernels] == [(r.began - records[0].began) / 1000 for r in records]
    assert [e["name"].split()[-1] for e in kernels] == [r.subject for r in records]


def test_without_evidence_or_a_presentation() -> None:
    circuit, protocol = circular_autoencoder([4, 2, 4])
    with pytest.raises(
        CircuitError, match=r"trace of a presentation: got a simulator without evidence; expected the e"
    ):
        chrome_trace(Simulator(circuit, protocol, batch=2))
    with pytest.raises(CircuitError, match=r"trace of a presentation: got a simulator that has presented nothing; exp"):
        chrome_trace(Simulator(circuit, protocol, batch=2, evidence=True))


@pytest.mark.parametrize("labels", [False, True])
def test_random_numbers_take_the_place_of_data(labels: bool) -> None:
    sizes = [30, 6, 4] if labels else [30, 6, 30]
    described = layered_classifier(sizes, "bp") if labels else circular_autoencoder(sizes)
    settings = LayeredSettings(sizes=sizes, batch=7, dtype="float64")
    trace = json.loads(trace_design(Design(*described, {"lr": 0.1}), settings))
    assert trace["otherData"]["presentation"] == 2
    assert trace["otherData"]["simulated time"] == "1 tick = 1 ms"
    assert len(of(trace, "X", 1)) == len(make_schedules(*described)[0].entries)
