"""Checks of the yardstick itself: against numerical gradients, identities of the papers, numbers by hand."""

from typing import Any

import numpy as np
import pytest
from handwritten import Array, Weights, activation, bce, derivative, forward, mse, train
from numpy.typing import NDArray

VARIANTS = ["pr", "ccr", "rcc", "ccrcc", "rwcc"]
LINEAR: dict[str, Any] = {"hidden": "identity", "output": "identity"}


def setting(sizes: list[int]) -> tuple[Array, Weights, list[NDArray[np.int64]]]:
    """Data in (0, 1), weights with biases that are not zero, and five presentations of unequal size."""
    rng = np.random.default_rng(0)
    L = len(sizes) - 1
    w: Weights = {}
    for h in range(1, L + 1):
        w[f"A{h}.weight"] = rng.normal(size=(sizes[h], sizes[h - 1])) * 0.6
        w[f"A{h}.bias"] = rng.normal(size=sizes[h]) * 0.3
        if h >= 2:
            w[f"B{h}.weight"] = rng.normal(size=(sizes[h - 1], sizes[h])) * 0.6
        if h < L:
            w[f"D{h}.weight"] = rng.normal(size=(sizes[h], sizes[L])) * 0.6
    rows = [rng.choice(12, size=size, replace=False) for size in (4, 1, 5, 3, 2)]
    return rng.uniform(0.05, 0.95, size=(12, sizes[0])), w, rows


def same(a: Weights, b: Weights, tolerance: float = 1e-12) -> bool:
    return all(np.allclose(a[name], b[name], rtol=tolerance, atol=tolerance) for name in a)


def scalars(**values: float) -> Weights:
    """Circuits of one neuron a layer: scalars(a1=0.5, a2=1.0, c1=0.0) with c for biases; the biases are 0 otherwise."""
    w = {}
    for name, value in values.items():
        if name[0] == "a":
            w[f"A{name[1:]}.weight"] = np.array([[value]])
            w[f"A{name[1:]}.bias"] = np.array([values.get(f"c{name[1:]}", 0.0)])
    return w


def steps(before: Weights, after: Weights, kind: str = "weight") -> list[float]:
    """The changes of A1, A2, … of a circuit of scalars."""
    return [float((after[n] - before[n]).item()) for n in sorted(before) if n[0] == "A" and n.endswith(kind)]


def one(x: float, w: Weights, **settings: Any) -> Weights:
    """One linear update of a circuit of scalars, with rate 1 unless told."""
    return train(np.array([[x]]), w, rows=[[0]], **{**LINEAR, "lr": 1.0, **settings})


# ------------------------------------------------------------------------------------------------ backpropagation


@pytest.mark.parametrize("sizes", [[5, 3, 5], [5, 4, 2, 3, 5]])
@pytest.mark.parametrize("hidden", ["tanh", "relu", "saturated", "logistic", "identity"])
@pytest.mark.parametrize("output", ["logistic", "identity"])
def test_bp_is_the_numerical_gradient(sizes: list[int], hidden: str, output: str) -> None:
    x, w, _ = setting(sizes)
    x = x[:3]

    def loss() -> float:
        out, logits = forward(x, w, hidden=hidden, output=output)
        return bce(x, logits) if output == "logistic" else 0.5 * sizes[0] * mse(x, out)

    after = train(x, w, rows=[[0, 1, 2]], rule="bp", hidden=hidden, output=output, lr=1.0)
    for name in [n for n in w if n[0] == "A"]:
        for index in np.ndindex(w[name].shape):
            value, eps = w[name][index], 1e-5
            w[name][index] = value + eps
            up = loss()
            w[name][index] = value - eps
            down = loss()
            w[name][index] = value
            assert after[name][index] - value == pytest.approx(-(up - down) / (2 * eps), rel=1e-6, abs=1e-8)


def test_rbp_with_transposes_reset_at_each_update_is_bp() -> None:
    x, w, rows = setting([6, 4, 3, 6])
    expected = train(x, w, rows=rows, rule="bp", lr=[0.5, 0.4, 0.3])
    now = w
    for r in rows:
        for h in (2, 3):
            now[f"B{h}.weight"] = now[f"A{h}.weight"].T
        now = train(x, now, rows=[r], rule="rbp", lr=[0.5, 0.4, 0.3])
    assert same({n: a for n, a in expected.items() if n[0] == "A"}, now)


