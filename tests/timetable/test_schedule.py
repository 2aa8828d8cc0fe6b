"""Timetables: causes before effects, exact delays, the smallest windows, nothing superfluous, no order that matters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from building import Built, Setting, classifier, presentations, simulator, stack, train
from hypothesis import given, settings
from random_circuits import circuits, firings, presented
from running import nightly

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.errors import ScheduleError
from circuitsim.events import Event
from circuitsim.locality import Key, Mode, Place
from circuitsim.phases import FIRING
from circuitsim.rules import local_rule
from circuitsim.timetable.causality import unroll
from circuitsim.timetable.entry import Entry
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import Schedule, make_schedule

modest = settings(max_examples=150, deadline=None, derandomize=True)


def of(made: Schedule, *kinds: int) -> Iterator[tuple[str, Event, Entry]]:
    """The subject, event and entry of all events of some phases."""
    for entry in made.entries:
        if entry.event.phase in kinds:
            yield phases.subject(made.circuit, entry.event), entry.event, entry


# ------------------------------------------------------------------------------------------- whatever the circuit


@modest
@given(circuits())
def test_populations_fire_when_the_last_of_their_causes_has_come(drawn: tuple[Circuit, Protocol]) -> None:
    expected = firings(*drawn)
    for name, event, _ in of(make_schedule(*drawn), *FIRING):
        assert event.tick == expected[name, event.detail]


@modest
@given(circuits())
def test_each_delivery_comes_exactly_its_delay_after_the_firing_it_carries(drawn: tuple[Circuit, Protocol]) -> None:
    circuit, protocol = drawn
    expected = firings(circuit, protocol)
    arrived: dict[tuple[str, int], int] = {}
    made = make_schedule(circuit, protocol)
    for name, event, _ in of(made, phases.DELIVERY):
        q = circuit.projection(name)
        assert event.tick == expected[q.source, event.detail] + q.delay
        arrived[q.target, event.detail] = arrived.get((q.target, event.detail), 0) + 1
    for name, event, _ in of(made, *FIRING):
        assert arrived.get((name, event.detail), 0) == len(circuit.incoming[name])


@modest
@given(circuits())
def test_keys_increase_and_nothing_is_read_before_it_is_made(drawn: tuple[Circuit, Protocol]) -> None:
    made = make_schedule(*drawn)
    events = [entry.event for entry in made.entries]
    assert all(earlier < later for earlier, later in pairwise(events))
    there: set[object] = set()
    for entry in made.entries:
        fires = entry.event.phase in FIRING  # these complete a sum that deliveries began
        for access in entry.accesses:
            if access.cycle is not None and (access.mode is Mode.READ or (fires and access.mode is Mode.ADD)):
                assert access.key in there, (entry.event, access)
        there |= {access.key for access in entry.accesses if access.mode is not Mode.READ}


@modest
@given(circuits())
def test_rules_run_at_the_first_tick_at_which_all_they_read_exists(drawn: tuple[Circuit, Protocol]) -> None:
    circuit, protocol = drawn
    fired = firings(circuit, protocol)
    made = make_schedule(circuit, protocol)
    windows: dict[str, int] = {}
    happened = [(name, event.detail) for name, event, _ in of(made, phases.PLASTICITY)]
    ticks = {(name, event.detail): event.tick for name, event, _ in of(made, phases.PLASTICITY)}
    for p in presented(circuit):
        q = circuit.projection(p.projection)
        ends = {Place.PRE: p.pre or q.source, Place.POST: p.post or q.target}
        read = [fired[ends[r.place], r.cycle] for r in p.rule.certificate.readings if r.place in ends]
        if q.bias:
            law = p.bias_rule or p.rule
            read += [fired[ends[r.place], r.cycle] for r in law.certificate.readings if r.place is Place.POST]
        assert ticks.pop((q.name, circuit.rules[q.name].index(p))) == max(read, default=0)
        windows[q.name] = max(windows.get(q.name, 0), max(read, default=0) - min(read, default=0))
    assert not ticks and len(happened) == len(presented(circuit))
    assert made.windows == windows and made.window == max(windows.values())


@modest
@given(circuits())
def test_updates_come_after_the_last_event_and_bounds_after_them(drawn: tuple[Circuit, Protocol]) -> None:
    circuit, protocol = drawn
    made = make_schedule(circuit, protocol)
    kinds = [entry.event.phase for entry in made.entries]
    learning = {p.projection for p in presented(circuit)}
    tail = len(learning) + sum(p.bounded for p in circuit.populations)
    assert max(kinds[:-tail]) == phases.PLASTICITY
    assert kinds[-tail:] == sorted(kinds[-tail:]) and min(kinds[-tail:]) == phases.UPDATE
    assert {name for name, _, _ in of(made, phases.UPDATE)} == learning
    assert {name for name, _, _ in of(made, phases.BOUND)} == {p.name for p in circuit.populations if p.bounded}
    assert made.duration == made.entries[-1].event.tick + 1 == max(e.event.tick for e in made.entries) + 1


@modest
@given(circuits())
def test_nothing_is_kept_that_nothing_needs(drawn: tuple[Circuit, Protocol]) -> None:
    made = make_schedule(*drawn)
    needed: set[object] = set(made.protocol.readouts)
    for entry in reversed(made.entries):
        for access in entry.accesses:
            if access.mode is not Mode.READ and access.cycle is not None:
                assert access.key in needed or (entry.event.phase in FIRING and access.quantity == "S"), access
        makes = [a for a in entry.accesses if a.mode is not Mode.READ]
        assert entry.event.phase >= phases.PLASTICITY or any(a.key in needed for a in makes), entry.event
        needed |= {a.key for a in entry.accesses if a.mode is not Mode.WRITE}


def test_without_learning_only_what_is_read_out_is_computed() -> None:
    circuit, _ = circular_autoencoder([4, 3, 2, 4], "bp")
    made = make_schedule(circuit, Protocol(learn=False, readouts=(("layer2", "O", 0),)))
    assert [row[1:3] for row in made.table()] == [
        ("forward pass", "layer0"), ("delivery", "A1"), ("forward pass", "layer1"), ("delivery", "A2"),
        ("forward pass", "layer2"),
    ]  # fmt: skip
    assert made.windows == {} and made.window == 0 and made.rows == ()
    nothing = make_schedule(circuit, Protocol(learn=False))
    assert nothing.entries == () and nothing.duration == 1


def test_the_timetable_of_the_smallest_circuit() -> None:
    circuit, protocol = circular_autoencoder([4, 4], delay=3)
    assert make_schedule(circuit, protocol).table() == [
        ("0", "forward pass", "layer0", "0", "data.x", "layer0.O(0)"),
        ("3", "delivery", "A1", "0", "layer0.O(0), A1.weight", "layer1.S(0)"),
        ("3", "forward pass", "layer1", "0", "A1.bias", "layer1.S(0), layer1.O(0)"),
        ("3", "recirculation cycle", "layer0", "1", "layer1.O(0), layer0.O(0)", "layer0.O(1)"),
        ("3", "plasticity", "A1", "", "layer0.O(0), layer0.O(1)", "A1.increment"),
        ("3", "update", "A1", "", "A1.increment", "A1.weight, A1.bias"),
    ]


# ------------------------------------------------------------------------------------------------- known windows


@pytest.mark.parametrize("top", [1, 2, 3, 5])
@pytest.mark.parametrize("delay", [1, 3])
def test_known_windows(top: int, delay: int) -> None:
    """Layer h fires at tick h d, and again (one cycle later) at (L + h) d. Its synapses read layer h - 1 at (h - 1) d.

    Recirculation: the time around the loop and back to the presynaptic layer, L + 1; for the top, whose post term is
    layer 0, L. Backpropagation: the error comes to layer h at (2L - h) d, so 2 (L - h) + 1. Skipped feedback: at
    (L + 1) d, so L - h + 2, and for the top, whose error is there at once, 1.
    """
    sizes = [3] * (top + 1)
    below, every = range(1, top), range(1, top + 1)
    expected = {
        "rec": dict.fromkeys(below, top + 1) | {top: top},
        "rec-symmetric": dict.fromkeys(below, top + 1) | {top: top},
        "bp": {h: 2 * (top - h) + 1 for h in every},
        "rbp": {h: 2 * (top - h) + 1 for h in every},
        "srbp": {h: top - h + 2 for h in below} | {top: 1},
        "top": {top: 1},
    }
    for rule, windows in expected.items():
        found = make_schedule(*circular_autoencoder(sizes, rule, delay=delay)).windows
        assert found == {f"A{h}": delay * w for h, w in windows.items()}, rule


@pytest.mark.parametrize("cycles, reference", [(2, 0), (3, 0), (3, 1), (3, 2)])
def test_windows_of_several_cycles(cycles: int, reference: int) -> None:
    """m - n times around the loop of three, and one tick more below the top."""
    found = make_schedule(*circular_autoencoder([3, 3, 3, 3], cycles=cycles, reference_cycle=reference)).windows
    around = 3 * (cycles - reference)
    assert found == {"A1": around + 1, "A2": around + 1, "A3": around}


def test_adaptive_feedback_reads_its_own_two_ends() -> None:
    """B{h} reads layer h - 1 of tick h - 1 and the error of layer h, which is there at 2L - h."""
    found = make_schedule(*circular_autoencoder([3, 3, 3, 3], "arbp")).windows
    assert {name: w for name, w in found.items() if name[0] == "B"} == {"B2": 4 - 1, "B3": 3 - 2}


# ------------------------------------------------------------------------------------------------------- refusals


def test_a_window_that_is_too_small_is_refused_with_the_age_and_the_remedy() -> None:
    circuit, protocol = circular_autoencoder([4, 3, 2, 4], delay=2, window=7)
    message = (
        r"rule recirculation of projection A1: got pre\.at\(0\), 8 ticks old when it is read; expected nothing older "
        r"than the window of 7 ticks of circuit circular autoencoder\. Set the window to 8 or more, or shorten the "
        r"delays\."
    )
    with pytest.raises(ScheduleError, match=message):
        make_schedule(circuit, protocol)
    assert make_schedule(circuit, replace(protocol, window=8)).window == 8
    assert make_schedule(circuit, replace(protocol, window=20)).window == 20


def test_a_cycle_that_never_happens_is_refused() -> None:
    circuit, protocol = circular_autoencoder([4, 3, 4], cycles=3)
    message = (
        r"rule of projection A1: got a reading of layer1 at cycle 3, which never happens; expected cycles 0 to 2 "
        r"\(0 for error neurons\)\. Recirculate more often, or let the rule read an earlier cycle\."
    )
    with pytest.raises(ScheduleError, match=message):
        make_schedule(circuit, replace(protocol, cycles=2))


def test_error_neurons_have_one_cycle_only() -> None:
    @local_rule
    def late(pre, post):  # type: ignore[no-untyped-def]
        return pre.at(0) * post.at(1)

    circuit, protocol = circular_autoencoder([4, 3, 4], "rbp")
    circuit = replace(circuit, plasticity=(Plasticity("A1", late, post="error1"),))
    with pytest.raises(ScheduleError, match="rule of projection A1: got a reading of error1 at cycle 1"):
        make_schedule(circuit, replace(protocol, cycles=2))


def test_a_loop_of_projections_that_waits_for_itself_is_refused() -> None:
    populations = (Population("in", 2), Population("a", 2), Population("b", 2))
    projections = (Projection("up", "in", "a"), Projection("on", "a", "b"), Projection("back", "b", "a"))
    circuit = Circuit("knot", populations, projections, inputs="in", outputs="b")
    message = (
        r"population a: got no firing in cycle 0: it waits for projection back; expected inputs that all arrive in the "
        r"forward pass\. Close loops with a recirculating exchange, not with a projection\."
    )
    with pytest.raises(ScheduleError, match=message):
        make_schedule(circuit, Protocol())


@pytest.mark.parametrize(
    "readout", [("layer9", "O", 0), ("layer1", "E", 0), ("layer1", "O", 2), ("layer0", "slope", 0)]
)
def test_a_readout_that_nothing_makes_is_refused(readout: tuple[str, str, int]) -> None:
    circuit, protocol = circular_autoencoder([4, 3, 4])
    message = r"readout \('layer\d', '\w+', \d\): got a quantity that nothing makes; expected \(population, O, E, S or"
    with pytest.raises(ScheduleError, match=message):
        make_schedule(circuit, replace(protocol, readouts=(readout,)))


def test_ages_beyond_the_window_are_findings_of_the_verdict() -> None:
    circuit, protocol = circular_autoencoder([4, 3, 4], "bp")
    made = make_schedule(circuit, protocol)
    assert [(f.kind, f.projection) for f in made.findings] == [("weight-transport", "B2")]
    late = replace(made, window=2).findings
    assert [(f.kind, f.projection, f.read, f.lag) for f in late[1:]] == [("time-window", "A1", "pre.at(0)", 3)]


# ---------------------------------------------------------------------------------- no order and no probe matters

SMALL = Setting((64, 7, 5, 64), lam=(0.3, 0.6), momentum=0.5, max_norm=1.5)
LIVELY = [
    replace(SMALL, variant="rwcc", cycles=3, reference_cycle=1, top_rule="own"),
    replace(SMALL, variant="ccrcc", cycles=2, rule="rec-symmetric", top_rule="gradient"),
    replace(SMALL, rule="error-rec"),
    replace(SMALL, rule="arbp", hidden="saturated"),
    replace(SMALL, rule="bp", hidden="identity"),
    replace(SMALL, rule="srbp", bias=False),
    classifier("kp", (64, 7, 5, 10), {"momentum": 0.5, "weight_decay": 0.1}, max_norm=1.5),
    classifier("dfa", (64, 7, 5, 10), loss="hinge", output="identity"),
    classifier("aa", (64, 7, 5, 10), masked=True, numbers={"density": 0.6}),
    stack((64, 5, 4), {"emits": 0.3, "remembers": 0.6}),
]


def bits(setting: Setting | Built, **options: Any) -> dict[str, bytes]:
    """The weights after four presentations, to the bit."""
    made = train(simulator([setting, setting], batch=8, dtype="float32", **options), presentations(4, largest=8))
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("setting", LIVELY, ids=lambda setting: setting.label)
def test_no_order_of_simultaneous_events_changes_a_bit(setting: Setting | Built, backend: str) -> None:
    for longest in (None, 5):
        replayed = bits(setting, backend=backend, longest=longest)
        for seed in range(2):
            chance = random.Random(seed)
            shuffled = bits(setting, backend=backend, longest=longest, order=lambda e, c=chance: c.sample(e, len(e)))
            assert shuffled == replayed
        assert bits(setting, backend=backend, longest=longest, order=lambda events: events[::-1]) == replayed


def probed(setting: Setting | Built) -> list[Key]:
    """Return every activity that a presentation makes."""
    plain = simulator([setting])
    made = {
        a.key
        for e in unroll(plain.circuit, plain.protocol)
        for a in phases.accesses(plain.circuit, e)
        if a.mode is not Mode.READ and a.cycle is not None
    }
    return sorted(made)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("setting", LIVELY, ids=lambda setting: setting.label)
def test_probes_change_no_bit(setting: Setting | Built, backend: str) -> None:
    assert bits(setting, backend=backend, probes=probed(setting)) == bits(setting, backend=backend)


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])  # the specification reuses no memory
@pytest.mark.parametrize("setting", [*LIVELY[::3], *map(nightly, LIVELY[1::3] + LIVELY[2::3])], ids=lambda s: s.label)
def test_no_single_probe_changes_a_bit(setting: Setting | Built, backend: str) -> None:
    plain = bits(setting, backend=backend)
    for key in probed(setting):
        assert bits(setting, backend=backend, probes=[key]) == plain, key


def test_delays_alone_change_no_bit_where_contributions_arrive_one_by_one() -> None:
    """A chain computes the same however long its projections are: only the timetable is stretched."""
    assert bits(LIVELY[0]) == bits(LIVELY[0], delay=4) == bits(LIVELY[0], longest=5)


def test_an_exchange_from_a_mixing_population_listed_later() -> None:
    """Once both fire in the recirculation phase their order is that of their indices, which must be the causal one."""
    populations = (
        Population("a", 3, mixes=True),
        Population("b", 2, mixes=True),
        Population("c", 3, "tanh", "a", True),
    )
    projections = (Projection("A1", "a", "b"), Projection("A2", "b", "c"))

    def loop(order: tuple[int, ...]) -> Circuit:
        listed = tuple(populations[i] for i in order)
        return Circuit("loop", listed, projections, "a", "c", (Exchange("c", "a", Carries.OUTPUT),))

    readouts = (("b", "E", 2),)
    message = r"exchange c -> a: got a mixing source, listed after its target, and 2 .* List c before a, or let it"
    with pytest.raises(ScheduleError, match=message):
        make_schedule(loop((0, 1, 2)), Protocol(cycles=2, learn=False, readouts=readouts))
    found = make_schedule(loop((2, 0, 1)), Protocol(cycles=2, learn=False, readouts=readouts))
    assert [e.event.tick for e in found.entries] == sorted(e.event.tick for e in found.entries)
    assert make_schedule(loop((0, 1, 2)), Protocol(cycles=1, learn=False, readouts=(("b", "E", 1),))).entries
