"""Mirror mode: what happens in a wave and when, that its noise is keyed, that it can be taken back and continued."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import Built, classifier, digits, presentations, simulator, train

from circuitsim.circuit.parts import Mirror, Noise, Plasticity
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import Diverged, ScheduleError
from circuitsim.rules import local_rule
from circuitsim.timetable.schedule import make_schedule, make_schedules

DEEP = (64, 9, 7, 10)
NUMBERS = {"weight_decay": 0.05, "noise_scale": 0.5, "momentum": 0.5}
WM = classifier("wm", DEEP, NUMBERS)
ROWS = presentations(6)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def mirrored(made: Simulator, h: int) -> tuple[np.ndarray, np.ndarray]:
    """The noise and the answer of the last wave through W{h}."""
    wave = made.mirror_plans[h - 2].activity
    batch = wave.capacity
    return wave.array((f"layer{h - 1}", "O", 0), batch).copy(), wave.array((f"layer{h}", "O", 0), batch).copy()


# ------------------------------------------------------------------------------------------------- the timetable


@pytest.mark.parametrize("delay", [1, 3])
def test_a_wave_is_noise_its_answer_and_learning(delay: int) -> None:
    later = str(delay)
    presentation, *waves = make_schedules(*layered_classifier([6, 5, 4, 3], "wm", delay=delay))
    assert [wave.protocol.mirror for wave in waves] == ["W2", "W3"]
    assert [wave.duration for wave in waves] == [delay + 1] * 2 and [wave.window for wave in waves] == [delay] * 2
    assert waves[0].table() == [
        ("0", "mirror mode", "layer1", "0", "", "layer1.O(0)"),
        (later, "delivery", "W2", "0", "layer1.O(0), W2.weight", "layer2.S(0)"),
        (later, "mirror mode", "layer2", "1", "W2.bias", "layer2.S(0), layer2.O(0)"),
        (later, "plasticity", "B2", "", "layer1.O(0), layer2.O(0)", "B2.increment"),
        (later, "update", "B2", "", "B2.increment", "B2.weight"),
    ]
    assert waves[1].table()[0][1:3] == ("mirror mode", "layer2")
    assert not {row[1] for row in presentation.table()} & {"mirror mode"}
    assert presentation.windows.keys() == {"W1", "W2", "W3"}


def test_blocked_biases_are_not_read() -> None:
    waves = make_schedules(*layered_classifier([6, 5, 4], "wm", mirror=Mirror("", block_bias=True)))[1:]
    assert not any("bias" in row[4] for wave in waves for row in wave.table())


def test_a_mirror_through_which_nothing_learns_does_nothing() -> None:
    circuit, protocol = layered_classifier([6, 5, 4], "fa")
    presentation, wave = make_schedules(replace(circuit, mirrors=(Mirror("W1"),)), protocol)
    assert (
        wave.entries == ()
        and wave.duration == 1
        and presentation == replace(make_schedule(circuit, protocol), circuit=presentation.circuit)
    )


def test_without_learning_there_are_no_waves_to_speak_of() -> None:
    circuit, protocol = layered_classifier([6, 5, 4], "wm")
    assert all(made.entries == () for made in make_schedules(circuit, replace(protocol, learn=False)))


def test_a_rule_of_mirror_mode_reads_what_fires_there() -> None:
    @local_rule
    def late(pre, post):  # type: ignore[no-untyped-def]
        return pre.at(1) * post.at(0)

    circuit, protocol = layered_classifier([6, 5, 4], "wm")
    learning = Plasticity("B2", late, pre="layer2", post="layer1", mirror="W2")
    message = (
        "rule of projection B2: got a reading of layer2 at cycle 1, which never happens; expected cycles 0 to 0 (0 for "
        "error neurons). Recirculate more often, or let the rule read an earlier cycle."
    )
    with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
        make_schedules(replace(circuit, plasticity=(learning,)), protocol)


def test_the_window_holds_in_mirror_mode_too() -> None:
    circuit, protocol = layered_classifier([6, 5, 4], "wm", delay=2, window=6)
    assert make_schedules(circuit, protocol)[1].window == 6
    slow = replace(circuit, projections=tuple(replace(q, delay=1 + 8 * (q.name == "W2")) for q in circuit.projections))
    with pytest.raises(ScheduleError, match=r"rule delta of projection W1: got pre\.at\(0\), 11 ticks old"):
        make_schedules(slow, protocol)
    lonely = replace(slow, plasticity=tuple(p for p in slow.plasticity if p.mirror))
    with pytest.raises(ScheduleError, match=r"rule amp of projection B2: got post\.at\(0\), 9 ticks old"):
        make_schedules(lonely, protocol)


def test_a_rule_that_reads_no_activity_happens_at_once() -> None:
    @local_rule
    def fading(w):  # type: ignore[no-untyped-def]
        return -0.5 * w

    circuit, protocol = layered_classifier([64, 5, 10], "wm")
    added = Plasticity("B2", fading, pre="layer2", post="layer1", momentum=False, mirror="W2")
    _, wave = make_schedules(replace(circuit, plasticity=(*circuit.plasticity, added)), protocol)
    assert [row[:3] for row in wave.table() if row[1] == "plasticity"] == [("0", "plasticity", "B2"),
                                                                          ("1", "plasticity", "B2")]  # fmt: skip
    still = replace(circuit, plasticity=(added,))
    made = Simulator(still, protocol, batch=4, parameters={"lr": 1.0}, dtype="float64")
    before = made.tensors()["B2.weight"].copy()
    made.mirror(2)
    np.testing.assert_allclose(made.tensors()["B2.weight"], before / 4, rtol=1e-14)


# ------------------------------------------------------------------------------------------------- what it computes


@both
@pytest.mark.parametrize("block_bias", [False, True])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("output", ["softmax", "logistic"])
def test_the_answer_and_what_is_learned_from_it(backend: str, block_bias: bool, centre: bool, output: str) -> None:
    mirror = Mirror("", Noise.UNIFORM, block_bias, centre)
    numbers: dict[Any, float] = {"noise_scale": 0.8, "lr": 0.3}
    made = simulator([classifier("wm", DEEP, numbers, mirror=mirror, output=output)], backend=backend)
    for h, f in ((2, np.tanh), (3, (lambda s: s) if output == "softmax" else lambda s: 1 / (1 + np.exp(-s)))):
        before = {name: t.copy() for name, t in made.tensors().items()}
        made.mirror()
        noise, answer = mirrored(made, h)
        assert noise.shape == (1, 16, DEEP[h - 1]) and 0.7 < np.abs(noise).max() <= 0.8
        bias = 0 if block_bias else before[f"W{h}.bias"][:, None]
        expected = f(noise @ before[f"W{h}.weight"].transpose(0, 2, 1) + bias)
        expected = expected - expected.mean(axis=1, keepdims=True) if centre else expected
        np.testing.assert_allclose(answer, expected, atol=1e-13)
        learned = before[f"B{h}.weight"] + 0.3 * noise.transpose(0, 2, 1) @ answer / 16
        np.testing.assert_allclose(made.tensors()[f"B{h}.weight"], learned, atol=1e-13)
        rest = {name for name in before if not np.array_equal(before[name], made.tensors()[name])}
        assert rest == {"B2.weight", "B3.weight"}


@both
def test_noise_is_keyed_by_presentation_replica_and_projection(backend: str) -> None:
    made = simulator([WM] * 3, seeds=[1, 2, 1], backend=backend)
    made.present(ROWS[0])
    (first, _), (second, _) = mirrored(made, 2), mirrored(made, 3)
    assert np.array_equal(first[0], first[2]) and not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[:, :, :7], second)
    made.present(ROWS[0])
    assert not np.array_equal(mirrored(made, 2)[0], first)
    again = simulator([WM] * 3, seeds=[1, 2, 1], backend=backend)
    again.present(ROWS[3])  # whatever is shown
    assert np.array_equal(mirrored(again, 2)[0], first)
    other = simulator([classifier("wm", DEEP, NUMBERS, passes=2)], seeds=[1], backend=backend)
    other.present(ROWS[0])
    assert not np.array_equal(mirrored(other, 2)[0], first[:1])  # the second pass has noise of its own


def test_all_backends_fire_the_same_noise() -> None:
    found = [mirrored(train(simulator([WM], backend=name), ROWS), 3)[0] for name in ("numba", "numpy")]
    assert np.array_equal(*found)


@both
def test_passes_follow_each_presentation(backend: str) -> None:
    """As if they had been asked for one by one; their ticks count."""
    made = simulator([classifier("wm", DEEP, NUMBERS, passes=3)], backend=backend)
    none = simulator([classifier("wm", DEEP, NUMBERS, passes=0)], backend=backend)
    assert made.protocol.passes == 3 and none.protocol.passes == 0
    for rows in presentations(3, largest=16)[:2]:  # whole batches: asked for, mirror mode has a full one
        made.present(rows)
        none.present(rows)
        none.mirror(3)
        assert bits(made) == bits(none) and made.tick == none.tick
    waves = sum(wave.duration for wave in made.schedules[1:])
    assert made.tick == 2 * (made.schedule.duration + 3 * waves)
    untouched = simulator([classifier("wm", DEEP, NUMBERS, passes=0)], backend=backend)
    before = untouched.tensors()["B2.weight"].copy()
    train(untouched, ROWS)
    assert np.array_equal(untouched.tensors()["B2.weight"], before)


@both
def test_passes_before_training(backend: str) -> None:
    """They need no examples, and passes asked for together are those asked for one by one."""
    together = Simulator(*WM.described(), batch=16, backend=backend, parameters=WM.parameters())
    apart = Simulator(*WM.described(), batch=16, backend=backend, parameters=WM.parameters())
    together.mirror(4)
    for _ in range(4):
        apart.mirror()
    assert bits(together) == bits(apart) and together.tick == apart.tick > 0 and together.presentations == 0
    before = bits(together)
    together.mirror(0)
    assert bits(together) == before and together.tick == apart.tick
    first = Simulator(*WM.described(), batch=16, backend=backend, parameters=WM.parameters())
    assert bits(first)["W2.weight"] == before["W2.weight"] and bits(first)["B2.weight"] != before["B2.weight"]


def test_a_replica_is_a_run_of_its_own() -> None:
    settings = [WM, WM.having(noise_scale=1.0), WM.having(weight_decay=0.3, lr=0.02)]
    together = train(simulator(settings, seeds=[4, 5, 6]), ROWS)
    for k, (setting, seed) in enumerate(zip(settings, (4, 5, 6), strict=True)):
        alone = train(simulator([setting], seeds=[seed]), ROWS)
        for name, tensor in alone.tensors().items():
            np.testing.assert_allclose(together.tensors()[name][k], tensor[0], atol=1e-12)


# ------------------------------------------------------------------------------------------ continued, and by queue


@both
def test_restored_in_the_middle_it_goes_on_to_the_same_bits(backend: str) -> None:
    made = simulator([WM] * 2, backend=backend)
    made.mirror(2)
    train(made, ROWS[:3])
    made.mirror(1)
    kept = {name: array.copy() for name, array in made.snapshot().items()}
    train(made, ROWS[3:])
    expected = bits(made)
    for other in (made, simulator([WM] * 2, backend=backend)):
        other.restore(kept)
        assert bits(train(other, ROWS[3:])) == expected
    elsewhen = simulator([WM] * 2, backend=backend)
    elsewhen.restore(kept | {"tick": np.zeros(1, np.int64)})
    assert bits(train(elsewhen, ROWS[3:])) != expected  # the noise is the clock's


ORDERS: list[Callable[[list[Any]], list[Any]]] = [
    lambda events: events,
    lambda events: events[::-1],
    lambda events: random.Random(len(events)).sample(events, len(events)),
]


@both
@pytest.mark.parametrize(
    "setting",
    [
        WM,
        classifier("wm", DEEP, NUMBERS, mirror=Mirror("", centre=True), normalise=True, passes=2),
        classifier("ia", DEEP, NUMBERS, primitives=("self", "sparse", "decay", "null", "amp")),
        classifier("ss", DEEP, NUMBERS, masked=True, loss="hinge", output="identity"),
    ],
    ids=lambda s: s.label,
)
def test_through_the_queue_the_bits_are_those_of_the_plan(setting: Built, backend: str) -> None:
    expected = train(simulator([setting] * 2, backend=backend), ROWS)
    for order in ORDERS:
        found = train(simulator([setting] * 2, backend=backend, order=order), ROWS)
        assert bits(found) == bits(expected) and found.tick == expected.tick


@both
def test_values_that_are_not_finite_are_found_in_mirror_mode(backend: str) -> None:
    made = simulator([WM.having({("B2", "lr"): 1e290}, noise_scale=1e30)], backend=backend)
    before, tick = bits(made), made.tick
    message = r"projection B2, replica 0: plasticity at tick 1 of presentation 0 gave values that are not finite\."
    with pytest.raises(Diverged, match=message):
        made.mirror(3)
    assert bits(made) == before and made.tick == tick  # and another attempt can be made
    with pytest.raises(Diverged, match=message):
        made.present(ROWS[0])
    settings = [WM.having({("B2", "lr"): 0.1}), WM.having({("B2", "lr"): 1e290}, noise_scale=1e30)]
    dropping = simulator(settings, backend=backend, on_divergence="drop")
    kept = dropping.tensors()["B2.weight"].copy()
    dropping.mirror(2)
    assert dropping.state.alive.tolist() == [True, False]
    assert np.array_equal(dropping.tensors()["B2.weight"][1], kept[1])
    assert not np.array_equal(dropping.tensors()["B2.weight"][0], kept[0])
    train(dropping, ROWS)
    assert dropping.presentations == len(ROWS) and digits().shape[0] == 200
