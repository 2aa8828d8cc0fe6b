"""Presentations that overlap: which intervals are possible, by brute force; what is then computed, tick by tick."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pytest
from building import (
    Built,
    Setting,
    Tensors,
    classes,
    classifier,
    digits,
    distance,
    grown,
    presentations,
    simulator,
    stack,
    together,
    train,
    weights_of,
)

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, Diverged, ScheduleError
from circuitsim.locality import Mode
from circuitsim.phases import FIRING
from circuitsim.timetable.protocol import Protocol, Updates
from circuitsim.timetable.schedule import Schedule, make_schedule

each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])
ROWS = presentations(10, seed=3)
AT_ONCE = {"updates": Updates.AT_ONCE}


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in made.tensors().items()}


# -------------------------------------------------------------------------------- what is possible, by brute force


def many(schedule: Schedule, interval: int) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """The events of enough examples, an older one's first where they are equal: the event, the example, the entry."""
    examples = -(-schedule.length // interval) + 1
    rows = [
        ((e.event.tick + k * interval, e.event.phase, e.event.which, e.event.detail), k, index)
        for k in range(examples)
        for index, e in enumerate(schedule.entries)
    ]
    return iter(sorted(rows))


def held(schedule: Schedule, interval: int) -> dict[tuple[str, str, int | None], int]:
    """Of how many examples each value exists at once: counted event by event, from its making to its last use."""
    made: dict[Any, int] = {}
    used: dict[Any, int] = {}
    for moment, (_, example, index) in enumerate(many(schedule, interval)):
        for access in schedule.entries[index].accesses:
            if access.mode is not Mode.READ:
                made.setdefault((access.key, example), moment)
            used[access.key, example] = moment
    spans: dict[Any, list[tuple[int, int]]] = {}
    for (key, example), begin in made.items():
        spans.setdefault(key, []).append((begin, used[key, example]))
    return {key: max(sum(a <= now <= b for a, b in each) for now, _ in each) for key, each in spans.items()}


def fires_once(schedule: Schedule, interval: int) -> bool:
    fired = [(event[0], event[2]) for event, *_ in many(schedule, interval) if event[1] in FIRING]
    return len(set(fired)) == len(fired)


def possible(schedule: Schedule, interval: int, memories: int | None) -> bool:
    counts = held(schedule, interval)
    neurons = max(n for (_, _, cycle), n in counts.items() if cycle is not None)
    increments = max((n for (_, quantity, _), n in counts.items() if "increment" in quantity), default=1)
    return fires_once(schedule, interval) and increments == 1 and neurons <= (memories or neurons)


def timed(made: tuple[Any, Protocol], **changes: Any) -> Schedule:
    circuit, protocol = made
    return make_schedule(circuit, replace(protocol, **changes))


TUNING = {"groups": ("top", "tuning")}
TIMED = {
    "circular autoencoder": timed(circular_autoencoder([3, 3, 3])),
    "deep": timed(circular_autoencoder([3] * 5), **AT_ONCE),
    "slow": timed(circular_autoencoder([3, 3, 3], delay=2)),
    **{f"stack of {n}": timed(stacked_autoencoders([3] * (n + 1))) for n in range(2, 7)},
    **{f"stack of {n}, at once": timed(stacked_autoencoders([3] * (n + 1)), **AT_ONCE) for n in range(1, 7)},
    "tourbillon": timed(tourbillon([3, 3, 3, 2])),
    "tuning": timed(tourbillon([3, 3, 3, 2]), **TUNING),
    "tuning at once": timed(tourbillon([3, 3, 3, 2]), **TUNING, **AT_ONCE),
}


@pytest.mark.parametrize("name", TIMED)
def test_intervals_and_memories(name: str) -> None:
    schedule = TIMED[name]
    for memories in (None, 1, 2):
        wanted = next(n for n in count(1) if possible(schedule, n, memories))
        assert schedule.shortest_interval(memories) == wanted
    for interval in range(1, schedule.length + 2):
        changed = replace(schedule.protocol, interval=interval)
        if not possible(schedule, interval, None):
            with pytest.raises(ScheduleError, match=f"^presentation interval of {interval} ticks: got "):
                make_schedule(schedule.circuit, changed)
            continue
        made = make_schedule(schedule.circuit, changed)
        assert made.duration == interval and made.length == schedule.length
        assert made.memories == max(n for (_, _, cycle), n in held(schedule, interval).items() if cycle is not None)


def test_a_stack_takes_an_example_every_four_ticks_however_high() -> None:
    """Or every three, where neurons hold two: a hinge fires at ticks b and b + 2, so that two are too few."""
    made = [TIMED[f"stack of {n}, at once"] for n in range(1, 7)]
    assert [s.length for s in made] == [4, 5, 6, 7, 8, 9]
    assert {s.shortest_interval(1) for s in made} == {4} and {s.shortest_interval(2) for s in made} == {3}
    last = [TIMED[f"stack of {n}"].shortest_interval() for n in range(2, 7)]
    assert last == [3, 4, 5, 6, 7]  # block 1's increments wait for the highest block


# ------------------------------------------------------------------------------------------------------- refusals


def test_a_longer_interval_can_be_worse() -> None:
    """With four layers a neuron fires again after four ticks: three will do, four will not."""
    deep = circular_autoencoder([3] * 5)
    assert timed(deep, interval=3, **AT_ONCE).memories == 2
    message = (
        "presentation interval of 4 ticks: got layer0, which fires in cycle 0 and in cycle 1 in the same tick; "
        "expected neurons that fire once in a tick. Present every 5 ticks."
    )
    with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
        timed(deep, interval=4, **AT_ONCE)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"interval": 3, "memories": 1, **AT_ONCE},
            "presentation interval of 3 ticks: got layer0, which remembers O(0) of 2 examples at once; expected no "
            "more than 1. Present every 4 ticks, or let neurons remember more examples.",
        ),
        (
            {"interval": 3},
            "presentation interval of 3 ticks: got increments of D1 that wait for their update until the next ones "
            "come; expected an update before that. Present every 4 ticks. Updates at once free the increments earlier.",
        ),
        ({"interval": 0}, "interval of a protocol: got 0; expected a whole number >= 1. Correct it."),
        ({"interval": -2}, "interval of a protocol: got -2; expected a whole number >= 1. Correct it."),
        ({"interval": 2.5}, "interval of a protocol: got 2.5; expected a whole number >= 1. Correct it."),
        ({"interval": "3"}, "interval of a protocol: got '3'; expected a whole number >= 1. Correct it."),
        ({"labelled": -1}, "labelled of a protocol: got -1; expected a whole number >= 0. Correct it."),
        ({"memories": 0}, "memories of a protocol: got 0; expected a whole number >= 1. Correct it."),
    ],
)
def test_what_is_too_fast_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
        timed(stacked_autoencoders([3, 3, 3, 3]), **changes)


