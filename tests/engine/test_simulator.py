"""The loop: what it refuses, how it stops or goes on when values explode, and how it is taken back and continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import handwritten
import numpy as np
import pytest
from building import Setting, digits, distance, presentations, simulator, train, weights_of

from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, ConfigError, Diverged, ScheduleError

SMALL = Setting((64, 8, 6, 64), variant="ccrcc", cycles=2, momentum=0.5)
ROWS = presentations(8)
each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def copied(snapshot: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in snapshot.items()}


# -------------------------------------------------------------------------------------------------------- refusals

ROW_MESSAGE = (
    r"rows shown to circuit circular autoencoder: got {}; expected 1 to 16 indices of existing examples\. Call use"
)


@pytest.mark.parametrize(
    "rows, got",
    [
        (np.array([], int), "0 rows, of 200 examples in use"),
        (np.arange(17), "17 rows, of 200 examples in use"),
        (np.array([0, 200]), "2 rows, of 200 examples in use"),
        (np.array([-1, 0]), "2 rows, of 200 examples in use"),
        (np.array(3), r"an array of int64 of shape \(\)"),
        (np.zeros((2, 4), int), r"an array of int64 of shape \(2, 4\)"),
    ],
)
def test_rows_that_cannot_be_shown(rows: np.ndarray, got: str) -> None:
    made = simulator([SMALL])
    before = bits(made)
    with pytest.raises(CircuitError, match=ROW_MESSAGE.format(got)):
        made.present(rows)
    assert bits(made) == before
    made.present(np.arange(16))
    assert bits(made) != before and made.presentations == 1


def test_rows_for_another_number_of_replicas_are_refused() -> None:
    made = simulator([SMALL] * 3, shared=False)
    with pytest.raises(CircuitError, match="rows shown to circuit"):
        made.present(np.zeros((2, 4), int))


def test_rows_that_are_no_whole_numbers_are_refused() -> None:
    with pytest.raises(CircuitError, match="rows shown to circuit"):
        simulator([SMALL]).present(np.array([0.9, 1.1]))


def test_rows_before_any_examples() -> None:
    made = Simulator(*SMALL.described(), batch=4)
    with pytest.raises(
        CircuitError, match=r"got 2 rows, of 0 examples in use; .* Call use\(\) with the examples first"
    ):
        made.present(np.array([0, 1]))


@pytest.mark.parametrize("shape", [(10, 63), (64,), (0, 64), (2, 5, 64)])
def test_examples_that_do_not_fit(shape: tuple[int, ...]) -> None:
    made = simulator([SMALL])
    message = (
        r"data for circuit circular autoencoder: got an array of shape \(.*\); expected \(examples, 64\)\. Match the"
    )
    with pytest.raises(CircuitError, match=message):
        made.use(np.zeros(shape))
    with pytest.raises(CircuitError, match=message):
        list(made.outputs(np.zeros(shape)))


def test_a_probe_that_was_not_asked_for() -> None:
    made = train(simulator([SMALL], probes=[("layer1", "O", 1)]), ROWS[:1])
    message = (
        r"probe \('layer2', 'O', 1\): got a quantity that is not kept; expected one of .*'layer1', 'O', 1.* Name it in"
    )
    with pytest.raises(CircuitError, match=message):
        made.probe("layer2", cycle=1)
    with pytest.raises(ScheduleError, match=r"readout .* got a quantity that nothing makes"):
        simulator([SMALL], probes=[("layer1", "O", 7)])
    with pytest.raises(ConfigError, match="backend: got 'fortran'"):
        simulator([SMALL], backend="fortran")


# ----------------------------------------------------------------------------------------------- what it says it did


@each_backend
def test_batches_of_all_sizes_in_any_order(backend: str) -> None:
    """None is spoiled by what another left behind in memory."""
    random = np.random.default_rng(5)
    rows = [random.integers(0, 200, size) for size in (16, 1, 7, 16, 2, 1, 15, 3)]
    for setting in (
        SMALL,
        replace(SMALL, rule="bp", hidden="identity"),
        replace(SMALL, rule="error-rec", variant="pr"),
    ):
        setting = replace(setting, lr=0.01, cycles=1)
        made = simulator([setting], backend=backend)
        expected = setting.by_hand(weights_of(made), rows)
        assert distance(weights_of(train(made, rows)), expected) < 1e-10


@each_backend
def test_probes_are_what_the_yardstick_computes(backend: str) -> None:
    setting = replace(SMALL, variant="rwcc", lam=(0.3, 0.6))
    keys = [("layer1", "O", 1), ("layer1", "E", 1), ("layer0", "O", 2), ("layer3", "O", 2), ("layer3", "S", 0)]
    made = simulator([setting], probes=keys, backend=backend)
    w = weights_of(made)
    made.present(np.arange(5))
    x = digits()[:5]
    remembered, arrived = handwritten.recirculate(x, w, 2, "rwcc", (0.3, 0.6), "tanh", "logistic", True)
    _, logits = handwritten.forward(x, w)
    assert np.allclose(made.probe("layer1", cycle=1)[0], remembered[1][1], atol=1e-12)
    assert np.allclose(made.probe("layer0", cycle=2)[0], remembered[2][0], atol=1e-12)
    assert np.allclose(made.probe("layer3", cycle=2)[0], arrived[2], atol=1e-12)
    assert np.allclose(made.probe("layer3", "S")[0], logits, atol=1e-12)
    emitted = 0.3 * remembered[0][1] + 0.7 * (remembered[1][1] - 0.6 * remembered[0][1]) / 0.4
    assert np.allclose(made.probe("layer1", "E", 1)[0], emitted, atol=1e-12)
    kept = made.probe("layer1", cycle=1)
    made.present(np.arange(5, 10))
    assert not np.allclose(kept, made.probe("layer1", cycle=1))


@each_backend
def test_outputs_are_a_plain_pass_and_change_nothing(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuitsim.engine.observer.EVALUATION_NUMBERS", 64 * 2 * 30)  # 30 examples at a time: 7 slices
    made = train(simulator([SMALL, replace(SMALL, lr=0.2)], backend=backend), ROWS[:2])
    before = bits(made)
    parts = [(part.start, fired.copy(), summed.copy()) for part, fired, summed in made.outputs(digits())]
    assert [start for start, _, _ in parts] == [0, 30, 60, 90, 120, 150, 180]
    for which in (0, 1):
        found = np.concatenate([values[which] for _, *values in parts], axis=1)
        for k in range(2):
            expected = handwritten.forward(digits(), weights_of(made, k))[which]
            assert np.allclose(found[k], expected, rtol=1e-12, atol=1e-12)
    assert bits(made) == before
    other = train(simulator([SMALL, replace(SMALL, lr=0.2)], backend=backend), ROWS[:2])
    assert bits(train(made, ROWS[2:])) == bits(train(other, ROWS[2:]))


def test_time_goes_on_from_presentation_to_presentation() -> None:
    made = simulator([SMALL], delay=2)
    assert made.tick == 0 and made.schedule.duration == 2 * (3 * 2 + 2) + 1
    train(made, ROWS[:3])
    assert made.presentations == 3 and made.tick == 3 * made.schedule.duration


def test_rates_decay_from_their_given_values() -> None:
    made, plain = simulator([SMALL]), simulator([replace(SMALL, lr=0.025, lr_bias=0.0125)])
    made.set_rates(0.5)
    made.set_rates(0.25)
    assert distance(weights_of(train(made, ROWS)), weights_of(train(plain, ROWS))) < 1e-12


# ------------------------------------------------------------------------------------------------------- divergence


def exploding(**options: Any) -> Simulator:
    """Three replicas of a linear circuit, of which the second's rate is absurd."""
    wild = Setting((64, 8, 64), hidden="identity", output="identity", lr=0.01)
    return simulator([wild, replace(wild, lr=1e30), replace(wild, lr=0.02)], **options)


