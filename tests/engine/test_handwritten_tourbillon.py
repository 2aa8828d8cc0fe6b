"""Checks of the Tourbillon yardstick itself: against numerical gradients, identities of the paper, numbers by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from handwritten import Array, Weights, activation
from handwritten import train as train_autoencoder
from handwritten_classifier import train as train_classifier
from handwritten_tourbillon import Stack, Stage, block, development, forward, images, logits, run, top_error
from numpy.typing import NDArray

SIZES = [5, 4, 3]
CLASSES = 4


def setting(sizes: Sequence[int] = SIZES) -> tuple[Array, NDArray[np.int64], Weights, list[NDArray[np.int64]]]:
    """Twelve examples, weights with biases that are not zero, all kinds of feedback, five batches of unequal size."""
    rng = np.random.default_rng(0)
    m = len(sizes) - 1
    w: Weights = {}
    for b in range(1, m + 1):
        below, here = sizes[b - 1], sizes[b]
        w[f"E{b}.weight"] = rng.normal(size=(here, below)) * 0.6
        w[f"E{b}.bias"] = rng.normal(size=here) * 0.3
        w[f"D{b}.weight"] = rng.normal(size=(below, here)) * 0.6
        w[f"D{b}.bias"] = rng.normal(size=below) * 0.3
        w[f"R{b}.weight"] = rng.normal(size=(here, below)) * 0.6
        if b >= 2:
            w[f"F{b}.weight"] = rng.normal(size=(below, here)) * 0.6
    w[f"W{m + 1}.weight"] = rng.normal(size=(CLASSES, sizes[-1]))
    w[f"W{m + 1}.bias"] = rng.normal(size=CLASSES) * 0.3
    w[f"B{m + 1}.weight"] = rng.normal(size=(sizes[-1], CLASSES))
    rows = [rng.choice(12, size=size, replace=False) for size in (4, 1, 5, 3, 2)]
    return rng.uniform(0.05, 0.95, size=(12, sizes[0])), rng.integers(0, CLASSES, 12), w, rows


def slope(w: Weights, name: str, loss: Callable[[], float], eps: float = 1e-5) -> Array:
    """The numerical gradient of a loss with respect to one tensor."""
    found = np.zeros_like(w[name])
    for index in np.ndindex(found.shape):
        value = w[name][index]
        w[name][index] = value + eps
        up = loss()
        w[name][index] = value - eps
        down = loss()
        w[name][index] = value
        found[index] = (up - down) / (2 * eps)
    return found


def changed(before: Mapping[str, Array], after: Mapping[str, Array]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


def same(a: Mapping[str, Array], b: Mapping[str, Array], names: Sequence[str], tolerance: float = 1e-12) -> bool:
    assert names
    return all(np.allclose(a[name], b[name], rtol=tolerance, atol=tolerance) for name in names)


def tensors(*names: str) -> list[str]:
    return [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]


# ---------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("b", [1, 2])
@pytest.mark.parametrize("image", ["logistic", "identity"])
def test_a_bp_block_is_the_numerical_gradient(b: int, image: str) -> None:
    """Of what u - r is the error of: the cross-entropy of logistic images, ½ |u - r|² of identity, and for tanh
    images the sum of log cosh S - u S."""
    x, y, w, _ = setting()
    stack = Stack(rules=["bp", "bp"], image=image)
    chosen = [0, 3, 7]
    given = forward(x[chosen], w)[1][b - 1]

    def loss() -> float:
        h = activation("tanh", given @ w[f"E{b}.weight"].T + w[f"E{b}.bias"])
        s = h @ w[f"D{b}.weight"].T + w[f"D{b}.bias"]
        potential = {"logistic": np.logaddexp(0.0, s), "identity": 0.5 * s**2, "tanh": np.log(np.cosh(s))}
        return float(np.sum(potential["tanh" if b == 2 else image] - given * s)) / len(chosen)

    rates = {f"encoder {b}": 1.0, f"decoder {b}": 1.0}
    after = run(x, y, w, rows=[chosen], stages=[Stage(1, rates)], stack=stack)
    assert changed(w, after) == set(tensors(f"E{b}", f"D{b}"))
    for name in tensors(f"E{b}", f"D{b}"):
        assert np.allclose(after[name] - w[name], -slope(w, name, loss), rtol=1e-6, atol=1e-8), name


@pytest.mark.parametrize("loss_name", ["softmax", "hinge"])
@pytest.mark.parametrize("hinge", ["tanh", "logistic"])
def test_tuning_by_bp_is_the_numerical_gradient_of_the_whole_stack(loss_name: str, hinge: str) -> None:
    x, y, w, _ = setting([5, 4, 3, 3])
    m = 3

    def loss() -> float:
        s = logits(x, w, hinge)
        right = np.eye(CLASSES)[y]
        if loss_name == "softmax":
            each = np.log(np.sum(np.exp(s), axis=1)) - np.sum(right * s, axis=1)
        else:
            short = np.where(right == 1.0, np.maximum(1.0 - s, 0.0), np.maximum(1.0 + s, 0.0) / (CLASSES - 1))
            each = np.sum(short, axis=1)
        return float(np.mean(each))

    w[f"B{m + 1}.weight"] = w[f"W{m + 1}.weight"].T.copy()
    stack = Stack(rules=["rec"] * m, hinge=hinge, loss=loss_name, channel="bp")
    after = run(x, y, w, rows=[range(12)], stages=[Stage(1, {"top": 1.0, "tuning": 1.0})], stack=stack)
    learned = tensors("E1", "E2", "E3", "W4")
    assert changed(w, after) == set(learned)
    for name in learned:
        assert np.allclose(after[name] - w[name], -slope(w, name, loss), rtol=1e-6, atol=1e-8), name


# ------------------------------------------------------------------------------------------------- other yardsticks


@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "bp", "rbp"])
@pytest.mark.parametrize("max_norm", [None, 0.7])
def test_one_block_is_the_autoencoder(rule: str, max_norm: float | None) -> None:
    """Of the same bounds too, but the autoencoder bounds its output layer as well: too loose here to matter."""
    x, y, w, rows = setting([6, 3])
    w["D1.weight"], w["D1.bias"] = w["D1.weight"] * 0.1, w["D1.bias"] * 0.1
    bound = {} if max_norm is None else {1: max_norm}
    stage = Stage(5, {"encoder 1": 0.3, "decoder 1": 0.1}, momentum=0.6, max_norm=bound)
    after = run(x, y, w, rows=rows, stages=[stage], stack=Stack(rules=[rule]))
    other = {"A1": "E1", "A2": "D1"}
    start = {f"{a}.{kind}": w[f"{e}.{kind}"] for a, e in other.items() for kind in ("weight", "bias")}
    start["B2.weight"] = w["R1.weight"]
    expected = train_autoencoder(x, start, rows=rows, rule=rule, lr=[0.3, 0.1], momentum=0.6, max_norm=max_norm)
    for a, e in other.items():
        for kind in ("weight", "bias"):
            assert np.allclose(after[f"{e}.{kind}"], expected[f"{a}.{kind}"], rtol=1e-12, atol=1e-12), e
    assert not same(w, after, ["E1.weight"], 1e-3)


@pytest.mark.parametrize("channel", ["bp", "decoders", "random"])
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_tuning_is_the_classifier_with_the_channel_as_its_feedback(channel: str, loss: str) -> None:
    x, y, w, rows = setting([5, 4, 3, 3])
    stage = Stage(5, {"top": 0.2, "tuning 1": 0.1, "tuning 2": 0.3, "tuning 3": 0.05}, momentum=0.5)
    after = run(x, y, w, rows=rows, stages=[stage], stack=Stack(rules=["rec"] * 3, channel=channel, loss=loss))
    start = {}
    for b in (1, 2, 3):
        start[f"W{b}.weight"], start[f"W{b}.bias"] = w[f"E{b}.weight"], w[f"E{b}.bias"]
        if b >= 2:
            start[f"B{b}.weight"] = w[f"D{b}.weight" if channel == "decoders" else f"F{b}.weight"]
    start |= {name: w[name] for name in (*tensors("W4"), "B4.weight")}
    expected = train_classifier(
        x,
        y,
        start,
        rows=rows,
        feedback="bp" if channel == "bp" else "fa",
        loss="error" if loss == "softmax" else "hinge",
        lr=[0.1, 0.3, 0.05, 0.2],
        momentum=0.5,
    )
    for b in (1, 2, 3, 4):
        for kind in ("weight", "bias"):
            found = after[f"{'W' if b == 4 else 'E'}{b}.{kind}"]
            assert np.allclose(found, expected[f"W{b}.{kind}"], rtol=1e-12, atol=1e-12), b


def test_decoders_set_to_the_encoders_transposes_carry_the_true_gradient() -> None:
    x, y, w, rows = setting([5, 4, 3, 3])
    for b in (2, 3):
        w[f"D{b}.weight"] = w[f"E{b}.weight"].T.copy()
    w["B4.weight"] = w["W4.weight"].T.copy()
    stages = [Stage(1, {"top": 0.2, "tuning": 0.3})]
    carried = run(x, y, w, rows=rows[:1], stages=stages, stack=Stack(["rec"] * 3))
    true = run(x, y, w, rows=rows[:1], stages=stages, stack=Stack(["rec"] * 3, channel="bp"))
    assert same(carried, true, tensors("E1", "E2", "E3", "W4"))


# ------------------------------------------------------------------------------------------------ blocks on a stack


@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "bp", "rbp"])
def test_block_2_learns_on_the_stored_hinge_of_block_1(rule: str) -> None:
    x, y, w, rows = setting()
    own = {"encoder 2": 0.3, "decoder 2": 0.1}
    after = run(x, y, w, rows=rows, stages=[Stage(5, own)], stack=Stack(["rec", rule]))
    names = {"E1": "E2", "D1": "D2"}
    start = {f"{a}.{kind}": w[f"{b}.{kind}"] for a, b in names.items() for kind in ("weight", "bias")}
    start |= {"R1.weight": w["R2.weight"], **{name: w[name] for name in tensors("W3")}}
    stored = forward(x, w)[1][1]
    stages = [Stage(5, {"encoder 1": 0.3, "decoder 1": 0.1})]
    alone = run(stored, y, start, rows=rows, stages=stages, stack=Stack([rule], image="tanh"))
    for a, b in names.items():
        for kind in ("weight", "bias"):
            assert np.allclose(after[f"{b}.{kind}"], alone[f"{a}.{kind}"], rtol=1e-12, atol=1e-12), b


def test_nothing_comes_down_from_a_block_or_the_top_to_the_one_below() -> None:
    """Block 1 learns the same whatever block 2 and the top do; without tuning no label reaches a block."""
    x, y, w, rows = setting()
    stack = Stack(["rec", "rec"])
    one = {"encoder 1": 0.3, "decoder 1": 0.1}
    alone = run(x, y, w, rows=rows, stages=[Stage(5, one)], stack=stack)
    more = one | {"encoder 2": 0.2, "decoder 2": 0.2, "top": 0.4}
    together = run(x, y, w, rows=rows, stages=[Stage(5, more)], stack=stack)
    relabelled = run(x, (y + 1) % CLASSES, w, rows=rows, stages=[Stage(5, more)], stack=stack)
    assert same(alone, together, tensors("E1", "D1"))
    assert same(together, relabelled, tensors("E1", "D1", "E2", "D2"))
    assert changed(w, together) == set(tensors("E1", "D1", "E2", "D2", "W3"))


def test_increments_of_two_groups_on_one_encoder_add_up() -> None:
    x, y, w, rows = setting()
    stack = Stack(["rec", "rec"])
    parts: list[dict[str, float]] = [
        {"encoder 1": 0.3, "encoder 2": 0.1, "decoder 2": 0.2},
        {"tuning": 0.2, "top": 0.4},
    ]
    moved = []
    for rates in (*parts, parts[0] | parts[1]):
        after = run(x, y, w, rows=rows[:1], stages=[Stage(1, rates)], stack=stack)
        moved.append({name: after[name] - w[name] for name in w})
    for name in tensors("E1", "E2", "D2", "W3"):
        assert np.allclose(moved[0][name] + moved[1][name], moved[2][name], rtol=1e-12, atol=1e-14), name
    assert np.any(moved[0]["E1.weight"]) and np.any(moved[1]["E1.weight"])


def test_numbers_by_hand() -> None:
    """One neuron everywhere, u = 0.5: h0 = tanh 0.35, r = logistic 0.7 h0 - 0.1, h1 = tanh(0.8 r - 0.05)."""
    w = {"E1.weight": 0.8, "D1.weight": 0.7}
    state: Weights = {name: np.array([[value]]) for name, value in w.items()}
    state |= {"E1.bias": np.array([-0.05]), "D1.bias": np.array([-0.1])}
    u = np.array([[0.5]])
    h0 = np.tanh(0.35)
    r = 1.0 / (1.0 + np.exp(-(0.7 * h0 - 0.1)))
    h1 = np.tanh(0.8 * r - 0.05)
    encoder, decoder, image = block(1, u, state, Stack(["rec"]))
    assert np.allclose([a.item() for a in (*encoder, *decoder, image)], [h0 - h1, 0.5, 0.5 - r, h0, r], atol=1e-15)
    encoder, decoder, _ = block(1, u, state, Stack(["rec-symmetric"]))
    assert np.allclose([a.item() for a in (*encoder, *decoder)], [h1 - h0, 0.5 - r, 0.5 - r, h0], atol=1e-15)
    assert np.allclose(images(u, state, Stack(["rec"]))[0][1], r, atol=1e-15)


def test_the_hinge_loss_by_hand() -> None:
    """Class 1 is right and has its margin, then not; of the others only those above -1 are pushed, by 1 / (C - 1)."""
    s = np.array([[-2.0, 1.5, 0.0], [-0.5, 0.5, -1.0]])
    assert np.array_equal(top_error(np.array([1, 1]), s, "hinge"), [[0.0, 0.0, -0.5], [-0.5, 1.0, 0.0]])


# -------------------------------------------------------------------------------------- stages, momentum, bounds


def test_stages_follow_one_another_with_momentum_and_factors() -> None:
    """Two stages of the same groups are one long one; a group that stands still keeps its velocity."""
    x, y, w, rows = setting()
    stack = Stack(["rec", "bp"])
    rates = {"encoder 1": 0.2, "decoder 1": 0.1, "encoder 2": 0.1, "top": 0.3}
    factors = [1.0, 0.5, 0.25, 2.0, 0.1]
    whole = run(x, y, w, rows=rows, stages=[Stage(5, rates, 0.7, factors=factors)], stack=stack)
    halves = [Stage(2, rates, 0.7, factors=factors[:2]), Stage(3, rates, 0.7, factors=factors[2:])]
    assert same(whole, run(x, y, w, rows=rows, stages=halves, stack=stack), list(w))

    pause = [Stage(2, {"encoder 1": 0.2}, 0.7), Stage(1, {"top": 0.3}, 0.7), Stage(2, {"encoder 1": 0.2}, 0.7)]
    through = [rows[i] for i in (0, 1, 3, 4)]
    paused = run(x, y, w, rows=rows, stages=pause, stack=stack)
    straight = run(x, y, w, rows=through, stages=[Stage(4, {"encoder 1": 0.2}, 0.7)], stack=stack)
    assert same(paused, straight, tensors("E1"))


def test_a_factor_is_one_of_the_rates() -> None:
    x, y, w, rows = setting()
    rates = {"encoder 1": 0.2, "decoder 1": 0.1, "tuning": 0.1, "top": 0.3}
    halved = [Stage(1, {group: 0.5 * rate for group, rate in rates.items()})]
    stack = Stack(["rec", "rec"])
    by_rate = run(x, y, w, rows=rows[:1], stages=halved, stack=stack)
    by_factor = run(x, y, w, rows=rows[:1], stages=[Stage(1, rates, factors=[0.5])], stack=stack)
    assert same(by_rate, by_factor, tensors("E1", "D1", "E2", "W3"))


def test_two_groups_on_one_encoder_have_a_velocity_each() -> None:
    """The second presentation moves on by momentum times the first's step of each group, whatever the rates."""
    x, y, w, rows = setting()
    stack = Stack(["rec", "rec"])
    first = {"encoder 1": 0.3, "tuning 1": 0.02}
    after = run(x, y, w, rows=rows[:1], stages=[Stage(1, first)], stack=stack)
    plain = run(x, y, after, rows=rows[1:2], stages=[Stage(1, first)], stack=stack)
    moving = run(x, y, w, rows=rows[:2], stages=[Stage(2, first, momentum=0.7)], stack=stack)
    for name in tensors("E1"):
        assert np.allclose(moving[name], plain[name] + 0.7 * (after[name] - w[name]), rtol=1e-12, atol=1e-14), name


