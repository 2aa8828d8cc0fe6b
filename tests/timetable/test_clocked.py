"""The timetable of a clocked presentation: which population fires when, and which step a signal belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from building import gated_loop

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.phases import FIRING
from circuitsim.rules import delta, recirculation
from circuitsim.timetable.protocol import Clock, Protocol, Updates
from circuitsim.timetable.schedule import Schedule, make_schedule


def chain(lag: int, depth: int = 3, delay: int = 1) -> Circuit:
    """Populations p0 ... p{depth}, one after the other."""
    populations = tuple(Population(f"p{h}", 4) for h in range(depth + 1))
    projections = tuple(Projection(f"W{h}", f"p{h - 1}", f"p{h}", delay, lag=lag) for h in range(1, depth + 1))
    return Circuit("chain", populations, projections, "p0", f"p{depth}")


def fired(schedule: Schedule) -> dict[tuple[str, int], int]:
    """The tick at which each population fires at each step."""
    circuit = schedule.circuit
    return {
        (phases.subject(circuit, e.event), e.event.detail): e.event.tick
        for e in schedule.entries
        if e.event.phase in FIRING
    }


def all_steps(circuit: Circuit, clock: Clock) -> Protocol:
    """A protocol without learning that keeps every population's activity of every step."""
    keep = tuple((p.name, "O", t) for p in circuit.populations for t in range(clock.steps))
    return Protocol(learn=False, readouts=keep, clock=clock)


@pytest.mark.parametrize("period", [1, 3])
def test_with_a_lag_of_one_every_population_fires_at_the_tick_of_its_step(period: int) -> None:
    found = fired(make_schedule(chain(1), all_steps(chain(1), Clock(5, period=period))))
    assert found == {(f"p{h}", t): t * period for h in range(4) for t in range(5)}


@pytest.mark.parametrize("period", [1, 3])
def test_without_lags_a_whole_sweep_passes_within_each_step(period: int) -> None:
    found = fired(make_schedule(chain(0, delay=2), all_steps(chain(0), Clock(5, period=period))))
    assert found == {(f"p{h}", t): t * period + 2 * h for h in range(4) for t in range(5)}


def test_a_loop_that_takes_longer_than_the_period_delays_its_steps() -> None:
    circuit = replace(chain(0), projections=(*chain(0).projections, Projection("back", "p3", "p1", 2, lag=1)))
    found = fired(make_schedule(circuit, all_steps(circuit, Clock(3))))
    assert [found["p0", t] for t in range(3)] == [0, 1, 2]
    assert [found["p1", t] for t in range(3)] == [1, 5, 9]  # two ticks up, two back


def test_what_the_last_step_does_not_need_does_not_happen() -> None:
    schedule = make_schedule(chain(1), Protocol(learn=False, readouts=(("p3", "O", 5),), clock=Clock(6)))
    assert [site for site in fired(schedule) if site[0] != "p0"] == [("p1", 3), ("p2", 4), ("p3", 5)]


def test_the_input_is_blank_in_steps_that_show_nothing() -> None:
    schedule = make_schedule(chain(1), all_steps(chain(1), Clock(4, shown=2)))
    found = {e.event.detail: e.event.phase for e in schedule.entries if phases.subject(chain(1), e.event) == "p0"}
    assert found == {0: phases.FORWARD, 1: phases.FORWARD, 2: phases.BLANK, 3: phases.BLANK}


@pytest.mark.parametrize(
    ("clock", "steps"),
    [
        (Clock(6), {0, 1, 2, 3, 4, 5}),
        (Clock(6, truncated=2), {4, 5}),
        (Clock(6, truncated=4), {2, 3, 4, 5}),
        (Clock(6, judged=3, truncated=2), {2, 3, 4, 5}),
    ],
)
def test_errors_pass_back_as_far_as_the_clock_says(clock: Clock, steps: set[int]) -> None:
    circuit, _ = gated_loop((4, 3, 2))
    found = fired(make_schedule(circuit, Protocol(clock=clock)))
    assert {step for name, step in found if name == "error_hidden"} == steps
    assert {step for name, step in found if name == "error_y"} == set(range(6 - clock.judged, 6))


def test_the_window_of_backpropagation_through_time_is_the_presentation() -> None:
    circuit, _ = gated_loop((4, 3, 2))
    whole, part = (make_schedule(circuit, Protocol(clock=Clock(8, truncated=k))) for k in (None, 2))
    assert whole.windows["W1"] == whole.length - 1
    assert part.windows["W1"] < whole.windows["W1"] / 2
    assert whole.windows["W2"] == part.windows["W2"] == 1


def test_what_never_learns_is_not_updated() -> None:
    """Errors that stay in the last step teach no synapse that leads to a later one."""
    circuit, _ = gated_loop((4, 3, 2))
    schedule = make_schedule(circuit, Protocol(clock=Clock(5, truncated=1)))
    learned, applied = (
        {phases.subject(circuit, e.event) for e in schedule.entries if e.event.phase == phase}
        for phase in (phases.PLASTICITY, phases.UPDATE)
    )
    assert learned == applied == {"W1", "R", "G1", "K", "W2"}
    (single,) = (make_schedule(circuit, Protocol(clock=Clock(1))),)
    applied = {phases.subject(circuit, e.event) for e in single.entries if e.event.phase == phases.UPDATE}
    assert applied == {"W1", "G1", "W2"}


