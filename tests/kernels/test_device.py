"""The backend of a GPU: what it computes is the reference's, what stays on the device, and what guards halt there.

Without a device all of it runs on the processor (`standin.py`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import standin
from building import (
    Built,
    Setting,
    classes,
    classifier,
    digits,
    distance,
    grown,
    nest,
    presentations,
    simulator,
    stack,
    train,
    weights_of,
)
from sample_rules import coincidence, oja

from circuitsim import Simulator, Updates
from circuitsim.circuit.parts import Mirror, Noise
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.hooks import Hook
from circuitsim.engine.interrupts import Pace
from circuitsim.errors import Diverged
from circuitsim.kernels import backend
from circuitsim.kernels.gpu.graphs import GraphProgram, RepeatedGraph
from circuitsim.kernels.gpu.launch import Launch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(standin.missing() is not None, reason=standin.missing() or ""),
]
SIZES = (64, 5, 4, 10)
HALF = {"density": 0.5}
PLAIN = Setting((64, 5, 64), momentum=0.5, max_norm=1.5)
SETTINGS = [
    replace(PLAIN, cycles=3, reference_cycle=1, variant="rwcc", top_rule="own"),
    Setting((64, 5, 4, 64), rule="rec-symmetric", variant="ccrcc", lam=(0.2, 0.7), hidden="relu", output="identity"),
    replace(PLAIN, variant="rwcc", rule="error-rec"),
    Setting((64, 5, 4, 64), rule="rbp", hidden="saturated", output="softmax"),
    Setting((64, 5, 64), rule="arbp", bias=False),
    Setting((64, 5, 64), rule=oja, momentum=0.5),
    Setting((64, 5, 64), rule=coincidence),
    classifier("bp", SIZES, masked=True, numbers=HALF),
    classifier("fa", SIZES, loss="hinge", output="identity", numbers={"margin": 0.3}),
    classifier("kp", SIZES, output="softmax", numbers={"weight_decay": 0.1, "momentum": 0.5}),
    classifier("wm", SIZES, normalise=True, masked=True, numbers={**HALF, "momentum": 0.5}),
    classifier("wm", SIZES, mirror=Mirror("", Noise.UNIFORM, True, True), passes=2, output="tanh", bias=False),
    classifier("ss", SIZES, redrawn=True, masked=True, numbers=HALF),
    classifier("bp", SIZES, copied=True, masked=True, numbers={**HALF, "copy_interval": 2.0}),
    classifier("bp", SIZES, updates=Updates.AT_ONCE, masked=True, numbers=HALF),
    classifier(
        "kp", SIZES, updates=Updates.EITHER, deferred=True, masked=True, numbers=HALF | {"update_probability": 0.5}
    ),
    classifier("ia", SIZES, primitives=("self", "sparse", "decay", "null", "amp")),
    Built("replaced", replacement_classifier, SIZES, (("feedback", "urfb"),)),
    stack((64, 5, 4, 3), numbers={"emits": 0.3, "remembers": 0.6, "momentum": 0.5}),
    grown(SIZES, {"emits": 0.3, "momentum": 0.5}, updates=Updates.AT_ONCE),
    nest((64, 5, 4, 64), (3, 2), {"emits": 0.3, "remembers": 0.6}),
]
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.label)
ROWS = presentations(7, largest=9)
FULL = np.array([rows for rows in ROWS if len(rows) == 9])


@pytest.fixture(autouse=True)
def _courses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show a sequence of batches in one piece, however slow the first presentation is."""
    monkeypatch.setattr(Pace, "count", 100)


def made(setting: Setting | Built, name: str = "cupy", **more: Any) -> Simulator:
    return simulator([setting, setting.with_rate(0.2)], backend=name, batch=9, **more)


def same(one: Simulator, other: Simulator) -> bool:
    """Whether two simulators have the same bits."""
    first, second = one.snapshot(), other.snapshot()
    return first.keys() == second.keys() and all(np.array_equal(a, second[n], True) for n, a in first.items())


def apart(one: Simulator, other: Simulator) -> float:
    return max(distance(weights_of(one, r), weights_of(other, r)) for r in range(one.state.replicas))


# ---------------------------------------------------------------------------------------------------- what is computed


@each_setting
def test_whole_presentations_are_the_references(setting: Setting | Built) -> None:
    """Of several batch sizes, each captured and then replayed."""
    found = train(made(setting), ROWS)
    assert apart(found, train(made(setting, "numpy"), ROWS)) < 1e-11
    assert apart(found, made(setting)) > 1e-3