def test_development_in_sequence_at_once_and_with_a_lag() -> None:
    parts = [{"encoder 1": 0.1}, {"encoder 2": 0.2}, {"top": 0.3}]

    def names(stages: list[Stage]) -> list[tuple[int, str]]:
        return [(stage.presentations, "+".join(stage.rates)) for stage in stages]

    def at(*starts: int) -> list[Stage]:
        return development([(start, 6, rates) for start, rates in zip(starts, parts, strict=True)])

    assert names(at(0, 6, 12)) == [(6, "encoder 1"), (6, "encoder 2"), (6, "top")]
    assert names(at(0, 0, 0)) == [(6, "encoder 1+encoder 2+top")]
    lagging = names(at(0, 4, 8))
    assert lagging == [(4, "encoder 1"), (2, "encoder 1+encoder 2"), (2, "encoder 2"), (2, "encoder 2+top"), (4, "top")]


def test_the_bound_holds_for_every_neuron_and_leaves_the_short_ones_alone() -> None:
    x, y, w, rows = setting()
    rates = {"encoder 2": 0.1, "decoder 2": 0.1}

    def norms(of: Weights) -> Array:
        return np.asarray(np.sqrt(np.sum(of["E2.weight"] ** 2, axis=1) + of["E2.bias"] ** 2))

    free = run(x, y, w, rows=rows[:1], stages=[Stage(1, rates)], stack=Stack(["rec", "rec"]))
    limit = float(np.median(norms(free)))
    bounded = run(x, y, w, rows=rows[:1], stages=[Stage(1, rates, max_norm={2: limit})], stack=Stack(["rec", "rec"]))
    assert np.allclose(norms(bounded), np.minimum(norms(free), limit), rtol=1e-12)
    assert np.min(norms(free)) < limit < np.max(norms(free))
    assert same(free, bounded, tensors("E1", "D2"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"stack": Stack(["rec", "hebb"])}, "unknown rule 'hebb' of block 2"),
        ({"stack": Stack(["rec", "rec"], loss="mse")}, "unknown loss 'mse'"),
        ({"stack": Stack(["rec", "rec"], channel="air")}, "unknown channel 'air'"),
        ({"stages": [Stage(5, {"encoder 3": 0.1})]}, "unknown groups"),
        ({"stages": [Stage(4, {"tuning": 0.1})]}, "the stages have 4 presentations, rows 5"),
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, Any], text: str) -> None:
    x, y, w, rows = setting()
    rates = {"encoder 2": 0.1, "tuning": 0.1}
    given: dict[str, Any] = {"stack": Stack(["rec", "rec"]), "stages": [Stage(5, rates)]} | change
    with pytest.raises(ValueError, match=text):
        run(x, y, w, rows=rows, **given)