def test_a_rule_that_runs_at_each_step_has_as_many_events() -> None:
    circuit, _ = gated_loop((4, 3, 2))
    schedule = make_schedule(circuit, Protocol(clock=Clock(5, judged=2)))
    counts = {
        name: sum(
            e.event.phase == phases.PLASTICITY and phases.subject(circuit, e.event) == name for e in schedule.entries
        )
        for name in ("W1", "R", "W2")
    }
    assert counts == {"W1": 5, "R": 4, "W2": 2}  # nothing passes through R to the first step


def loop(lag: int) -> Circuit:
    populations = (Population("x", 3), Population("e", 3), Population("i", 2), Population("y", 2))
    projections = (
        Projection("in", "x", "e"),
        Projection("up", "e", "i"),
        Projection("back", "i", "e", lag=lag),
        Projection("out", "e", "y"),
    )
    return Circuit("loop", populations, projections, "x", "y")


def test_excitatory_inhibitory_loops_are_circuits_if_they_lead_to_a_later_step() -> None:
    assert len(fired(make_schedule(loop(1), all_steps(loop(1), Clock(4))))) == 16
    with pytest.raises(ScheduleError) as caught:
        make_schedule(loop(0), all_steps(loop(0), Clock(4)))
    assert str(caught.value) == (
        "population e: got no firing at step 0: it waits for projection back; expected loops that lead from one step "
        "to a later one. Give a projection of the loop lag=1."
    )


def refusals() -> list[tuple[str, Callable[[], Any], str]]:
    described, _ = gated_loop((4, 3, 2))
    classifier, _ = layered_classifier([4, 3, 2])
    mirrored, _ = layered_classifier([4, 3, 3, 2], "wm", mirror=Mirror(""))
    circle, _ = circular_autoencoder([4, 3, 4])
    ten = Protocol(clock=Clock(10))
    return [
        ("no clock", lambda: make_schedule(described, Protocol()), r"lag=1, and no clock; expected steps"),
        (
            "no clock, rules",
            lambda: make_schedule(through_time(chain(0)), Protocol()),
            r"a rule with each_step=True, and no clock",
        ),
        ("cycles", lambda: make_schedule(classifier, replace(ten, cycles=1)), "a clock and recirculation cycles"),
        ("interval", lambda: make_schedule(classifier, replace(ten, interval=9)), "a clock and presentations that ov"),
        ("mirrors", lambda: make_schedule(mirrored, ten), "a clock and mirror mode"),
        (
            "updates",
            lambda: make_schedule(classifier, replace(ten, updates=Updates.AT_ONCE)),
            "a clock and updates before its end",
        ),
        ("circle", lambda: make_schedule(circle, ten), "a clock and an exchange of activities"),
        ("steps", lambda: make_schedule(classifier, Protocol(clock=Clock(0))), r"Clock\(steps=0\); expected a whole"),
        (
            "shown",
            lambda: make_schedule(classifier, Protocol(clock=Clock(3, shown=4))),
            r"Clock\(shown=4\); expected a whole number >= 1 and <= steps=3",
        ),
    ]


@pytest.mark.parametrize(("make", "text"), [(m, t) for _, m, t in refusals()], ids=[n for n, _, _ in refusals()])
def test_refusals_name_what_does_not_fit(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ScheduleError, match=text):
        make()


def test_lags_below_zero_belong_to_errors() -> None:
    with pytest.raises(
        CircuitError, match=r"projection W1: got lag -1; expected a whole number of steps >= 0, below 0"
    ):
        chain(-1)


def test_errors_that_wait_for_themselves_are_refused() -> None:
    circuit, _ = gated_loop((4, 3, 2))
    projections = tuple(replace(q, lag=0) if q.name == "B_R" else q for q in circuit.projections)
    with pytest.raises(ScheduleError, match=r"an error of step 9 that waits for itself"):
        make_schedule(replace(circuit, projections=projections), Protocol(clock=Clock(10)))


def test_a_rule_may_read_steps_by_number() -> None:
    """Without `each_step`, at(k) is step k."""
    circuit = replace(chain(1), plasticity=(Plasticity("W1", recirculation),))
    schedule = make_schedule(circuit, Protocol(clock=Clock(4)))
    (event,) = (e.event for e in schedule.entries if e.event.phase == phases.PLASTICITY)
    assert {(row.owner, row.reading.cycle) for row in schedule.rows} == {("p1", 0), ("p1", 1), ("p0", 0)}
    assert event.tick == 1


def test_a_rule_that_reads_a_step_without_error_is_refused() -> None:
    circuit, _ = gated_loop((4, 3, 2))
    plain = replace(circuit, plasticity=(Plasticity("W2", delta, post="error_y"),))
    with pytest.raises(ScheduleError) as caught:
        make_schedule(plain, Protocol(clock=Clock(4)))
    assert str(caught.value) == (
        "rule of projection W2: got a reading of error_y at step 0, which never happens; expected steps at which it "
        "fires. Let the rule read other steps, or judge more of them."
    )


def test_errors_need_a_free_output() -> None:
    circuit = replace(chain(1), projections=(*chain(1).projections, Projection("B", "p3", "p1", lag=1)))
    with pytest.raises(CircuitError, match="a forward circuit without rules, whose output neurons project to nothing"):
        through_time(circuit)


def test_exchanges_within_the_step_need_their_source() -> None:
    circuit, _ = gated_loop((4, 3, 2))
    assert Exchange("hidden", "error_hidden", Carries.SLOPE) in circuit.exchanges
    assert all(x.target != "error_gated" for x in circuit.exchanges)  # a product of linear neurons has no slope