def test_one_hidden_layer_has_one_feedback_matrix() -> None:
    """srbp = rbp where D1 = B2; the feedback of both stays; B2 of arbp follows A2 (Kolen-Pollack) without momentum."""
    x, w, rows = setting([6, 4, 6])
    w["D1.weight"] = w["B2.weight"].copy()
    rbp = train(x, w, rows=rows, rule="rbp", lr=0.3)
    assert same(rbp, train(x, w, rows=rows, rule="srbp", lr=0.3))
    assert same({n: w[n] for n in ("B2.weight", "D1.weight")}, rbp, 0.0)
    arbp = train(x, w, rows=rows, rule="arbp", lr=[0.3, 0.2])
    assert np.allclose((arbp["B2.weight"] - w["B2.weight"]).T, arbp["A2.weight"] - w["A2.weight"], atol=1e-14)
    apart = {n: a for n, a in w.items() if n[0] == "A"}
    fed = train(x, apart, rows=rows, rule="rbp", lr=0.3, feedback={"B2.weight": w["B2.weight"]})
    assert same(fed, rbp)


def test_feedback_rules_by_hand() -> None:
    """x = 2, a = (1, 1, 1/2): O = 2, 2, 1, error 1. With B3 = 3, B2 = 5, D1 = 7, D2 = 11 the posts are
    rbp 15, 3, 1; srbp 7, 11, 1; pre 2, 2, 2. arbp: dB2 = O1 δ2 = 6, dB3 = O2 δ3 = 2. Linear, rate 0.1 and 0.2, 0.3."""
    w = scalars(a1=1.0, a2=1.0, a3=0.5)
    w |= {f"{n}.weight": np.array([[v]]) for n, v in (("B2", 5.0), ("B3", 3.0), ("D1", 7.0), ("D2", 11.0))}
    rate = [0.1, 0.2, 0.3]
    assert steps(w, one(2.0, w, rule="rbp", bias=False, lr=rate)) == pytest.approx([3.0, 1.2, 0.6])
    assert steps(w, one(2.0, w, rule="srbp", bias=False, lr=rate)) == pytest.approx([1.4, 4.4, 0.6])
    assert steps(w, one(2.0, w, rule="top", lr=rate)) == pytest.approx([0.0, 0.0, 0.6])
    assert steps(w, one(2.0, w, rule="top", lr=rate), "bias") == pytest.approx([0.0, 0.0, 0.3])
    after = one(2.0, w, rule="arbp", bias=False, lr=rate, momentum=0.9)
    assert after["B2.weight"].item() == pytest.approx(5.0 + 0.2 * 6.0)
    assert after["B3.weight"].item() == pytest.approx(3.0 + 0.3 * 2.0)
    # A second presentation shows that B has no momentum: its second step is again lr times the increment alone.
    twice = train(np.array([[2.0]]), w, rows=[[0], [0]], rule="arbp", bias=False, lr=rate, momentum=0.9, **LINEAR)
    plain = one(2.0, after, rule="arbp", bias=False, lr=rate)
    assert twice["B2.weight"] == pytest.approx(plain["B2.weight"])
    assert twice["A3.weight"].item() != pytest.approx(plain["A3.weight"].item())


# ------------------------------------------------------------------------------------------------- recirculation


def test_two_linear_updates_by_hand() -> None:
    """A*[1, 1, 1], rate 0.1, a1 = 0.5, a2 = 1, x = 2 and then x = 1, no biases.

    First:  O0(0) = 2, O1(0) = 1,   O2(0) = 1    = O0(1), O1(1) = 0.5.
            da1 = (1 - 0.5) 2 = 1;   da2 = (2 - 1) 1 = 1;   a1 = 0.6, a2 = 1.1.
    Second: O0(0) = 1, O1(0) = 0.6, O2(0) = 0.66 = O0(1), O1(1) = 0.396.
            da1 = (0.6 - 0.396) 1 = 0.204; da2 = (1 - 0.66) 0.6 = 0.204; a1 = 0.6204, a2 = 1.1204.
    """
    w = scalars(a1=0.5, a2=1.0)
    after = train(np.array([[1.0], [2.0]]), w, rows=[[1], [0]], bias=False, lr=0.1, **LINEAR)
    assert after["A1.weight"].item() == pytest.approx(0.6204, rel=1e-14)
    assert after["A2.weight"].item() == pytest.approx(1.1204, rel=1e-14)
    # The batch of both: da1 = (2·0.5 + 1·0.25) / 2, as O1 = 0.5, O2 = 0.5, O1(1) = 0.25 for x = 1.
    both = train(np.array([[1.0], [2.0]]), w, rows=[[0, 1]], bias=False, lr=1.0, **LINEAR)
    assert steps(w, both) == pytest.approx([0.625, (1.0 + 0.25) / 2])
    # A*[1, 1]: only the top layer, da = x (1 - a) x.
    assert steps(scalars(a1=0.5), one(3.0, scalars(a1=0.5))) == pytest.approx([4.5])


