"""When updates happen, and how old the weights are that errors come down: against loops over layers, on both backends.

Layers that are updated early are so before their error goes on to the layer below; all others after the last event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import handwritten_classifier as by_hand
import numpy as np
import pytest
import standin
from building import Built, Tensors, classes, classifier, digits, distance, presentations, simulator, train, weights_of
from handwritten import derivative
from running import nightly
from sample_rules import local_rule

from circuitsim import Circuit, Plasticity, Protocol, Simulator, Updates, phases
from circuitsim.analysis.audits.examine import examine
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.errors import CircuitError

each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])
SIZES, TOP, LR = (64, 7, 6, 10), 3, 0.3
LAYERS = range(1, TOP + 1)
ROWS = presentations(8)
BP = classifier("bp", SIZES, {"lr": LR}, output="logistic")
Back = Callable[[Tensors, int], np.ndarray]  # from weights and h: what an error is multiplied with on its way down


def transposed(w: Tensors, h: int) -> np.ndarray:
    return w[f"W{h}.weight"].T


def presented(w: Tensors, rows: Sequence[int], back: Back = transposed, early: Collection[int] = ()) -> Tensors:
    """The weights W after one presentation; layers in `early` are updated before their error goes below."""
    w = {name: values.copy() for name, values in w.items()}
    passes = [by_hand.forward(digits()[e], w, output="logistic") for e in rows]
    deltas = [np.eye(10)[classes()[e]] - o[TOP] for e, (_, o) in zip(rows, passes, strict=True)]
    late = []
    for h in reversed(LAYERS):
        dw, db = np.zeros_like(w[f"W{h}.weight"]), np.zeros_like(w[f"W{h}.bias"])
        for delta, (_, o) in zip(deltas, passes, strict=True):
            dw += np.outer(delta, o[h - 1]) / len(rows)
            db += delta / len(rows)
        late.append((h, dw, db))
        if h in early:
            apply(w, *late.pop())
        if h > 1:
            down = back(w, h)
            below = zip(deltas, passes, strict=True)
            deltas = [derivative("tanh", s[h - 1]) * (down @ delta) for delta, (s, _) in below]
    for one in late:
        apply(w, *one)
    return w


def apply(w: Tensors, h: int, dw: np.ndarray, db: np.ndarray) -> None:
    w[f"W{h}.weight"] += LR * dw
    w[f"W{h}.bias"] += LR * db


def forward_of(w: Tensors) -> Tensors:
    return {name: values for name, values in w.items() if name.startswith("W")}


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in made.snapshot().items() if not name.startswith("same/")}


def having(setting: Built, **options: Any) -> Built:
    """The same with other options of the circuit."""
    return replace(setting, options=tuple((dict(setting.options) | options).items()))


# ---------------------------------------------------------------------------------------------------- last and at once


@each_backend
@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize(("updates", "early"), [(Updates.LAST, ()), (Updates.AT_ONCE, LAYERS)])
def test_errors_come_down_weights_before_or_after_their_update(
    updates: Updates, early: Collection[int], delay: int, backend: str
) -> None:
    made = simulator([having(BP, updates=updates)], backend=backend, delay=delay)
    w = weights_of(made)
    for rows in ROWS:
        made.present(rows)
        w = presented(w, rows, early=early)
        assert distance(weights_of(made), w) < 1e-12
    other = presented(w, ROWS[0], early=() if early else LAYERS)  # and it makes a difference
    assert distance(presented(w, ROWS[0], early=early), other) > 1e-4


@each_backend
def test_fixed_feedback_does_not_notice_when_weights_are_updated(backend: str) -> None:
    fixed = classifier("fa", SIZES, {"lr": LR, "momentum": 0.5}, output="logistic")
    last, at_once = (train(simulator([having(fixed, updates=u)], backend=backend), ROWS) for u in list(Updates)[:2])
    assert bits(last) == bits(at_once)


def test_at_once_each_update_follows_its_rules_within_the_tick() -> None:
    """By hand: errors are at layer 3 in tick 3 and at layer 1 in tick 5; the windows are those of updates last."""
    schedules = {u: simulator([having(BP, updates=u)]).schedule for u in Updates}
    names = [q.name for q in schedules[Updates.LAST].circuit.projections]
    when = {
        u: [(names[e.event.which], e.event.tick, e.event.detail) for e in s.entries if e.event.phase == phases.UPDATE]
        for u, s in schedules.items()
    }
    assert when[Updates.LAST] == [("W1", 5, 0), ("W2", 5, 0), ("W3", 5, 0)]
    assert when[Updates.AT_ONCE] == [("W3", 3, 0), ("W2", 4, 0), ("W1", 5, 0)]
    assert when[Updates.EITHER] == [
        ("W3", 3, 1), ("W2", 4, 1), ("W1", 5, 1), ("W1", 5, 2), ("W2", 5, 2), ("W3", 5, 2),
    ]  # fmt: skip
    assert all(s.windows == {"W1": 5, "W2": 3, "W3": 1} for s in schedules.values())


def test_an_update_waits_for_all_rules_of_its_projection() -> None:
    """Decay reads no neuron and runs in tick 0; the other two rules of B need activity."""
    primitives = classifier("ia", (64, 5, 4, 10), updates=Updates.AT_ONCE)
    made = simulator([primitives])
    seen: dict[str, list[int]] = {}
    for e in made.schedule.entries:
        if e.event.phase in (phases.PLASTICITY, phases.UPDATE):
            seen.setdefault(made.circuit.projections[e.event.which].name, []).append(e.event.phase)
    rule, applied = phases.PLASTICITY, phases.UPDATE
    assert seen["B2"] == seen["B3"] == [rule, rule, rule, applied] and seen["W1"] == [rule, applied]


# --------------------------------------------------------------------------------------------------------------- either


def matching(w: Tensors, rows: Sequence[int], found: Tensors) -> list[tuple[int, ...]]:
    """The sets of layers which, updated early, give these weights; layer 1's own time makes no difference to them."""
    sets = [chosen for n in range(3) for chosen in combinations((2, 3), n)]
    return [chosen for chosen in sets if distance(presented(w, rows, early=chosen), found) < 1e-12]


