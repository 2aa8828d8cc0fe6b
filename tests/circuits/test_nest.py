"""Tourbillons of tourbillons: against loops by hand, inner loops faster than outer ones, and what audits say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import Tensors, digits, distance, nest, presentations, simulator, stack, train, weights_of
from tensors import bits

from circuitsim.analysis.audits.audit import audit
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.nest import nested_autoencoder
from circuitsim.circuits.tourbillon import growing
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule, make_schedules

each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])
ROWS = presentations(20)
LR = 0.2
ONE, TWO = ((64, 9, 64), (5,)), ((64, 9, 8, 64), (5, 4))


# --------------------------------------------------------------------------------------------------------- by hand


def once(x: np.ndarray, w: Tensors, top: int) -> dict[str, Any]:
    """One turn of the outer loop: hidden layers, their cores and images, the images sent around again, the output."""
    sent, found = x, {"below 1": x}
    for h in range(1, top):
        found[f"layer{h}"] = np.tanh(sums(w, f"A{h}", sent))
        found[f"core{h}"] = np.tanh(sums(w, f"P{h}", found[f"layer{h}"]))
        sent = found[f"image{h}"] = found[f"below {h + 1}"] = np.tanh(sums(w, f"Q{h}", found[f"core{h}"]))
        found[f"again{h}"] = np.tanh(sums(w, f"P{h}", sent))
    found["out"] = 1 / (1 + np.exp(-sums(w, f"A{top}", sent)))
    return found


def sums(w: Tensors, name: str, below: np.ndarray) -> np.ndarray:
    return np.asarray(below @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0))


def moves(x: np.ndarray, w: Tensors, top: int, groups: Sequence[str]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Projection, post and pre of everything that the groups let learn."""
    first = once(x, w, top)
    second = once(first["out"], w, top)  # the outer loop has turned: what comes out is what goes in
    found = []
    for h in range(1, top):
        layer, core, image = (first[f"{kind}{h}"] for kind in ("layer", "core", "image"))
        if f"encoder {h}" in groups:
            found.append((f"P{h}", core - first[f"again{h}"], layer))
        if f"decoder {h}" in groups:
            found.append((f"Q{h}", layer - image, core))
        if "tuning" in groups:
            found.append((f"P{h}", core - second[f"core{h}"], layer))
            found.append((f"Q{h}", image - second[f"image{h}"], core))
        if "outer" in groups:
            found.append((f"A{h}", layer - second[f"layer{h}"], first[f"below {h}"]))
    if "outer" in groups:
        found.append((f"A{top}", x - first["out"], first[f"below {top}"]))
    return found


def by_hand(weights: Tensors, rows: Sequence[np.ndarray], groups: Sequence[str], momentum: float = 0.0) -> Tensors:
    w = {name: values.copy() for name, values in weights.items()}
    top = sum(name.startswith("A") and name.endswith("weight") for name in w)
    velocity = {name: np.zeros_like(values) for name, values in w.items()}
    for chosen in rows:
        x = digits()[chosen]
        proposed: Tensors = {}
        for name, post, pre in moves(x, w, top, groups):
            for tensor, increment in (("weight", post.T @ pre), ("bias", post.sum(axis=0))):
                key = f"{name}.{tensor}"
                if key in w:
                    proposed[key] = proposed.get(key, np.zeros_like(w[key])) + increment / len(x)
        for key, increment in proposed.items():
            velocity[key] = momentum * velocity[key] + increment
            w[key] += LR * velocity[key]
    return w


GROUPS = {
    "inner": growing(1, 2),
    "outer": ("outer",),
    "tuning": ("tuning",),
    "outer and tuning": ("outer", "tuning"),
    "everything": (*growing(1, 2), "outer", "tuning"),
}


@each_backend
@pytest.mark.parametrize("sizes", [ONE, TWO], ids=["one hidden layer", "two"])
@pytest.mark.parametrize("name", GROUPS)
def test_learning_by_hand(name: str, sizes: Any, backend: str) -> None:
    groups = [g for g in GROUPS[name] if sizes is TWO or "2" not in g]
    made = simulator([nest(*sizes, {"lr": LR})], backend=backend, protocol={"groups": tuple(groups)})
    before = weights_of(made)
    expected = by_hand(before, ROWS, groups)
    train(made, ROWS)
    assert distance(weights_of(made), expected) < 1e-10
    learned = {key.split(".")[0] for key in expected if not np.array_equal(expected[key], before[key])}
    assert learned == {p.projection for p in made.circuit.plasticity if p.group in groups}