def test_mixed_cycles_by_hand() -> None:
    """RWCC with λ₁ = 1/2, λ₂ = 1/4 on A*[1, 1, 1], a1 = 1, a2 = 1/2, x = 2, biases at 0. (r: remembers, e: emits)

    cycle 0: O0 = 2,                            O1 = 2,                                        O2 = 1
    cycle 1: S0 = 1,     e0 = r0 = 1.5;         S1 = 1.5,    e1 = 1.75,    r1 = 1.625;         O2 = 0.875
    cycle 2: S0 = 0.875, e0 = r0 = 1.4375;      S1 = 1.4375, e1 = 1.71875, r1 = 1.578125;      O2 = 0.859375
    """
    w = scalars(a1=1.0, a2=0.5)
    at: dict[str, Any] = {"variant": "rwcc", "lam": [0.5, 0.25], "cycles": 2}
    # n = 0: da1 = (2 - 1.578125) 2; the top's posts are 2 - 1.4375, 2 - 1.5 and 1 - 0.859375, times O1(0) = 2.
    assert steps(w, one(2.0, w, **at)) == pytest.approx([0.84375, 1.125])
    assert steps(w, one(2.0, w, **at), "bias") == pytest.approx([0.421875, 0.5625])
    assert steps(w, one(2.0, w, top_rule="gradient", **at)) == pytest.approx([0.84375, 1.0])
    assert steps(w, one(2.0, w, top_rule="own", **at)) == pytest.approx([0.84375, 0.28125])
    # n = 1: da1 = (1.625 - 1.578125) 1.5; the top's posts are 1.5 - 1.4375, 2 - 1.5, 0.875 - 0.859375, times 1.625.
    at["reference_cycle"] = 1
    assert steps(w, one(2.0, w, **at)) == pytest.approx([0.0703125, 0.1015625])
    assert steps(w, one(2.0, w, top_rule="gradient", **at)) == pytest.approx([0.0703125, 0.8125])
    assert steps(w, one(2.0, w, top_rule="own", **at)) == pytest.approx([0.0703125, 0.025390625])
    # Symmetric: -(1.625 - 1.578125) (1.5 - 1.4375) below the top, its bias -(1.625 - 1.578125) 1; the top as before.
    after = one(2.0, w, rule="rec-symmetric", **at)
    assert steps(w, after) == pytest.approx([-0.0029296875, 0.1015625])
    assert steps(w, after, "bias") == pytest.approx([-0.046875, 0.0625])


def test_two_coefficients_in_the_other_variants() -> None:
    """As above with one recirculation: S0 = 1. Posts of layer 1 and of the top, each times a presynaptic 2.

    ccr:   e0 = 1, S1 = 1, r1 = 0.25·2 + 0.75·1 = 1.25, r0 = 1.25       -> 0.75, 0.75   (λ₂ throughout)
    rcc:   e0 = 1.5, S1 = 1.5 = r1, r0 = 1.5                            -> 0.5, 0.5
    ccrcc: e0 = 1.5, S1 = 1.5, r1 = 1.625, r0 = 1.5                     -> 0.375, 0.5
    """
    w = scalars(a1=1.0, a2=0.5)
    for variant, expected in (("ccr", [1.5, 1.5]), ("rcc", [1.0, 1.0]), ("ccrcc", [0.75, 1.0]), ("rwcc", [0.75, 1.0])):
        assert steps(w, one(2.0, w, variant=variant, lam=[0.5, 0.25])) == pytest.approx(expected), variant


