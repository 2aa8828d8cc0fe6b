"""Checks of the yardstick itself: against numerical gradients, identities of the papers, numbers by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from handwritten import Array, Weights, activation
from handwritten_classifier import forward, train
from numpy.typing import NDArray

HIDDEN = ["tanh", "relu", "saturated", "logistic", "identity"]
LINEAR: dict[str, Any] = {"hidden": "identity", "output": "identity"}
SUMS = {"ia": ("amp", "decay", "null"), "sa": ("self", "decay"), "aa": ("amp", "sparse")}


def setting(sizes: list[int]) -> tuple[Array, NDArray[np.int64], Weights, list[NDArray[np.int64]]]:
    """Twelve examples, weights with biases that are not zero, all kinds of feedback, five batches of unequal size."""
    rng = np.random.default_rng(0)
    L = len(sizes) - 1
    w: Weights = {}
    for h in range(1, L + 1):
        w[f"W{h}.weight"] = rng.normal(size=(sizes[h], sizes[h - 1])) * 0.6
        w[f"W{h}.bias"] = rng.normal(size=sizes[h]) * 0.3
        if h >= 2:
            w[f"B{h}.weight"] = rng.normal(size=(sizes[h - 1], sizes[h])) * 0.6
        if h < L:
            w[f"D{h}.weight"] = rng.normal(size=(sizes[h], sizes[L])) * 0.6
    rows = [rng.choice(12, size=size, replace=False) for size in (4, 1, 5, 3, 2)]
    return rng.uniform(0.05, 0.95, size=(12, sizes[0])), rng.integers(0, sizes[L], 12), w, rows


def transposed(w: Weights) -> Weights:
    """The same forward weights, with their transposes as feedback."""
    return w | {name: w["W" + name[1:]].T.copy() for name in w if name[0] == "B"}


def same(a: Weights, b: Weights, letter: str = "WBD", tolerance: float = 1e-12) -> bool:
    names = [name for name in a if name[0] in letter]
    assert names
    return all(np.allclose(a[name], b[name], rtol=tolerance, atol=tolerance) for name in names)


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


def degrees(a: Array, b: Array) -> float:
    return float(np.degrees(np.arccos(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))))


def scalars(**values: float) -> Weights:
    """Circuits of one neuron a layer: scalars(W1=0.5, b1=0.1, B2=3.0, D1=2.0); biases are 0 unless told."""
    w = {}
    for name, value in values.items():
        if name[0] != "b":
            w[f"{name}.weight"] = np.array([[value]])
        if name[0] == "W":
            w[f"{name}.bias"] = np.array([values.get(f"b{name[1:]}", 0.0)])
    return w


def numbers(after: Weights, *names: str) -> list[float]:
    return [after[name].item() for name in names]


# ------------------------------------------------------------------------------------------------ backpropagation


@pytest.mark.parametrize("sizes", [[4, 3], [5, 4, 3], [5, 4, 3, 4, 3]])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
def test_bp_is_the_numerical_gradient(sizes: list[int], hidden: str, output: str) -> None:
    """Of the cross-entropy (softmax), of the cross-entropy summed over the classes (logistic), of ½ |T - O|²."""
    x, y, w, _ = setting(sizes)
    chosen = [0, 3, 7]

    def loss() -> float:
        total = 0.0
        for e in chosen:
            s, o = forward(x[e], w, hidden=hidden, output=output)
            for i in range(sizes[-1]):
                t = 1.0 if i == y[e] else 0.0
                if output == "identity":
                    total += 0.5 * (t - o[-1][i]) ** 2
                elif output == "softmax":
                    total -= t * (s[-1][i] - np.log(np.sum(np.exp(s[-1]))))
                else:
                    total += np.log(1.0 + np.exp(s[-1][i])) - t * s[-1][i]
        return total / len(chosen)

    after = train(x, y, w, rows=[chosen], feedback="bp", hidden=hidden, output=output, lr=1.0)
    for name in [n for n in w if n[0] == "W"]:
        assert np.allclose(after[name] - w[name], -slope(w, name, loss), rtol=1e-6, atol=1e-8), name


@pytest.mark.parametrize("hinge_margin", ["one", "mu"])
def test_hinge_is_the_numerical_gradient(hinge_margin: str) -> None:
    """(1 - s_c)₊ + μ Σ (m + s_k)₊, whatever the output function is; some units must be on each side of the margin."""
    x, y, w, _ = setting([5, 6, 5, 4])
    margin = 1.0 if hinge_margin == "one" else 1.0 / 3.0
    met: set[bool] = set()

    def loss() -> float:
        total = 0.0
        for e in range(12):
            s, _ = forward(x[e], w)
            for i in range(4):
                gap = 1.0 - s[-1][i] if i == y[e] else margin + s[-1][i]
                met.add(bool(gap > 0.0))
                total += (1.0 if i == y[e] else 1.0 / 3.0) * max(gap, 0.0) / 12
        return total

    w["W3.weight"] *= 3.0
    after = train(x, y, w, rows=[range(12)], loss="hinge", hinge_margin=hinge_margin, output="identity", lr=1.0)
    for name in [n for n in w if n[0] == "W"]:
        assert np.allclose(after[name] - w[name], -slope(w, name, loss), rtol=1e-6, atol=1e-8), name
    assert met == {True, False}
    softmax = train(x, y, w, rows=[range(12)], loss="hinge", hinge_margin=hinge_margin, output="softmax", lr=1.0)
    assert same(after, softmax, tolerance=0.0)


def test_hinge_with_two_classes_by_hand() -> None:
    """μ = 1/(2-1) = 1, so both margins are 1. x = 1, no biases, s = W1: δ_c = 1 if s_c < 1, δ_k = -1 if s_k > -1."""
    table = [  # s of the right class, s of the other, δ of each
        (0.5, -0.5, 1.0, -1.0),
        (0.5, -1.5, 1.0, 0.0),
        (1.5, 0.5, 0.0, -1.0),
        (1.5, -1.5, 0.0, 0.0),
        (1.0, -1.0, 0.0, 0.0),  # at the margin, nothing
    ]
    for right, other, delta_right, delta_other in table:
        for label in (0, 1):
            values, expected = [right, other], [delta_right, delta_other]
            if label == 1:
                values, expected = values[::-1], expected[::-1]
            w = {"W1.weight": np.array(values)[:, np.newaxis], "W1.bias": np.zeros(2)}
            for margin in ("one", "mu"):
                at: dict[str, Any] = {"loss": "hinge", "hinge_margin": margin, "bias": False, "lr": 0.1}
                after = train(np.ones((1, 1)), [label], w, rows=[[0]], **at)
                assert np.allclose(after["W1.weight"][:, 0] - values, 0.1 * np.array(expected)), (right, other, label)


def test_hinge_margins_part_with_three_classes() -> None:
    """μ = 1/2. s = (0.9, -0.7, -0.4) of class 0: margin 1 pushes both others down, margin 1/2 only the third."""
    w = {"W1.weight": np.array([[0.9], [-0.7], [-0.4]]), "W1.bias": np.zeros(3)}
    for margin, expected in (("one", [1.0, -0.5, -0.5]), ("mu", [1.0, 0.0, -0.5])):
        after = train(np.ones((1, 1)), [0], w, rows=[[0]], loss="hinge", hinge_margin=margin, lr=1.0)
        assert np.allclose(after["W1.weight"][:, 0] - w["W1.weight"][:, 0], expected)
        assert np.allclose(after["W1.bias"], expected)


# --------------------------------------------------------------------------------------------- feedback matrices


def test_feedback_by_hand() -> None:
    """x = 2, W = (1, 1, 1/4), linear: O = 2, 2, 1/2; the one class is always right: δ3 = 1 - 1/2.
    B3 = 3, B2 = -5: δ2 = 1.5, δ1 = -7.5; D2 = 11, D1 = 7: 5.5, 3.5; bp: 1/8, 1/8; ss: all signs of W are +."""
    w = scalars(W1=1.0, W2=1.0, W3=0.25, B2=-5.0, B3=3.0, D1=7.0, D2=11.0)
    expected = {"fa": [-7.5, 1.5], "wm": [-7.5, 1.5], "dfa": [3.5, 5.5], "bp": [0.125, 0.125], "ss": [7.5, 1.5]}
    for feedback, (delta1, delta2) in expected.items():
        at: dict[str, Any] = {"feedback": feedback, "lr": [0.1, 0.2, 0.3], "lr_bias": 0.5, **LINEAR}
        after = train(np.array([[2.0]]), [0], w, rows=[[0]], **at)
        steps = [1.0 + 0.2 * delta1, 1.0 + 0.4 * delta2, 0.25 + 0.6 * 0.5]
        assert numbers(after, "W1.weight", "W2.weight", "W3.weight") == pytest.approx(steps), feedback
        biases = [0.5 * delta1, 0.5 * delta2, 0.25]
        assert numbers(after, "W1.bias", "W2.bias", "W3.bias") == pytest.approx(biases), feedback
        assert same(w, after, "BD", 0.0)
    minus = scalars(W1=1.0, W2=-1.0, W3=-0.25, B2=5.0, B3=3.0)  # O = 2, -2, 1/2: the signs of W turn δ
    after = train(np.array([[2.0]]), [0], minus, rows=[[0]], feedback="ss", lr=1.0, **LINEAR)
    assert after["W1.bias"].item() == pytest.approx(0.5 * -3.0 * -5.0)


def test_urfb_from_transposes_is_bp() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    for momentum in (0.0, 0.9):
        at: dict[str, Any] = {"rows": rows * 3, "lr": [0.5, 0.4, 0.3], "momentum": momentum}
        bp = train(x, y, w, feedback="bp", **at)
        urfb = train(x, y, transposed(w), feedback="urfb", **at)
        assert same(bp, urfb, "W") and not same(bp, w, "W", 1e-3)
        assert same(transposed(urfb), urfb, "B")
        assert not same(bp, train(x, y, w, feedback="urfb", **at), "W", 1e-3)


def test_fa_from_transposes_makes_bps_first_step_only() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    for feedback, start in (("fa", transposed(w)), ("ss", transposed(w)), ("wm", transposed(w))):
        bp, other = (train(x, y, s, rows=rows[:1], feedback=f, lr=0.5) for f, s in (("bp", w), (feedback, start)))
        assert same(bp, other, "W")
        bp, other = (train(x, y, s, rows=rows[:2], feedback=f, lr=0.5) for f, s in (("bp", w), (feedback, start)))
        assert not same(bp, other, "W", 1e-6)


def test_a_step_of_nothing_is_fa() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    fa = train(x, y, w, rows=rows, feedback="fa", lr=0.5, momentum=0.5)
    assert same(fa, train(x, y, w, rows=rows, feedback="urfb", feedback_step=0.0, lr=0.5, momentum=0.5))
    assert same(fa, w, "B", 0.0) and not same(fa, w, "W", 1e-3)
    half, whole = (train(x, y, w, rows=rows[:1], feedback="fa", feedback_step=q, lr=0.5) for q in (0.5, 1.0))
    assert np.allclose(2 * (half["B2.weight"] - w["B2.weight"]), whole["B2.weight"] - w["B2.weight"])
    assert same(whole, train(x, y, w, rows=rows[:1], feedback="urfb", lr=0.5))
    with pytest.raises(ValueError, match="feedback_step"):
        train(x, y, w, rows=rows, feedback="bp", feedback_step=1.0)


def test_dfa_with_one_hidden_layer_is_fa() -> None:
    x, y, w, rows = setting([6, 5, 3])
    w["D1.weight"] = w["B2.weight"].copy()
    assert same(train(x, y, w, rows=rows, feedback="dfa", lr=0.5), train(x, y, w, rows=rows, feedback="fa", lr=0.5))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_kolen_pollack_forgets_the_difference(momentum: float) -> None:
    """W - Bᵀ shrinks by 1 - λ at each update, whatever the data (Akrout, eq. 14); biases do not decay."""
    x, y, w, rows = setting([6, 5, 4, 3])
    at: dict[str, Any] = {"rows": rows, "lr": [0.5, 0.4, 0.3], "momentum": momentum}
    after = train(x, y, w, feedback="kp", weight_decay=0.1, **at)
    for h in (2, 3):
        before = w[f"W{h}.weight"] - w[f"B{h}.weight"].T
        assert np.allclose(after[f"W{h}.weight"] - after[f"B{h}.weight"].T, 0.9 ** len(rows) * before, atol=1e-14)
    assert same(train(x, y, w, feedback="kp", **at), train(x, y, w, feedback="urfb", **at))
    still = train(x, y, w, rows=rows[:2], feedback="kp", weight_decay=0.1, lr=0.0)
    assert np.allclose(still["W1.weight"], 0.81 * w["W1.weight"]) and np.array_equal(still["W1.bias"], w["W1.bias"])
    still = train(x, y, w, rows=rows[:2], feedback="urfb", weight_decay=0.1, lr=0.0)
    assert np.allclose(still["W2.weight"], 0.81 * w["W2.weight"]) and same(still, w, "B", 0.0)


def test_sign_symmetry_by_kind() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    w["W2.weight"][0, 0] = 0.0  # a synapse of no sign returns nothing
    fixed = train(x, y, w, rows=rows[:2], feedback="ss", lr=0.5)
    first = w | {f"B{h}.weight": np.sign(w[f"W{h}.weight"].T) * np.abs(w[f"B{h}.weight"]) for h in (2, 3)}
    between = train(x, y, first, rows=rows[:1], feedback="fa", lr=0.5)
    signs = {h: np.sign(between[f"W{h}.weight"].T) for h in (2, 3)}
    second = between | {f"B{h}.weight": signs[h] * np.abs(w[f"B{h}.weight"]) for h in (2, 3)}
    assert same(train(x, y, second, rows=rows[1:2], feedback="fa", lr=0.5), fixed, "W")
    redrawn = [{h: np.full_like(w[f"B{h}.weight"], 0.1 * (k + h)) for h in (2, 3)} for k in range(2)]
    batch = train(x, y, w, rows=rows[:2], feedback="ss", magnitudes=redrawn, lr=0.5)
    now = w
    for k in range(2):
        now = now | {f"B{h}.weight": redrawn[k][h] for h in (2, 3)}
        now = train(x, y, now, rows=rows[k : k + 1], feedback="ss", lr=0.5)
    assert same(now, batch, "W") and not same(batch, fixed, "W", 1e-3)


# ---------------------------------------------------------------------------------------------------- primitives


@pytest.mark.parametrize("reads", ["input", "activity"])
@pytest.mark.parametrize("hidden", ["tanh", "relu"])
@pytest.mark.parametrize(("feedback", "name"), [(f, n) for f, names in SUMS.items() for n in names])
def test_primitives_follow_their_penalties(feedback: str, name: str, hidden: str, reads: str) -> None:
    """B - rate · c · the numerical gradient of P_l of the source's table: the batch's mean, x of the forward pass."""
    x, y, w, _ = setting([6, 5, 4, 3])
    chosen = [0, 3, 7, 8]
    seen = [forward(x[e], w, hidden=hidden)[1] for e in chosen]
    table = {"rate": 0.3, name: 0.7, "reads": reads}
    after = train(x, y, w, rows=[chosen], feedback=feedback, primitives=table, hidden=hidden, lr=0.0)
    for h in (2, 3):
        B, W = w[f"B{h}.weight"], w[f"W{h}.weight"]

        def penalty(h: int = h, B: Array = B, W: Array = W) -> float:  # noqa: N803
            total = 0.0
            for o in seen:
                below = o[h - 1]
                above = W @ below if reads == "input" else o[h]
                if name == "decay":
                    total += 0.5 * np.sum(B**2)
                elif name == "amp":
                    total -= below @ B @ above
                elif name == "null":
                    total += 0.5 * np.sum((B @ above) ** 2)
                elif name == "sparse":
                    total += 0.5 * np.sum((below @ B) ** 2)
                else:
                    total -= np.trace(B @ W)
            return float(total) / len(seen)

        expected = -0.3 * 0.7 * slope(w, f"B{h}.weight", penalty)
        assert np.allclose(after[f"B{h}.weight"] - B, expected, rtol=1e-6, atol=1e-9)
        assert np.abs(expected).max() > 1e-3


def test_sums_of_primitives_add_and_leave_the_forward_step_alone() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    c = {"amp": 0.5, "decay": 0.2, "null": 0.3}
    whole = train(x, y, w, rows=rows[:1], feedback="ia", primitives={"rate": 0.4, **c}, lr=0.5)
    assert same(whole, train(x, y, w, rows=rows[:1], feedback="fa", lr=0.5), "W")
    parts = [train(x, y, w, rows=rows[:1], feedback="ia", primitives={"rate": 0.4, n: c[n]}, lr=0.5) for n in c]
    moved = sum(part["B2.weight"] - w["B2.weight"] for part in parts)
    assert np.allclose(whole["B2.weight"] - w["B2.weight"], moved)
    still = train(x, y, w, rows=rows, feedback="sa", primitives={"rate": 0.0, "self": 1.0, "decay": 1.0}, lr=0.5)
    assert same(still, train(x, y, w, rows=rows, feedback="fa", lr=0.5))
    # Symmetric alignment is the gradient of ½ |W - Bᵀ|²: rate 1 and both coefficients 1 give the W of the passes.
    at_once = train(x, y, w, rows=rows[:1], feedback="sa", primitives={"rate": 1.0, "self": 1.0, "decay": 1.0}, lr=0.5)
    assert np.allclose(at_once["B2.weight"], w["W2.weight"].T)


def test_activation_alignment() -> None:
    """amp + sparse is the gradient of ½ |W x - Bᵀ x|², whatever the layer above fires."""
    x, y, w, _ = setting([6, 5, 3])
    below = forward(x[0], w)[1][1]

    def penalty() -> float:
        return float(0.5 * np.sum((w["W2.weight"] @ below - w["B2.weight"].T @ below) ** 2))

    at: dict[str, Any] = {"primitives": {"rate": 1.0, "amp": 1.0, "sparse": 1.0}, "lr": 0.0}
    after = train(x, y, w, rows=[[0]], feedback="aa", **at)
    assert np.allclose(after["B2.weight"] - w["B2.weight"], -slope(w, "B2.weight", penalty), atol=1e-8)


# ------------------------------------------------------------------------------------------------ weight mirrors


def passes(
    count: int, batch: int, sizes: list[int], scale: float = 0.1, uniform: bool = False
) -> list[dict[int, Array]]:
    rng = np.random.default_rng(1)
    shapes = {h: (batch, sizes[h - 1]) for h in range(2, len(sizes))}
    draw = rng.uniform if uniform else rng.normal
    first = -scale if uniform else 0.0
    return [{h: draw(first, scale, size=shape) for h, shape in shapes.items()} for _ in range(count)]


def test_mirror_by_hand() -> None:
    """Linear, W2 = 2, b2 = 1, noise 3 and -1: answers 7 and -1, mean x y = (21 + 1) / 2 = 11; centred 4 and -4:
    (12 + 4) / 2 = 8; bias blocked 6 and -2: (18 + 2) / 2 = 10; blocked and centred 4 and -4 again: 8.
    """
    w = scalars(W1=1.0, W2=2.0, b2=1.0, B2=5.0)
    noise = [[{2: np.array([[3.0], [-1.0]])}]]
    mirror = {"rate": 0.1, "decay": 0.2}
    options = [({}, 11.0), ({"centre": True}, 8.0), ({"block_bias": True}, 10.0)]
    options += [({"centre": True, "block_bias": True}, 8.0)]
    for option, product in options:
        at: dict[str, Any] = {"feedback": "wm", "noise": noise, "lr": 0.0, **LINEAR}
        after = train(np.array([[1.0]]), [0], w, rows=[[0]], mirror=mirror | option, **at)
        assert after["B2.weight"].item() == pytest.approx(5.0 + 0.1 * product - 0.2 * 5.0), option
        unit = train(np.array([[1.0]]), [0], w, rows=[[0]], mirror=mirror | option | {"normalise": True}, **at)
        assert unit["B2.weight"].item() == pytest.approx(1.0)
        after = train(np.array([[1.0]]), [0], w, rows=[[0]], mirror=mirror | option, **at | {"output": "softmax"})
        assert after["B2.weight"].item() == pytest.approx(5.0 + 0.1 * product - 0.2 * 5.0), option  # identity


def test_mirror_passes_follow_the_forward_update() -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    noise, mirror = passes(3, 7, [6, 5, 4, 3]), {"rate": 2.0, "decay": 0.1, "normalise": True, "centre": True}
    at: dict[str, Any] = {"feedback": "wm", "mirror": mirror}
    both = train(x, y, w, rows=rows[:1], noise=[noise[:2]], noise_before=noise[2:], lr=0.5, **at)
    now = train(x, y, w, rows=[], noise_before=noise[2:], **at)
    assert same(now, w, "W", 0.0) and not same(now, w, "B", 1e-3)
    now = train(x, y, now, rows=rows[:1], lr=0.5, **at)
    for one in noise[:2]:
        now = train(x, y, now, rows=[], noise_before=[one], **at)
    assert same(now, both)
    assert np.sqrt(np.sum(both["B2.weight"] ** 2)) == pytest.approx(1.0)


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize(("hidden", "output"), [("tanh", "softmax"), ("relu", "logistic"), ("logistic", "identity")])
def test_weight_mirrors_find_the_transpose(hidden: str, output: str, uniform: bool) -> None:
    """Under 10 degrees with much noise (Akrout, eq. 11); the start was far away."""
    sizes = [4, 8, 6, 5]
    x, y, w, _ = setting(sizes)
    mirror = {"rate": 20.0, "decay": 0.5, "block_bias": True, "centre": True}
    given = passes(12, 600, sizes, scale=0.2, uniform=uniform)
    after = train(x, y, w, rows=[], feedback="wm", hidden=hidden, output=output, mirror=mirror, noise_before=given)
    for h in (2, 3):
        assert degrees(w[f"W{h}.weight"].T, w[f"B{h}.weight"]) > 60.0
        assert degrees(after[f"W{h}.weight"].T, after[f"B{h}.weight"]) < 10.0
    plain = train(x, y, w, rows=[], feedback="wm", mirror={"rate": 20.0, "decay": 0.5}, noise_before=given[:2])
    assert not same(plain, after, "B", 1e-3)


# --------------------------------------------------------------------- rates, momentum, decay, max_norm, synapses


def test_momentum_decay_and_factors_by_hand() -> None:
    """x = 2, W1 = 0, one linear neuron whose class is always right: momentum ½, rate 0.1, bias 0.05, λ = 0.1.

    First:  error 1, v = 2 and 1; W = 0.2, b = 0.05.
    Second: O = 0.45, error 0.55, v = 1 + 1.1 = 2.1 and 0.5 + 0.55 = 1.05; the factor 0.5 halves both rates, not λ:
            W = 0.2 + 0.05 · 2.1 - 0.1 · 0.2 = 0.285, b = 0.05 + 0.025 · 1.05 = 0.07625.
    """
    at: dict[str, Any] = {"momentum": 0.5, "lr": 0.1, "lr_bias": [0.05], "weight_decay": 0.1, **LINEAR}
    after = train(np.array([[2.0]]), [0], scalars(W1=0.0), rows=[[0], [0]], lr_factors=[1.0, 0.5], **at)
    assert numbers(after, "W1.weight", "W1.bias") == pytest.approx([0.285, 0.07625])


def test_feedback_takes_the_velocity_by_hand() -> None:
    """x = 1, W1 = 1 with rate 0, W2 = 0, linear, no biases. Momentum ½, rate 0.1, q = 2, λ = 0.1.

    First:  O1 = 1, error 1, v = 1; W2 = 0.1, W1 = 0.9; B2 from 3: kp 3 + 0.2 - 0.3 = 2.9, urfb 3 + 0.2 = 3.2.
    Second: O1 = 0.9, error 1 - 0.09 = 0.91, v = 0.5 + 0.91 · 0.9 = 1.319; W2 = 0.1 + 0.1319 - 0.01.
    """
    at: dict[str, Any] = {"momentum": 0.5, "lr": [0.0, 0.1], "weight_decay": 0.1, "feedback_step": 2.0, "bias": False}
    w = scalars(W1=1.0, W2=0.0, B2=3.0)
    kp, urfb = (train(np.array([[1.0]]), [0], w, rows=[[0], [0]], feedback=f, **at, **LINEAR) for f in ("kp", "urfb"))
    assert numbers(kp, "W1.weight", "W2.weight") == pytest.approx([0.81, 0.1 + 0.1319 - 0.01])
    assert kp["B2.weight"].item() == pytest.approx(2.9 + 0.2638 - 0.29)
    assert urfb["B2.weight"].item() == pytest.approx(3.2 + 0.2638)


def test_max_norm_joins_weights_and_bias() -> None:
    """Rate 0: a neuron with weights (2, 1), bias 2 has norm 3, which becomes 1.5; one with (0.3, 0.4), 0 keeps 0.5.
    Feedback weights are not incoming weights of forward neurons; without biases the first norm is sqrt(5)."""
    w = {
        "W1.weight": np.array([[2.0, 1.0], [0.3, 0.4]]),
        "W1.bias": np.array([2.0, 0.0]),
        "W2.weight": np.zeros((2, 2)),
        "W2.bias": np.zeros(2),
        "B2.weight": np.full((2, 2), 9.0),
    }
    after = train(np.ones((1, 2)), [0], w, rows=[[0]], feedback="fa", lr=0.0, max_norm=1.5)
    assert np.allclose(after["W1.weight"], [[1.0, 0.5], [0.3, 0.4]]) and np.allclose(after["W1.bias"], [1.0, 0.0])
    assert np.all(after["W2.weight"] == 0.0) and np.all(after["B2.weight"] == 9.0)
    after = train(np.ones((1, 2)), [0], w, rows=[[0]], feedback="fa", lr=0.0, max_norm=1.5, bias=False)
    assert np.allclose(after["W1.weight"][0], np.array([2.0, 1.0]) * 1.5 / np.sqrt(5.0)) and after["W1.bias"][0] == 2.0
    # After the update, not before: x = 1, W1 = 10, error -9 of a linear neuron with rate 1.5 gives -3.5, bound to 2.
    one = train(np.array([[1.0]]), [0], scalars(W1=10.0), rows=[[0]], lr=1.5, bias=False, max_norm=2.0, **LINEAR)
    assert one["W1.weight"].item() == pytest.approx(-2.0)


@pytest.mark.parametrize("feedback", ["bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa"])
def test_synapses_that_do_not_exist_carry_and_learn_nothing(feedback: str) -> None:
    x, y, w, rows = setting([6, 5, 4, 3])
    rng = np.random.default_rng(3)
    masks = {name: (rng.random(a.shape) < 0.5) * 1.0 for name, a in w.items() if name.endswith("weight")}
    at: dict[str, Any] = {"rows": rows, "feedback": feedback, "lr": 0.5, "masks": masks}
    if feedback in SUMS:
        at["primitives"] = {"rate": 0.1, **dict.fromkeys(SUMS[feedback], 0.5)}
    if feedback == "wm":
        at |= {"mirror": {"rate": 1.0}, "noise": [[one] for one in passes(5, 4, [6, 5, 4, 3])]}
    after = train(x, y, w, **at)
    for name, mask in masks.items():
        assert np.all(after[name][mask == 0.0] == 0.0)
        assert name[0] != "W" or np.any(after[name][mask == 1.0] != w[name][mask == 1.0])
    other = {name: a + 7.0 * (1.0 - masks[name]) if name in masks else a for name, a in w.items()}
    assert same(after, train(x, y, other, **at), tolerance=0.0)
    if feedback == "ss":  # the same magnitudes, redrawn for each presentation
        redrawn = [{h: other[f"B{h}.weight"] for h in (2, 3)}] * len(rows)
        assert same(after, train(x, y, w, magnitudes=redrawn, **at), tolerance=0.0)


def test_the_given_weights_are_left_alone_and_updates_compose() -> None:
    x, y, w, rows = setting([6, 4, 3])
    kept = {name: a.copy() for name, a in w.items()}
    for feedback in ("bp", "kp"):
        whole = train(x, y, w, rows=rows, feedback=feedback, lr=0.3)
        halves = train(
            x, y, train(x, y, w, rows=rows[:2], feedback=feedback, lr=0.3), rows=rows[2:], feedback=feedback, lr=0.3
        )
        assert same(w, kept, tolerance=0.0) and same(whole, halves, tolerance=0.0)
    assert np.allclose(forward(x[0], w)[1][-1], activation("softmax", forward(x[0], w)[0][-1][np.newaxis])[0])


@pytest.mark.parametrize("wrong", [{"feedback": "nonsense"}, {"loss": "nonsense"}, {"feedback": "ia"}])
def test_what_is_not_defined_is_refused(wrong: dict[str, Any]) -> None:
    x, y, w, rows = setting([6, 4, 3])
    with pytest.raises(ValueError, match=r"nonsense|needed there"):
        train(x, y, w, rows=rows, **wrong)