@each_backend
@pytest.mark.parametrize(
    "options", [{"bias": False}, {"delay": 2, "outer_delay": 1}, {"outer_delay": 7}, {"bounded": True}]
)
def test_delays_and_biases_change_nothing_else(options: dict[str, Any], backend: str) -> None:
    """Weights after learning do not depend on delays; a bound that is too loose does not, either."""
    made = simulator([nest(*TWO, {"lr": LR, "momentum": 0.4}, **options)], backend=backend)
    expected = by_hand(weights_of(made), ROWS, GROUPS["everything"], momentum=0.4)
    assert distance(weights_of(train(made, ROWS)), expected) < 1e-10


@each_backend
def test_any_order_of_simultaneous_events(backend: str) -> None:
    random = np.random.default_rng(0)
    setting = nest(*TWO, {"lr": LR, "emits": 0.3, "remembers": 0.6})
    for longest in (None, 3):
        planned = bits(train(simulator([setting] * 2, backend=backend, longest=longest), ROWS[:4]))
        for order in (lambda e: e[::-1], lambda e: [e[i] for i in random.permutation(len(e))]):
            made = simulator([setting] * 2, backend=backend, longest=longest, order=order)
            assert bits(train(made, ROWS[:4])) == planned


@each_backend
def test_inner_loops_are_blocks_of_their_own(backend: str) -> None:
    """The first inner loop learns as the second block of a stack on the same hidden layer, to the bit."""
    made = simulator([nest(*ONE, {"lr": LR})], backend=backend, protocol={"groups": growing(1)})
    other = simulator([stack((64, 9, 5), {"lr": LR})], backend=backend, protocol={"groups": growing(2)})
    names = {"A1": "E1", "P1": "E2", "Q1": "D2"}
    for mine, theirs in names.items():
        for kind in ("weight", "bias"):
            other.load(f"{theirs}.{kind}", made.tensors()[f"{mine}.{kind}"])
    train(made, ROWS)
    train(other, ROWS)
    for mine, theirs in names.items():
        assert np.array_equal(made.tensors()[f"{mine}.weight"], other.tensors()[f"{theirs}.weight"])


# ---------------------------------------------------------------------------------------------- times and places


@pytest.mark.parametrize("delay, outer", [(1, 1), (1, 3), (2, 3), (3, 1)])
@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_windows_of_inner_and_outer_loops(hidden: int, delay: int, outer: int) -> None:
    """An inner loop turns in 2 d ticks, the outer one in (H + 1) D + 2 H d: it needs that and a delay more."""
    circuit, protocol = nested_autoencoder([4, *[3] * hidden, 4], [2] * hidden, delay=delay, outer_delay=outer)
    inner = make_schedule(circuit, replace(protocol, groups=growing(*range(1, hidden + 1))))
    assert inner.windows == {
        f"{name}{h}": window * delay for h in range(1, hidden + 1) for name, window in (("P", 3), ("Q", 2))
    }
    turn = (hidden + 1) * outer + 2 * hidden * delay
    windows = make_schedule(circuit, replace(protocol, groups=("outer",))).windows
    below = {1: 0} | {h: (h - 1) * (outer + 2 * delay) for h in range(2, hidden + 2)}  # when A{h}'s source fires
    assert windows == {f"A{h}": turn + outer for h in range(1, hidden + 1)} | {f"A{hidden + 1}": turn}
    tuned = make_schedule(circuit, replace(protocol, groups=("tuning",))).windows
    assert tuned == {f"{name}{h}": turn + delay for h in range(1, hidden + 1) for name in "PQ"}
    assert below[hidden + 1] + outer == turn


def test_inner_loops_turn_faster() -> None:
    """By hand, with delays of one and three: layer 1 fires at 3 and again at 11, its image at 5, 7 and 13."""
    made = make_schedule(*nested_autoencoder([4, 3, 4], [2]))
    ticks: dict[str, list[int]] = {}
    for tick, phase, name, *_ in made.table():
        if phase in ("forward pass", "recirculation cycle"):
            ticks.setdefault(name, []).append(int(tick))
    assert ticks == {
        "layer0": [0, 8],
        "layer1": [3, 11],
        "inner1": [3, 5, 11],
        "core1": [4, 6, 12],
        "image1": [5, 13],
        "layer2": [8],
    }