@each_backend
def test_either_each_layer_is_updated_once_early_or_late(backend: str) -> None:
    made = simulator([having(BP, updates=Updates.EITHER)] * 2, seeds=[0, 1], backend=backend)
    chosen: list[list[tuple[int, ...]]] = [[], []]
    for rows in presentations(24, seed=1):
        before = [weights_of(made, replica) for replica in range(2)]
        made.present(rows)
        for replica, w in enumerate(before):
            (early,) = matching(w, rows, weights_of(made, replica))
            chosen[replica].append(early)
    assert set(chosen[0]) == set(chosen[1]) == {(), (2,), (3,), (2, 3)}
    assert chosen[0] != chosen[1]


# -------------------------------------------------------------------------------------------------------------- copied

FRESH = having(BP, copied=True)


def aged(*intervals: float) -> list[Built]:
    return [FRESH.having(copy_interval=k) for k in intervals]


@each_backend
def test_weights_taken_over_in_every_presentation_are_backpropagation(backend: str) -> None:
    plain, fresh = (train(simulator([one], backend=backend), ROWS) for one in (BP, FRESH))
    assert distance(forward_of(weights_of(fresh)), weights_of(plain)) < 1e-12


@each_backend
def test_weights_are_as_of_the_last_multiple(backend: str) -> None:
    """Each replica has its own number; errors come down the copy, which a restart does not take anew."""
    numbers = (1.0, 2.0, 3.0, 5.0, np.inf)
    made = simulator(aged(*numbers), seeds=[4] * 5, backend=backend)
    w = [forward_of(weights_of(made, replica)) for replica in range(5)]
    copies: list[Tensors] = [{} for _ in numbers]
    for count, rows in enumerate(ROWS):
        if count == 4:
            kept, made = made.snapshot(), simulator(aged(*numbers), seeds=[4] * 5, backend=backend)
            made.restore(kept)
        made.present(rows)
        for replica, every in enumerate(numbers):
            if count % every == 0:
                copies[replica] = w[replica]
            w[replica] = presented(w[replica], rows, lambda _, h, old=copies[replica]: transposed(old, h))  # type: ignore[misc]
            found = weights_of(made, replica)
            assert distance(forward_of(found), w[replica]) < 1e-12
            for h in (2, 3):
                np.testing.assert_allclose(found[f"B{h}.weight"], transposed(copies[replica], h), rtol=0, atol=1e-12)
    for one, other in combinations(w, 2):
        assert distance(one, other) > 1e-4