def test_linear_theory_of_several_cycles() -> None:
    """Eqs. 48 and 51, with x² for β: a1 = 0.5, a2 = 2, a3 = 0.8, P = 0.8."""
    w, x, P = scalars(a1=0.5, a2=2.0, a3=0.8), 1.5, 0.8
    below = [0.5, 0.25 * 2.0]  # a1² … a_{h-1}² a_h
    for m in (1, 2, 3):
        got = steps(w, one(x, w, cycles=m, bias=False))
        assert got == pytest.approx([x**2 * q * (1 - P**m) for q in (*below, 1.0)])
    for n, m in ((1, 2), (1, 3), (0, 2)):
        got = steps(w, one(x, w, cycles=m, reference_cycle=n, top_rule="own", bias=False))
        assert got == pytest.approx([x**2 * q * P ** (2 * n) * (1 - P ** (m - n)) for q in (*below, 0.25 * 4.0 * 0.8)])


@pytest.mark.parametrize("m", [1, 2])
def test_ccr_is_pr_with_a_smaller_rate(m: int) -> None:
    """Eq. 26, whatever the activations, as long as cycle n is cycle 0."""
    x, w, rows = setting([6, 4, 3, 6])
    ccr = train(x, w, rows=rows, variant="ccr", lam=0.3, lr=0.5, lr_bias=0.2, momentum=0.7, cycles=m)
    pr = train(x, w, rows=rows, lr=0.7 * 0.5, lr_bias=0.7 * 0.2, momentum=0.7, cycles=m)
    assert same(ccr, pr) and not same(pr, w, 1e-3)


@pytest.mark.parametrize("rule", ["rec", "rec-symmetric"])
@pytest.mark.parametrize("top_rule", ["same", "gradient", "own"])
def test_every_variant_without_mixing_is_pr(rule: str, top_rule: str) -> None:
    x, w, rows = setting([6, 4, 3, 6])
    at: dict[str, Any] = {"rule": rule, "top_rule": top_rule, "cycles": 3, "reference_cycle": 1, "lr": 0.5}
    runs = [train(x, w, rows=rows, variant=v, lam=0.0, **at) for v in VARIANTS]
    assert all(same(runs[0], run, 0.0) for run in runs[1:])


def test_rwcc_is_ccrcc_where_the_hidden_emission_is_not_read() -> None:
    x, w, rows = setting([6, 4, 6])
    at: dict[str, Any] = {"lam": [0.3, 0.6], "lr": 0.5}
    runs = [train(x, w, rows=rows, variant=v, **at) for v in ("ccrcc", "rwcc")]
    assert same(runs[0], runs[1], 0.0)
    others: list[dict[str, Any]] = [{"cycles": 2}, {"top_rule": "own"}]
    for more in others:
        runs = [train(x, w, rows=rows, variant=v, **at, **more) for v in ("ccrcc", "rwcc")]
        assert not same(runs[0], runs[1], 1e-6)


def test_ccr_is_rcc_in_linear_circuits() -> None:
    x, w, rows = setting([6, 4, 3, 6])
    runs = [train(x, w, rows=rows, variant=v, lam=0.4, lr=0.1, **LINEAR) for v in ("ccr", "rcc")]
    assert same(runs[0], runs[1])


def test_errors_and_outputs_recirculate_alike_in_linear_circuits() -> None:
    """Eqs. 20 and 35: without biases. With them the error's passes add biases too, and the rules part."""
    x, w, rows = setting([6, 4, 3, 6])
    runs = [train(x, w, rows=rows, rule=r, lr=0.1, bias=False, **LINEAR) for r in ("rec", "error-rec")]
    assert same(runs[0], runs[1])
    # x = 2, a = (1, 1/2), biases (3, -1): O1 = 5, O2 = 1.5, error 0.5; e1 = 0.5 + 3. da1 = 3.5·2, da2 = 0.5·5.
    w = scalars(a1=1.0, a2=0.5, c1=3.0, c2=-1.0)
    after = one(2.0, w, rule="error-rec")
    assert steps(w, after) == pytest.approx([7.0, 2.5]) and steps(w, after, "bias") == pytest.approx([3.5, 0.5])
    with pytest.raises(ValueError, match="plain recirculation"):
        one(2.0, w, rule="error-rec", cycles=2)