def nothing(tensors: Any) -> None:
    """A hook that does nothing."""


SMALL = stack((64, 5))


@pytest.mark.parametrize(
    "setting, options, protocol, what",
    [
        (classifier("wm", (64, 5, 4, 10)), {}, {}, "mirror modes"),
        (SMALL, {"order": lambda events: events}, {}, "an order of simultaneous events"),
        (SMALL, {"evidence": True}, {}, "evidence"),
        (SMALL, {"hooks": [Hook(nothing, "update")]}, {}, "hooks"),
        (SMALL, {"probes": [("layer1", "O", 0)]}, {}, "probes"),
        (SMALL, {}, {"readouts": (("layer1", "O", 0),)}, "probes"),
        (SMALL, {}, {"updates": Updates.EITHER}, "updates by a coin"),
    ],
)
def test_what_cannot_overlap_is_refused(
    setting: Built, options: dict[str, Any], protocol: dict[str, Any], what: str
) -> None:
    message = (
        f"presentations that overlap, one every 9 ticks: got {what}; expected presentations alone. Leave {what} out, "
        "or let presentations follow each other: interval=None."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        simulator([setting], protocol={"interval": 9, **protocol}, **options)


def test_a_refused_protocol_changes_nothing() -> None:
    """Neither the timetable nor what is under way."""
    made, expected = (simulator([SMALL], protocol={"interval": 3}) for _ in range(2))
    train(made, ROWS[:3])
    for wrong in ({"interval": 1}, {"groups": ("encoder 7",)}, {"updates": Updates.EITHER}):
        with pytest.raises((CircuitError, ScheduleError)):
            made.change_protocol(replace(made.protocol, **wrong))
    train(made, ROWS[3:])
    train(expected, ROWS)
    for one in (made, expected):
        one.drain()
    assert bits(made) == bits(expected)


# ------------------------------------------------------------------------------------- what is computed, tick by tick


def logistic(s: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-s)))