@each_backend
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_divergence_names_projection_replica_and_event(backend: str, dtype: str) -> None:
    made = exploding(backend=backend, dtype=dtype)
    message = (
        r"projection A\d, replica 1: plasticity at tick \d of presentation \d+ gave values that are not finite\. "
        r"Lower lr, or set max_norm\."
    )
    with pytest.raises(Diverged, match=message) as caught:
        train(made, ROWS * 4)
    assert caught.value.replica == 1
    assert np.isfinite(made.tensors()["A1.weight"][[0, 2]]).all()


@each_backend
def test_a_dropped_replica_stops_and_the_others_go_on(backend: str) -> None:
    made = train(exploding(backend=backend, on_divergence="drop"), ROWS * 4)
    assert made.state.alive.tolist() == [True, False, True]
    kept = weights_of(made, 1)
    train(made, ROWS)
    assert all(np.array_equal(weights_of(made, 1)[name], tensor, equal_nan=True) for name, tensor in kept.items())
    alone = train(simulator([Setting((64, 8, 64), hidden="identity", output="identity", lr=0.02)], [2]), ROWS * 5)
    assert distance(weights_of(made, 2), weights_of(alone)) < 1e-10


def test_a_dropped_replica_keeps_finite_weights() -> None:
    wild = Setting((64, 8, 64), hidden="identity", output="identity", lr=1e308, lr_bias=1e308)
    made = train(simulator([wild], on_divergence="drop"), [r % 200 for r in ROWS])
    assert not made.state.alive[0] and all(np.isfinite(tensor).all() for tensor in made.tensors().values())