@each_backend
def test_weights_taken_over_once_are_fixed_feedback(backend: str) -> None:
    once = simulator(aged(np.inf), seeds=[2], backend=backend)
    fixed = simulator([replace(BP, options=tuple((dict(BP.options) | {"feedback": "fa"}).items()))], seeds=[2],
                      backend=backend)  # fmt: skip
    for h in (2, 3):
        fixed.load(f"B{h}.weight", fixed.tensors()[f"W{h}.weight"].transpose(0, 2, 1))
    for made in (once, fixed):
        train(made, ROWS)
    assert {n: t.tobytes() for n, t in once.tensors().items()} == {n: t.tobytes() for n, t in fixed.tensors().items()}


def test_weights_that_are_taken_over_are_there_before_the_first_presentation() -> None:
    """Also where the others are loaded; afterwards nothing but a presentation takes them over."""
    made = simulator(aged(3.0))
    assert np.array_equal(made.tensors()["B3.weight"], made.tensors()["W3.weight"].transpose(0, 2, 1))
    made.load("W3.weight", np.random.default_rng(0).normal(size=(10, 6)))
    assert np.array_equal(made.tensors()["B3.weight"], made.tensors()["W3.weight"].transpose(0, 2, 1))
    train(made, ROWS[:2])
    copy = made.tensors()["B3.weight"].copy()
    made.load("W3.weight", np.zeros((10, 6)))
    assert np.array_equal(made.tensors()["B3.weight"], copy)
    masked = simulator([having(FRESH, masked=True).having(density=0.5)])
    kept = masked.tensors()["B2.weight"] != 0
    assert 0.2 < kept.mean() < 0.45  # of a synapse's two ends each is there or not
    assert (masked.tensors()["W2.weight"].transpose(0, 2, 1)[kept] != 0).all()


@each_backend
def test_copies_of_masked_weights_keep_their_own_mask(backend: str) -> None:
    made = simulator([having(FRESH, masked=True).having(density=0.5, copy_interval=2.0)], backend=backend)
    mask = made.state.arrays()["B2", "mask", None].copy()
    for count, rows in enumerate(ROWS[:4]):
        before = made.tensors()["W2.weight"].transpose(0, 2, 1).copy()
        made.present(rows)
        if count % 2 == 0:
            expected = before * mask
        assert np.array_equal(made.tensors()["B2.weight"], expected)
    assert np.array_equal(made.state.arrays()["B2", "mask", None], mask)


# -------------------------------------------------------------------------------------------------------------- redrawn

DRAWN = having(classifier("ss", SIZES, {"lr": LR}, output="logistic"), redrawn=True)


@each_backend
def test_magnitudes_are_those_of_their_presentation(backend: str) -> None:
    """What is left in B passed this presentation's errors, beside the signs of W before its update."""
    made = simulator([DRAWN] * 2, seeds=[0, 1], backend=backend)
    drawn = []
    for rows in ROWS:
        before = [weights_of(made, replica) for replica in range(2)]
        made.present(rows)
        for replica, w in enumerate(before):
            found = weights_of(made, replica)
            expected = presented(
                forward_of(w),
                rows,
                lambda now, h, own=found: np.sign(transposed(now, h)) * own[f"B{h}.weight"],  # type: ignore[misc]
            )
            assert distance(forward_of(found), expected) < 1e-12
            drawn.append(found["B2.weight"])
            assert drawn[-1].min() >= 0 and 0.8 * np.sqrt(6 / 13) < drawn[-1].max() <= np.sqrt(6 / 13)
    assert all((one != other).all() for one, other in combinations(drawn, 2))