class Example:
    """A batch on its way through a stack of blocks, by the ticks since it entered; block b begins at tick (b - 1) d."""

    def __init__(self, w: Tensors, rows: np.ndarray, blocks: int, delay: int, at_once: bool) -> None:
        self.w, self.x, self.blocks, self.d, self.at_once = w, digits()[rows], blocks, delay, at_once
        self.fired: dict[tuple[str, int], np.ndarray] = {("layer", 0): self.x}
        self.proposed: dict[str, np.ndarray] = {}

    def sums(self, name: str, below: np.ndarray) -> np.ndarray:
        return np.asarray(below @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"])

    def fire(self, tick: int) -> None:
        """With the weights of now."""
        for b in range(1, self.blocks + 1):
            if tick == b * self.d:
                self.fired["layer", b] = np.tanh(self.sums(f"E{b}", self.fired["layer", b - 1]))
            if tick == (b + 1) * self.d:
                arrived = self.sums(f"D{b}", self.fired["layer", b])
                self.fired["image", b] = logistic(arrived) if b == 1 else np.tanh(arrived)
            if tick == (b + 2) * self.d:
                self.fired["again", b] = np.tanh(self.sums(f"E{b}", self.fired["image", b]))

    def propose(self, tick: int) -> None:
        for b in range(1, self.blocks + 1):
            if tick == (b + 1) * self.d:
                self._note(f"D{b}", self.fired["layer", b - 1] - self.fired["image", b], self.fired["layer", b])
            if tick == (b + 2) * self.d:
                self._note(f"E{b}", self.fired["layer", b] - self.fired["again", b], self.fired["layer", b - 1])

    def _note(self, name: str, post: np.ndarray, pre: np.ndarray) -> None:
        self.proposed[f"{name}.weight"] = post.T @ pre / len(self.x)
        self.proposed[f"{name}.bias"] = post.mean(axis=0)

    def update(self, tick: int, lr: float) -> None:
        if self.at_once or tick == (self.blocks + 2) * self.d:
            for name, increment in self.proposed.items():
                self.w[name] += lr * increment
            self.proposed = {}


def by_hand(
    weights: Tensors, rows: Sequence[np.ndarray], interval: int, lr: float, *, blocks: int, delay: int, at_once: bool
) -> Tensors:
    """All examples one tick further, phase by phase, until the last has left."""
    w = {name: values.copy() for name, values in weights.items()}
    entered: list[tuple[int, Example]] = []
    for tick in range(interval * len(rows) + delay * (blocks + 2)):
        if tick % interval == 0 and tick // interval < len(rows):
            entered.append((tick, Example(w, rows[tick // interval], blocks, delay, at_once)))
        for begin, example in entered:
            example.fire(tick - begin)
        for begin, example in entered:
            example.propose(tick - begin)
        for begin, example in entered:
            example.update(tick - begin, lr)
    return w


def renamed(w: Tensors) -> Tensors:
    """A circular autoencoder's weights under the names of a stack of one."""
    return {name.replace("A1", "E1").replace("A2", "D1"): values for name, values in w.items()}


@each_backend
@pytest.mark.parametrize("updates", [Updates.LAST, Updates.AT_ONCE])
def test_an_autoencoder_by_hand(backend: str, updates: Updates) -> None:
    """Delays of two ticks and an example every three: each meets weights that the last one has not changed yet."""
    protocol: dict[str, Any] = {"interval": 3, "updates": updates}
    circular = Setting((64, 9, 64), lr=0.4, lr_bias=0.4)
    made = simulator([circular], backend=backend, delay=2, protocol=protocol)
    before = renamed(weights_of(made))
    hand = partial(by_hand, before, ROWS, blocks=1, delay=2, at_once=updates is Updates.AT_ONCE, lr=0.4)
    train(made, ROWS).drain()
    assert distance(renamed(weights_of(made)), hand(3)) < 1e-12
    assert distance(hand(3), hand(7)) > 1e-5
    assert made.tick == 3 * (len(ROWS) + 2) and made.presentations == len(ROWS)


@each_backend
@pytest.mark.parametrize("delay, interval", [(1, 3), (2, 3), (3, 4), (3, 5)])
def test_a_stack_by_hand(backend: str, delay: int, interval: int) -> None:
    protocol = {"interval": interval, **AT_ONCE}
    made = simulator([stack((64, 9, 7), {"lr": 0.3})], backend=backend, delay=delay, protocol=protocol)
    expected = by_hand(weights_of(made), ROWS, interval, 0.3, blocks=2, delay=delay, at_once=True)
    train(made, ROWS).drain()
    assert distance(weights_of(made), expected) < 1e-12


# ---------------------------------------------------------------------------------------------- identities of a run


SETTINGS = {
    "one rule": stack((64, 9, 7), {"momentum": 0.5, "emits": 0.3}),
    "bound": stack((64, 9, 7), {"max_norm": 0.7}, bounded=True),
    "tourbillon": grown((64, 9, 7, 10), {"lr": 0.2}),
    "classifier": classifier("kp", (64, 9, 10)),
}


@each_backend
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("more", [0, 4])
def test_as_long_as_a_presentation_it_is_the_ordinary_run(name: str, more: int, backend: str) -> None:
    setting = SETTINGS[name]
    expected = train(simulator([setting, setting], backend=backend), ROWS)
    interval = expected.schedule.length + more
    made = train(simulator([setting, setting], backend=backend, protocol={"interval": interval}), ROWS)
    assert bits(made) == bits(expected)
    made.drain()
    assert bits(made) == bits(expected) and made.tick == interval * len(ROWS)


@each_backend
@pytest.mark.parametrize("name", ["one rule", "tourbillon"])
@pytest.mark.parametrize("shared", [True, False])
def test_taken_up_in_flight(name: str, shared: bool, backend: str) -> None:
    """By the same simulator and by a new one, which has not been given the examples before; also after draining."""
    setting = SETTINGS[name]
    protocol = {"interval": 5, **AT_ONCE}
    rows = [r if shared else np.stack([r, r[::-1]]) for r in ROWS]

    def fresh() -> Simulator:
        return simulator([setting, setting], backend=backend, delay=2, shared=shared, protocol=protocol)

    made = train(fresh(), rows[:5])
    assert made.schedule.length > made.schedule.duration
    kept = made.snapshot()
    train(made, rows[5:]).drain()
    expected, tick = bits(made), made.tick
    again = Simulator(made.circuit, made.protocol, seeds=(0, 1), batch=16, dtype="float64", shared=shared,
                      backend=backend, parameters=together([setting, setting]))  # fmt: skip
    for one in (made, fresh(), again):
        one.restore({key: array.copy() for key, array in kept.items()})
        if one is again:
            one.use(digits(), classes() if one.circuit.labels else None)
        train(one, rows[5:]).drain()
        assert bits(one) == expected and (one.tick, one.presentations) == (tick, len(rows))
    final = made.snapshot()
    train(made, rows).drain()
    once = bits(made)
    made.restore(final)
    train(made, rows).drain()
    assert bits(made) == once


@each_backend
def test_drained_twice_is_drained_once(backend: str) -> None:
    made = simulator([stack((64, 9, 7))], backend=backend, delay=2, protocol={"interval": 5, **AT_ONCE})
    made.drain()
    assert made.tick == 0
    train(made, ROWS)
    before = bits(made)
    made.drain()
    after, tick = bits(made), made.tick
    assert after != before and tick == 5 * (len(ROWS) + 1)
    made.drain()
    assert bits(made) == after and made.tick == tick
    plain = train(simulator([stack((64, 9, 7))], backend=backend), ROWS)
    now = (bits(plain), plain.tick)
    plain.drain()
    assert (bits(plain), plain.tick) == now


@each_backend
@pytest.mark.parametrize("sizes", [[16, 1], [3], [16, 5, 16, 2]])
def test_batches_of_any_size_follow_each_other(sizes: list[int], backend: str) -> None:
    rows = [np.arange(size) + 20 * k for k, size in enumerate(sizes)]
    made = simulator([stack((64, 9, 7), {"lr": 0.3})], backend=backend, delay=2, protocol={"interval": 3, **AT_ONCE})
    expected = by_hand(weights_of(made), rows, 3, 0.3, blocks=2, delay=2, at_once=True)
    train(made, rows).drain()
    assert distance(weights_of(made), expected) < 1e-12


def test_another_kind_of_presentation_begins_when_all_have_left() -> None:
    setting = stack((64, 9, 7))
    made = train(simulator([setting], delay=2, protocol={"interval": 5, **AT_ONCE}), ROWS)
    made.change_protocol(replace(made.protocol, interval=None))
    train(made, ROWS)
    first = train(simulator([setting], delay=2, protocol={"interval": 5, **AT_ONCE}), ROWS)
    first.drain()
    then = simulator([setting], delay=2, protocol=AT_ONCE)
    for name, values in first.tensors().items():
        then.load(name, values)
    assert bits(train(then, ROWS)) == bits(made)


@each_backend
def test_what_diverges_while_it_leaves(backend: str) -> None:
    """Named, and the clock goes on; the weights that are kept are finite."""
    wild = stack((64, 9), {("E1", "lr"): 1e308})
    made = simulator([wild], backend=backend, delay=2, protocol={"interval": 5, **AT_ONCE})
    made.present(ROWS[0])
    with pytest.raises(Diverged, match=r"^projection E1, replica 0: plasticity at tick 6 of presentation 0 gave"):
        made.drain()
    assert made.tick == 5 and all(np.isfinite(values).all() for values in made.tensors().values())


@each_backend
def test_other_examples_are_used_when_all_have_left(backend: str) -> None:
    """Labels may come later than the input they belong to."""
    setting, protocol = SETTINGS["tourbillon"], {"interval": 5, **AT_ONCE}
    made, expected = (simulator([setting], backend=backend, delay=2, protocol=protocol) for _ in range(2))
    for one in (made, expected):
        train(one, ROWS[:3])
    expected.drain()
    for one in (made, expected):
        one.use(digits()[100:], classes()[100:])
        train(one, [rows % 100 for rows in ROWS]).drain()
    assert bits(made) == bits(expected)


def test_coins_of_those_that_leave_are_their_own() -> None:
    """Increments that wait for a coin have one at each interval, also when nothing enters any more."""
    waiting = classifier("kp", (64, 9, 7, 10), {"update_probability": 0.5}, deferred=True)
    made = simulator([waiting], delay=2, protocol={"interval": 3, **AT_ONCE})
    train(made, ROWS[:3])
    ticks = []
    original = made.state.set_clock
    made.state.set_clock = lambda *now: (ticks.append(now[0]), original(*now))[1]  # type: ignore[method-assign]
    made.drain()
    assert ticks == [9 + 3 * k for k in range(-(-made.schedule.length // 3) - 1)]