@pytest.mark.parametrize("shown", ["present", "present_each"])
def test_whatever_breaks_off_a_presentation_the_next_one_can_start(shown: str) -> None:
    broken = [True]

    def stop(tensors: object) -> None:
        if broken[0]:
            raise KeyboardInterrupt

    made = simulator([SMALL], hooks=[Hook(stop, after="delivery")])
    with pytest.raises(KeyboardInterrupt):
        made.present(ROWS[0]) if shown == "present" else made.present_each(np.array([ROWS[0]]))
    assert (made.tick, made.presentations) == (0, 0)
    broken[0] = False
    made.present(ROWS[0])
    assert (made.tick, made.presentations) == (made.schedule.duration, 1)


def test_after_divergence_the_simulator_still_knows_the_time() -> None:
    made = exploding()
    with pytest.raises(Diverged):
        train(made, ROWS * 4)
    assert made.tick == made.presentations * made.schedule.duration


# ------------------------------------------------------------------------------------------------ going back and on


@each_backend
@pytest.mark.parametrize("rule", ["rec", "arbp", "bp"])
@pytest.mark.parametrize("at", [0, 3])
def test_a_restored_run_continues_to_the_same_bits(backend: str, rule: str, at: int) -> None:
    setting = replace(SMALL, rule=rule, hidden="identity" if rule == "bp" else "tanh", lr=0.01)

    def fresh() -> Simulator:
        return simulator([setting, replace(setting, momentum=0.0)], backend=backend)

    made = train(fresh(), ROWS[:at])
    snapshot = copied(made.snapshot())
    expected = bits(train(made, ROWS[at:]))
    assert bits(made) != bits(fresh())
    elsewhere = fresh()
    for other in (made, elsewhere):
        other.restore(snapshot)
        assert other.presentations == at and other.tick == at * other.schedule.duration
        assert bits(train(other, ROWS[at:])) == expected


def test_a_snapshot_does_not_change_afterwards() -> None:
    made = train(simulator([SMALL]), ROWS[:2])
    snapshot = made.snapshot()
    before = bits(made)
    train(made, ROWS[2:])
    made.restore(snapshot)
    assert bits(made) == before


def test_a_dropped_replica_is_still_dropped_after_a_restart() -> None:
    made = train(exploding(on_divergence="drop"), ROWS * 4)
    again = exploding(on_divergence="drop")
    again.restore(copied(made.snapshot()))
    assert again.state.alive.tolist() == [True, False, True]


@each_backend
def test_loaded_weights_are_used_from_the_next_presentation_on(backend: str) -> None:
    made: Simulator = train(simulator([SMALL], backend=backend), ROWS[:2])
    w = weights_of(simulator([SMALL], [9]))
    for name, tensor in w.items():
        made.load(name, tensor)
    setting = replace(SMALL, momentum=0.0)
    assert distance(weights_of(train(made, ROWS[2:3])), setting.by_hand(w, ROWS[2:3])) > 1e-6  # velocities are kept
    still = train(simulator([setting], backend=backend), ROWS[:2])
    for name, tensor in w.items():
        still.load(name, tensor)
    assert distance(weights_of(train(still, ROWS[2:3])), setting.by_hand(w, ROWS[2:3])) < 1e-10


@pytest.mark.parametrize("order", [None, lambda events: events[::-1]])
def test_both_ways_of_running_count_alike(order: Callable[..., Any] | None) -> None:
    made = train(simulator([SMALL], order=order), ROWS[:3])
    assert (made.presentations, made.tick) == (3, 3 * made.schedule.duration)