def test_audits_find_nothing() -> None:
    for sizes, cores in (([8, 5, 8], [3]), ([8, 5, 4, 8], [3, 2])):
        found = audit(make_schedules(*nested_autoencoder(sizes, cores)))
        assert found["local"] and found["findings"] == []


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "sizes, cores, message",
    [
        (
            [4, 4],
            [],
            "sizes of a nested autoencoder: got [4, 4]; expected at least three layers, the last as large as the "
            "first. Layer L is layer 0: repeat the first size at the end.",
        ),
        (
            [4, 3, 5],
            [2],
            "sizes of a nested autoencoder: got [4, 3, 5]; expected at least three layers, the last as large as the "
            "first. Layer L is layer 0: repeat the first size at the end.",
        ),
        (
            [4, 3, 3, 4],
            [2],
            "cores of a nested autoencoder: got [2]; expected 2, one for each hidden layer. Give as many cores as "
            "there are hidden layers.",
        ),
    ],
)
def test_what_is_no_nest_is_refused(sizes: list[int], cores: list[int], message: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        nested_autoencoder(sizes, cores)


def beside(inner: int, outer: int) -> Circuit:
    """A loop beside the way of the outer one, which does not wait for it: they can meet in the core."""
    circuit, _ = nested_autoencoder([4, 3, 4], [2], delay=inner, outer_delay=outer)
    return replace(
        circuit,
        projections=tuple(replace(q, source="layer1") if q.name == "A2" else q for q in circuit.projections),
    )


def test_neurons_that_would_fire_twice_in_a_tick_are_refused() -> None:
    """The outer loop of two delays, the inner one too: as long as each other they meet, otherwise not."""
    _, protocol = nested_autoencoder([4, 3, 4], [2])
    assert make_schedule(beside(1, 3), protocol).window == 9
    message = (
        "presentation to circuit tourbillon of tourbillons: got inner1, which fires in cycle 1 and in cycle 2 in the "
        "same tick; expected neurons that fire once in a tick. Give the loops delays with which they do not meet."
    )
    for interval in (None, 4, 20):
        with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
            make_schedule(beside(3, 3), replace(protocol, interval=interval))


ENDS = (Population("in", 3, mixes=True), Population("hid", 2, "tanh", mixes=True), Population("out", 3, site="in"))
AROUND = (Projection("up", "in", "hid"), Projection("down", "hid", "out"))


@pytest.mark.parametrize("period", [0, -1, 1.5, True, "2"])
def test_periods_are_whole_numbers(period: Any) -> None:
    message = (
        f"exchange out -> in: got period {period!r}, carrying output; expected 1, or more for what goes around. Leave"
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message)):
        Circuit("c", ENDS, AROUND, inputs="in", outputs="out",
                exchanges=(Exchange("out", "in", Carries.OUTPUT, period=period),))  # fmt: skip


def test_only_a_returning_signal_has_a_period() -> None:
    circuit, _ = circular_autoencoder([4, 3, 4], "rbp")
    slow = tuple(replace(x, period=2) if x.carries is Carries.SLOPE else x for x in circuit.exchanges)
    message = "exchange layer1 -> error1: got period 2, carrying slope; expected 1, or more for what goes around."
    with pytest.raises(CircuitError, match="^" + re.escape(message)):
        replace(circuit, exchanges=slow)


def test_an_input_that_returns_is_for_neurons_that_mix() -> None:
    circuit, _ = nested_autoencoder([4, 3, 4], [2])
    still = tuple(replace(p, mixes=p.mixes and p.name != "inner1") for p in circuit.populations)
    message = (
        "exchange layer1 -> inner1: got an input that returns, for neurons that do not mix; expected mixing neurons. "
        "Set mixes=True there."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        replace(circuit, populations=still)


@pytest.mark.parametrize("source, cycles", [("layer1", 2), ("layer1", 0)])
def test_a_source_comes_before_what_takes_its_input(source: str, cycles: int) -> None:
    circuit, _ = nested_autoencoder([4, 3, 4], [2])
    late = sorted(circuit.populations, key=lambda p: p.name == source)
    message = (
        f"exchange {source} -> inner1: got a source, listed after its target, and {cycles} recirculation cycles; "
        f"expected a source that fires before its target within the tick. List {source} before inner1."
    )
    with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
        make_schedule(replace(circuit, populations=tuple(late)), Protocol(cycles=cycles, learn=False))