# ------------------------------------------------------------------------------------------------------------ deferred


@local_rule
def hebbian(pre: Any, post: Any, w: Any) -> Any:
    return pre.at(0) * post.at(0)


def remembering(sizes: Sequence[int], *, updates: Updates = Updates.LAST) -> tuple[Circuit, Protocol]:
    """One layer that learns by Hebb's rule between its input and its labels, whatever its weights are; it waits."""
    circuit, protocol = layered_classifier(sizes, deferred=True, updates=updates)
    return replace(circuit, plasticity=(Plasticity("W1", hebbian, post="labels"),)), protocol


def waiting(*chances: float, updates: Updates = Updates.LAST, seeds: Sequence[int] = (), **options: Any) -> Simulator:
    settings = [
        Built("hebbian", remembering, (64, 10), (("updates", updates),), (("update_probability", c),)) for c in chances
    ]
    return simulator(settings, seeds=list(seeds) or None, **options)


def pending(made: Simulator, quantity: str = "pending") -> np.ndarray:
    return made.state.arrays()["W1", quantity, None]


@each_backend
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_with_certainty_nothing_waits(momentum: float, backend: str) -> None:
    numbers = {"momentum": momentum, "weight_decay": 0.01}
    plain, certain = (
        train(simulator([having(BP, deferred=deferred).having(numbers)], backend=backend), ROWS)
        for deferred in (False, True)
    )
    assert distance(weights_of(certain), weights_of(plain)) < 1e-12
    assert not pending(certain).any() and not pending(certain, "bias_pending").any()


@each_backend
@pytest.mark.parametrize("updates", Updates)
def test_increments_that_wait_add_up_and_none_is_lost(updates: Updates, backend: str) -> None:
    """What was applied, over the rate of 0.1, and what is pending make up what was proposed; all goes or nothing."""
    made = waiting(1.0, 0.5, 0.05, 1e-300, updates=updates, backend=backend)
    first = {name: tensor.copy() for name, tensor in made.tensors().items()}
    proposed, proposed_bias = np.zeros((10, 64)), np.zeros(10)
    moved = np.zeros(4, int)
    for rows in presentations(40, seed=2):
        before = made.tensors()["W1.weight"].copy()
        made.present(rows)
        taught = np.eye(10)[classes()[rows]]
        proposed += taught.T @ digits()[rows] / len(rows)
        proposed_bias += taught.mean(axis=0)
        due = [not np.array_equal(*pair) for pair in zip(before, made.tensors()["W1.weight"], strict=True)]
        moved += due
        assert all(pending(made)[r].any() != due[r] for r in range(4))
        applied = {name: (tensor - first[name]) / 0.1 for name, tensor in made.tensors().items()}
        for r in range(4):
            np.testing.assert_allclose(applied["W1.weight"][r] + pending(made)[r], proposed, rtol=0, atol=1e-12)
            both = applied["W1.bias"][r] + pending(made, "bias_pending")[r]
            np.testing.assert_allclose(both, proposed_bias, rtol=0, atol=1e-12)
    assert moved[0] == 40 and 10 <= moved[1] <= 30 and 0 <= moved[2] <= 8 and moved[3] == 0


def times(made: Simulator, rows: Sequence[np.ndarray]) -> np.ndarray:
    """In which presentations each replica was updated, (presentation, replica) of bool."""
    found = []
    for chosen in rows:
        made.present(chosen)
        found.append(~pending(made).any(axis=(1, 2)))
    return np.array(found)