def test_the_top_layer_follows_the_gradient() -> None:
    """Eq. 23: rec, bp, top and the rest change the top layer alike, in every architecture."""
    x, w, rows = setting([6, 4, 3, 6])
    top = train(x, w, rows=rows[:1], rule="top", lr=0.5)
    for rule in ("rec", "rec-symmetric", "error-rec", "bp", "rbp", "srbp", "arbp"):
        got = train(x, w, rows=rows[:1], rule=rule, lr=0.5)
        assert np.allclose(got["A3.weight"], top["A3.weight"]) and np.allclose(got["A3.bias"], top["A3.bias"])
    assert same({n: top[n] for n in top if n[:2] != "A3"}, w, 0.0)


# -------------------------------------------------------------------------------------- rates, momentum, max_norm


def test_momentum_rates_and_factors_by_hand() -> None:
    """x = 2, a2 = 0, c2 = 0 and a1 = 1 under `top`: O1 = 2. Momentum 1/2, rate 0.1, of the bias 0.05; factors 1, 0.5.

    First:  error 2, v = 4 and 2; a2 = 0.4, c2 = 0.1.
    Second: output 0.9, error 1.1, v = 2 + 2.2 = 4.2 and 1 + 1.1 = 2.1; a2 = 0.4 + 0.05·4.2, c2 = 0.1 + 0.025·2.1.
    """
    at: dict[str, Any] = {"rule": "top", "momentum": 0.5, "lr": 0.1, "lr_bias": [0.0, 0.05], **LINEAR}
    after = train(np.array([[2.0]]), scalars(a1=1.0, a2=0.0), rows=[[0], [0]], lr_factors=[1.0, 0.5], **at)
    assert after["A2.weight"].item() == pytest.approx(0.61) and after["A2.bias"].item() == pytest.approx(0.1525)


def test_max_norm_joins_weights_and_bias() -> None:
    """Rate 0: a neuron with weights (2, 1), bias 2 has norm 3, which becomes 1.5; one with (0.3, 0.4), 0 keeps 0.5.
    Feedback weights are not incoming weights of forward neurons; without biases the first norm is sqrt(5)."""
    w = {
        "A1.weight": np.array([[2.0, 1.0], [0.3, 0.4]]),
        "A1.bias": np.array([2.0, 0.0]),
        "A2.weight": np.zeros((2, 2)),
        "A2.bias": np.zeros(2),
        "B2.weight": np.full((2, 2), 9.0),
    }
    after = train(np.ones((1, 2)), w, rows=[[0]], rule="rbp", lr=0.0, max_norm=1.5)
    assert np.allclose(after["A1.weight"], [[1.0, 0.5], [0.3, 0.4]]) and np.allclose(after["A1.bias"], [1.0, 0.0])
    assert np.all(after["A2.weight"] == 0.0) and np.all(after["B2.weight"] == 9.0)
    after = train(np.ones((1, 2)), w, rows=[[0]], rule="rbp", lr=0.0, max_norm=1.5, bias=False)
    assert np.allclose(after["A1.weight"][0], np.array([2.0, 1.0]) * 1.5 / np.sqrt(5.0)) and after["A1.bias"][0] == 2.0


def test_activations_and_losses() -> None:
    s = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    assert np.array_equal(derivative("relu", s), [[0, 0, 0, 1, 1]])
    assert np.array_equal(derivative("saturated", s), [[0, 1, 1, 1, 0]])
    assert np.array_equal(activation("saturated", s), [[-1, -1, 0, 1, 1]])
    assert activation("softmax", s).sum() == pytest.approx(1.0)
    assert np.allclose(activation("logistic", s), 1 / (1 + np.exp(-s)))
    assert np.all(np.isfinite(activation("logistic", 1e4 * s))) and np.all(np.isfinite(derivative("logistic", 1e4 * s)))
    x, p = np.array([[0.25, 1.0], [0.5, 0.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    assert bce(x, np.zeros((2, 2))) == pytest.approx(2 * np.log(2)) and np.isfinite(bce(x, np.full((2, 2), -1e4)))
    assert mse(x, p) == pytest.approx((0.0625 + 0.25 + 0.0 + 0.25) / 4)


def test_the_given_weights_are_left_alone_and_updates_compose() -> None:
    x, w, rows = setting([6, 4, 6])
    kept = {name: a.copy() for name, a in w.items()}
    whole = train(x, w, rows=rows, lr=0.3)
    halves = train(x, train(x, w, rows=rows[:2], lr=0.3), rows=rows[2:], lr=0.3)
    assert same(w, kept, 0.0) and same(whole, halves, 0.0)