@pytest.mark.parametrize("setting", [SETTINGS[0], SETTINGS[7], SETTINGS[11], SETTINGS[14]], ids=lambda s: s.label)
def test_event_by_event_probed_hooked_and_again_the_bits_are_the_same(setting: Setting | Built) -> None:
    expected = train(made(setting, dtype="float32"), ROWS)
    others: list[dict[str, Any]] = [{}, {"order": lambda events: events[::-1]}, {"evidence": True}]
    others += [{"hooks": [Hook(lambda tensors: None, "delivery")]}]
    assert all(same(train(made(setting, dtype="float32", **more), ROWS), expected) for more in others)


@pytest.mark.skipif(not standin.stands_in(), reason="the device itself decides in which order threads run")
@each_setting
def test_the_order_of_threads_makes_no_difference(setting: Setting | Built, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(made(setting, dtype="float32"), ROWS[:3])
    monkeypatch.setattr(standin, "backwards", True)
    assert same(train(made(setting, dtype="float32"), ROWS[:3]), expected)


def test_replicas_with_data_of_their_own() -> None:
    rows = [np.stack([r, r[::-1] + 1]) % 200 for r in ROWS]
    one, other = (train(made(PLAIN, name, shared=False), rows) for name in ("cupy", "numpy"))
    assert apart(one, other) < 1e-11


def test_presentations_that_overlap() -> None:
    circuit, protocol = stacked_autoencoders((64, 5, 4))
    protocol = replace(protocol, updates=Updates.AT_ONCE, interval=4)
    both = []
    for name in ("cupy", "numpy"):
        run = Simulator(circuit, protocol, batch=9, dtype="float64", backend=name)
        run.use(digits())
        train(run, ROWS)
        run.drain()
        both.append(run)
    assert apart(*both) < 1e-11


@pytest.mark.parametrize("setting", [SETTINGS[0], SETTINGS[9]], ids=lambda s: s.label)
def test_a_course_is_one_presentation_after_the_other(setting: Setting | Built) -> None:
    one, other = made(setting), made(setting)
    assert other.plans[0].repeats(9) and isinstance(other.plans[0].bound(9).run, RepeatedGraph)
    other.present_each(FULL[:1])
    other.present_each(FULL[1:])
    assert same(train(one, list(FULL)), other)
    other.present_each(FULL[:2])  # and both again, one in the other's way
    assert same(train(one, list(FULL[:2])), other)


@pytest.mark.parametrize("setting", [SETTINGS[13], SETTINGS[14], SETTINGS[10]], ids=lambda s: s.label)
def test_what_needs_the_host_between_has_no_courses(setting: Setting | Built) -> None:
    one, other = made(setting), made(setting)
    assert setting.label == "wm" or not other.plans[0].repeats(9)
    other.present_each(FULL)
    assert same(train(one, list(FULL)), other)


def test_simulators_in_many_threads_of_the_user_do_not_disturb_each_other() -> None:
    expected, found = train(made(PLAIN), ROWS), list[Simulator]()
    users = [threading.Thread(target=lambda: found.append(train(made(PLAIN), ROWS))) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join(60)
    assert len(found) == 3 and all(same(one, expected) for one in found)


# ----------------------------------------------------------------------------------------------- host and device


def test_weights_are_up_to_date_when_asked_for_and_what_is_changed_then_counts() -> None:
    both = []
    for name in ("cupy", "numpy"):
        run = train(made(PLAIN, name), ROWS[:3])
        run.state.writable()["A1.weight"][:, 0] *= 0.5
        train(run, ROWS[3:5])
        run.load("A2.bias", np.linspace(-1, 1, 64))
        run.set_rates(0.3)
        train(run, ROWS[5:])
        run.set_parameters({("A1", "lr"): 0.01, ("layer1", "max_norm"): 0.7})
        both.append(train(run, ROWS))
    assert apart(*both) < 1e-11


@pytest.mark.parametrize("shown", [3, 5])
def test_a_snapshot_goes_on_to_the_same_bits(shown: int) -> None:
    one = train(made(SETTINGS[10], dtype="float32"), ROWS[:shown])
    again = train(made(SETTINGS[10], dtype="float32"), ROWS[:1])
    again.restore(one.snapshot())
    assert same(train(one, ROWS[shown:]), train(again, ROWS[shown:]))


def test_hooks_see_and_change_the_weights() -> None:
    seen: dict[str, list[float]] = {"cupy": [], "numpy": []}
    both = []
    for name, found in seen.items():

        def shrink(tensors: Any, found: list[float] = found) -> None:
            found.append(float(np.abs(tensors["A1.weight"]).sum()))
            tensors["A1.weight"][...] *= 0.9

        both.append(train(made(PLAIN, name, hooks=[Hook(shrink, "forward pass")]), ROWS))
    assert apart(*both) < 1e-11 and np.allclose(*seen.values(), rtol=1e-11) and len(set(seen["cupy"])) > 7


def test_what_is_observed_and_probed() -> None:
    key, setting = ("layer1", "O", 0), classifier("fa", SIZES, output="softmax")
    one, other = (train(made(setting, name, probes=[key]), ROWS) for name in ("cupy", "numpy"))
    assert np.allclose(one.probe(*key), other.probe(*key), atol=1e-12)
    for x in (digits()[:50], digits()[50:90].copy(), digits()[:50] / 2):
        found = [
            np.concatenate([o.copy() for _, (o,) in r.observe([key], x, classes()[: len(x)])], 1) for r in (one, other)
        ]
        assert np.allclose(*found, atol=1e-12) and found[0].std() > 0.01


def test_data_that_change_are_announced_and_others_stay_where_they_are(uploads: list[int]) -> None:
    x, still = digits()[:150].copy(), digits()[:150].copy()
    still.flags.writeable = False
    runs = [train(made(PLAIN, name), ROWS[:3]) for name in ("cupy", "numpy")]
    for run in runs:
        run.use(x)
    x *= 0.5
    for run in runs:
        run.use(x)
        train(run, [rows % 150 for rows in ROWS])
    assert apart(*runs) < 1e-11
    sizes = [still.nbytes in found for found in (_used(runs[0], still, uploads), _used(runs[0], still, uploads))]
    assert sizes == [True, False]


def _used(run: Simulator, x: np.ndarray, uploads: list[int]) -> list[int]:
    """The uploads of a use of data and four presentations."""
    uploads.clear()
    run.use(x)
    train(run, [rows % 150 for rows in FULL])
    return list(uploads)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sizes of what was taken to the device."""
    found: list[int] = []
    opened = backend("cupy").device()
    real = opened.upload
    monkeypatch.setattr(opened, "upload", lambda a, s, size: (found.append(size), real(a, s, size))[1])
    yield found


def test_a_presentation_takes_nothing_but_row_numbers_to_the_device(uploads: list[int]) -> None:
    run = train(made(PLAIN), list(FULL))
    uploads.clear()
    run.present(FULL[0])
    assert uploads == [9 * 8]
    run.present_each(FULL)
    uploads.clear()
    run.present_each(FULL)
    assert set(uploads) == {2 * 8, FULL.nbytes}  # where they lie, and all rows of a course


@pytest.mark.skipif(not standin.stands_in(), reason="CuPy does not tell what is allocated")
def test_memory_goes_with_the_simulator() -> None:
    gc.collect()
    backend("cupy").device().allocate(1)
    before = len(standin.memory.blocks)
    run = train(made(PLAIN), ROWS)
    assert len(standin.memory.blocks) > before + 20
    del run
    gc.collect()
    backend("cupy").device().allocate(1)
    assert len(standin.memory.blocks) <= before + 1


# ---------------------------------------------------------------------------------------------------- programs, guards


def programs(run: Simulator) -> list[GraphProgram]:
    """The programs of a presentation."""
    presentation: Any = run.plans[0].bound(9).run
    return [p for p in getattr(presentation, "steps", [presentation]) if isinstance(p, GraphProgram)]


def test_a_presentation_is_one_graph_and_one_more_wherever_the_host_must_look() -> None:
    run = train(made(PLAIN), list(FULL))
    assert len(programs(run)) == 1 and programs(run)[0].graph is not None
    at_once = train(made(SETTINGS[14]), list(FULL))
    assert len(programs(at_once)) == 3  # an update after each layer's rule, before errors go on
    assert all(p.graph is not None for p in programs(at_once))


@pytest.mark.parametrize(("setting", "saved"), [(PLAIN, 6), (SETTINGS[7], 8)], ids=["bounded", "masked"])
def test_what_does_the_same_with_several_arrays_is_one_launch(setting: Setting | Built, saved: int) -> None:
    """Guards; and updates, of which masks part those of different projections."""
    (program,) = programs(train(made(setting), list(FULL)))
    assert len(program.launches) - len(program.issued) == saved


def exploding(name: str, **more: Any) -> Simulator:
    """Replicas of which the second's data are not finite after a while."""
    run = made(PLAIN, name, shared=False, **more)
    run.plans[0].x[199] = np.nan  # type: ignore[index]
    return run


def course(at: dict[int, int]) -> np.ndarray:
    """Presentations (6, 2, 9), in which some replicas see what is not finite."""
    rows = np.random.default_rng(0).integers(0, 199, (6, 2, 9))
    for time, replica in at.items():
        rows[time, replica, 3] = 199
    return rows


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("at", [0, 1, 4])
def test_the_weights_kept_are_the_last_finite_ones(at: int, together: bool) -> None:
    run, other = exploding("cupy"), exploding("cupy")
    message = rf"projection A\d, replica 1: plasticity at tick \d+ of presentation {at} gave"
    with pytest.raises(Diverged, match=message):
        run.present_each(course({at: 1})) if together else train(run, list(course({at: 1})))
    train(other, list(course({at: 1})[:at]))
    assert run.presentations == at and apart(run, other) == 0 and run.tick == other.tick
    assert apart(train(run, list(course({}))), train(other, list(course({})))) == 0  # and it can go on


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("setting", [PLAIN, replace(PLAIN, rule="bp")], ids=lambda s: s.label)
def test_a_replica_that_diverges_is_dropped_and_the_others_go_on(setting: Setting, together: bool) -> None:
    shown = course({2: 1})
    run, other = (exploding(name, on_divergence="drop") for name in ("cupy", "numpy"))
    run.present_each(shown) if together else train(run, list(shown))
    train(other, list(shown))
    assert run.state.alive.tolist() == other.state.alive.tolist() == [True, False]
    assert run.presentations == 6 and apart(run, other) < 1e-11


def test_what_was_shown_is_counted_whatever_breaks_a_course_off(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.tile(FULL, (8, 1))
    run, other = (train(made(PLAIN), list(FULL)) for _ in range(2))
    run.present_each(FULL)
    program: Any = run.plans[0].bound(9).run
    issue, left = program.repeated, [7]

    def broken() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        issue()

    monkeypatch.setattr(program, "repeated", broken)
    with pytest.raises(KeyboardInterrupt):
        run.present_each(rows)
    monkeypatch.undo()
    assert run.presentations == 2 * len(FULL) + 6
    other.present_each(np.concatenate([FULL, rows[:6]]))
    assert same(run, other)
    run.present_each(FULL)
    other.present_each(FULL)
    assert same(run, other)


def test_a_replica_that_was_dropped_halts_nothing_any_more() -> None:
    """What it proposes is no number in every presentation from then on; nobody has to look again."""
    run = exploding("cupy", on_divergence="drop")
    looked: list[int] = []
    real = run.monitor.check
    run.monitor.check = lambda *given: (looked.append(1), real(*given))[1]  # type: ignore[method-assign]
    shown = course(dict.fromkeys(range(6), 1))
    run.present_each(shown)
    train(run, list(shown))
    assert run.state.alive.tolist() == [True, False] and looked == [1]


def test_updates_at_once_stop_before_what_is_not_finite_is_kept() -> None:
    setting = classifier("bp", SIZES, updates=Updates.AT_ONCE)
    both = []
    for name in ("cupy", "numpy"):
        run = made(setting, name, shared=False, on_divergence="drop")
        run.plans[0].x[199] = np.nan  # type: ignore[index]
        both.append(train(run, list(course({1: 0}))))
    assert both[0].state.alive.tolist() == [False, True] and apart(*both) < 1e-11


def test_what_a_graph_may_not_hold_is_refused_by_the_stand_in() -> None:
    if not standin.stands_in():
        pytest.skip("a device refuses by itself")
    opened = backend("cupy").device()
    for forbidden in (lambda: opened.allocate(8), opened.stopped, lambda: opened.capture(lambda: None)):
        with pytest.raises(RuntimeError, match="while a graph is captured"):
            opened.capture(forbidden)
        assert standin.stream.captured is None


def test_an_array_too_large_for_the_kernels_and_one_in_pieces_are_refused() -> None:
    kernels = backend("cupy")
    wide = np.broadcast_to(np.zeros(1, np.float32), (1, 2**16, 2**15))
    with pytest.raises(ValueError, match="an array of 65536 by 32768 is too large for the device's kernels"):
        kernels.subtract(wide, wide, wide)
    pieces = np.zeros((1, 6, 8))[:, ::2, ::2]
    with pytest.raises(ValueError, match="a matrix must have its rows or its columns in one piece"):
        kernels.deliver(pieces, np.zeros((1, 4, 2)), np.zeros((1, 3, 2)), accumulate=False)
    assert isinstance(kernels.subtract(pieces, pieces, pieces), Launch)