@each_backend
def test_replicas_have_their_own_coins_keyed_by_seed_and_presentation(backend: str) -> None:
    rows = presentations(30)
    together = times(waiting(0.5, 0.5, 0.5, 0.8, seeds=[0, 1, 0, 0], backend=backend), rows)
    alone = times(waiting(0.5, seeds=[1], backend=backend), rows)
    assert np.array_equal(together[:, 1:2], alone)
    assert np.array_equal(together[:, 0], together[:, 2]) and (together[:, 0] != together[:, 1]).any()
    assert (together[:, 3] >= together[:, 0]).all() and (together[:, 3] > together[:, 0]).any()  # one coin, two chances


def test_layers_have_their_own_coins() -> None:
    made = simulator([having(BP, deferred=True).having(update_probability=0.5)])
    applied = []
    for rows in presentations(30):
        made.present(rows)
        applied.append([not made.state.arrays()[f"W{h}", "pending", None].any() for h in LAYERS])
    assert len({tuple(row) for row in applied}) == 8


# ------------------------------------------------------------------------------------------------------------- of all

TIMED = {
    "at once": having(BP, updates=Updates.AT_ONCE),
    "either": having(BP, updates=Updates.EITHER),
    "copied": FRESH.having(copy_interval=3.0),
    "redrawn": DRAWN,
    "deferred": having(BP, deferred=True).having(update_probability=0.4, momentum=0.5),
    "kp": having(
        classifier("kp", SIZES, {"lr": LR, "update_probability": 0.4, "density": 0.6}, output="logistic", masked=True),
        deferred=True,
        updates=Updates.EITHER,
    ),
}
each_timing = pytest.mark.parametrize("name", TIMED)


@each_backend
@each_timing
def test_restored_in_the_middle_it_goes_on_to_the_same_bits(name: str, backend: str) -> None:
    straight, broken, other = (simulator([TIMED[name]] * 2, backend=backend) for _ in range(3))
    train(straight, ROWS)
    train(broken, ROWS[:5])
    kept = {key: values.copy() for key, values in broken.snapshot().items()}
    waits = {f"state/{q.name}.pending" for q in broken.circuit.projections if q.deferred}
    assert waits <= kept.keys() and all(kept[key].any() for key in waits)
    train(other, ROWS[3:4])  # something else before
    other.restore(kept)
    train(other, ROWS[5:])
    assert bits(other) == bits(straight)


@each_backend
@each_timing
def test_through_the_queue_in_any_order_it_is_the_same_to_the_bit(name: str, backend: str) -> None:
    planned = train(simulator([TIMED[name]] * 2, backend=backend), ROWS)
    for order in (lambda events: events, lambda events: events[::-1]):
        assert bits(train(simulator([TIMED[name]] * 2, backend=backend, order=order), ROWS)) == bits(planned)


@each_backend
@each_timing
def test_what_is_only_looked_at_changes_nothing(name: str, backend: str) -> None:
    watched, plain = (train(simulator([TIMED[name]] * 2, backend=backend), ROWS[:4]) for _ in range(2))
    before = bits(watched)
    for _ in watched.outputs(digits()):
        pass
    for _ in watched.observe([("error1", "O", 0)], digits(), classes()):
        pass
    assert bits(watched) == before == bits(plain)
    assert bits(train(watched, ROWS[4:])) == bits(train(plain, ROWS[4:]))


@each_backend
@each_timing
def test_a_replica_that_is_lost_is_left_as_it_was(name: str, backend: str) -> None:
    """Its weights, copies and magnitudes, what it had pending and its velocities; the other goes on as if alone."""
    made = train(simulator([TIMED[name]] * 2, seeds=[0, 1], backend=backend, on_divergence="drop"), ROWS[:3])
    made.state.alive[0] = False
    before = {key: array[0].copy() for key, array in made.state.persistent().items()}
    train(made, ROWS[3:])
    assert all(np.array_equal(array[0], before[key]) for key, array in made.state.persistent().items())
    alone = train(simulator([TIMED[name]], seeds=[1], backend=backend), ROWS)
    for key, array in alone.state.persistent().items():
        np.testing.assert_allclose(made.state.persistent()[key][1], array[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
@each_timing
def test_audits_find_what_is_declared(name: str, backend: str) -> None:
    """Labels, and weights that are transported however late; each rule needs the window of updates last."""
    setting = replace(TIMED[name], sizes=(6, 5, 4, 3))
    found = examine(*setting.described(), setting.parameters(), backend=backend, dtype="float64")
    kinds = {(finding["kind"], finding["projection"]) for finding in found["findings"]}
    carried = {("weight-transport", "B2"), ("weight-transport", "B3")}
    assert kinds == {("label", "W3")} | (set() if name == "kp" else carried)
    assert found["local"] == (name == "kp")
    assert found["window"] == {"W1": 5, "W2": 3, "W3": 1} | ({"B2": 3, "B3": 1} if name == "kp" else {})
    required = found["scorecard"]["symmetry"]["required"]
    assert required == (None if name == "kp" else 0 if name != "redrawn" else pytest.approx(45, abs=10))


# ---------------------------------------------------------------------------------------------------- looking ahead


@pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_that_looks_ahead_by_hand(backend: str, dtype: str) -> None:
    """v = mu v + g, w += eta (g + mu v) - lambda w, in each of four presentations and two replicas."""
    circuit, protocol = layered_classifier([64, 5, 10], "fa")
    circuit = replace(circuit, plasticity=tuple(replace(p, nesterov=True) for p in circuit.plasticity))
    eta, mu, decay = np.array([0.3, 0.1]), np.array([0.8, 0.5]), np.array([0.0, 0.01])
    numbers = {"lr": eta, "momentum": mu, "weight_decay": decay}
    made = Simulator(circuit, protocol, batch=10, seeds=[1, 2], dtype=dtype, backend=backend, parameters=numbers)
    made.use(digits(), classes())
    plain = Simulator(circuit, protocol, batch=10, seeds=[1, 2], dtype=dtype, backend=backend, parameters={"lr": 0.0})
    plain.use(digits(), classes())
    velocity: dict[str, Any] = dict.fromkeys(made.tensors(), 0.0)
    for k in range(4):
        before = {name: tensor.astype(np.float64) for name, tensor in made.tensors().items()}
        for name, tensor in before.items():
            plain.load(name, tensor)
        rows = np.arange(10 * k, 10 * k + 10)
        plain.present(rows)
        proposed = {n.replace("bias_increment", "bias").replace("increment", "weight"): g.astype(np.float64) / 10
                    for n, g in plain.state.increments().items()}  # fmt: skip
        made.present(rows)
        for name, g in proposed.items():
            column = (slice(None), *(None,) * (g.ndim - 1))
            velocity[name] = mu[column] * velocity[name] + g
            w = before[name] + eta[column] * (g + mu[column] * velocity[name])
            w -= decay[column] * before[name] if name.endswith("weight") else 0
            np.testing.assert_allclose(made.tensors()[name], w, rtol=1e-11 if dtype == "float64" else 1e-4, atol=1e-6)
    if dtype == "float64":
        made.set_rates(0.0)  # rates that change reach both parts of a step
        kept = {name: tensor.copy() for name, tensor in made.tensors().items() if name.startswith("B")}
        made.set_parameters({("W1", "weight_decay"): 0.0, ("W2", "weight_decay"): 0.0})
        last = {name: tensor.copy() for name, tensor in made.tensors().items()}
        made.present(np.arange(10))
        assert all(np.array_equal(made.tensors()[name], tensor) for name, tensor in (last | kept).items())


def test_looking_ahead_needs_a_velocity() -> None:
    circuit, _ = layered_classifier([64, 5, 10], "fa")
    rules = tuple(replace(p, nesterov=True, momentum=False) for p in circuit.plasticity)
    with pytest.raises(
        CircuitError, match="nesterov=True and momentum=False; expected momentum=True, and nesterov for"
    ):
        replace(circuit, plasticity=rules)
