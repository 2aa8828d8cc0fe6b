"""Identities of the papers and of the design, in double precision, to 1e-10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from building import Setting, Tensors, distance, presentations, simulator, train, weights_of

from circuitsim.circuits.autoencoder import TOP_RULES, VARIANTS
from circuitsim.engine.simulator import Simulator

DEEP, SHALLOW = Setting((64, 12, 8, 10, 64), lr=(0.3, 0.2, 0.25, 0.1)), Setting((64, 12, 64), lr=(0.3, 0.1))
LINEAR: dict[str, Any] = {"hidden": "identity", "output": "identity", "lr": 0.02, "lr_bias": 0.01}
ROWS = presentations(10)
each_depth = pytest.mark.parametrize("base", [SHALLOW, DEEP], ids=["one hidden", "three hidden"])


def ends(setting: Setting, rows: Sequence[np.ndarray] = ROWS, **options: Any) -> Tensors:
    """Return the weights after the presentations."""
    return weights_of(train(simulator([setting], **options), rows))


@cache
def ended(setting: Setting) -> Tensors:
    """Return the weights after the usual presentations; the caller must not change them."""
    return ends(setting)


def assert_alike(one: Setting, other: Setting) -> None:
    """Both end with the same weights, and not with those they began with."""
    found, expected = ended(one), ended(other)
    assert distance(found, expected) < 1e-10
    assert distance(found, weights_of(simulator([one]))) > 1e-4


def assert_apart(one: Setting, other: Setting) -> None:
    """The identity's condition is needed: without it they differ."""
    assert distance(ended(one), ended(other)) > 1e-6


def scaled(setting: Setting, factor: float) -> Setting:
    rates = [setting.lr, setting.lr_bias]
    lr, lr_bias = (tuple(factor * r for r in rate) if isinstance(rate, tuple) else factor * rate for rate in rates)
    return replace(setting, lr=lr, lr_bias=lr_bias)


# --------------------------------------------------------------------------------------------------- the variants


@each_depth
@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_ccr_is_pr_with_a_smaller_rate(base: Setting, cycles: int, momentum: float) -> None:
    """Eq. 26: (1 - lambda) times the rates, of the biases too, as long as cycle n is cycle 0."""
    pr = replace(base, cycles=cycles, momentum=momentum)
    assert_alike(replace(pr, variant="ccr", lam=0.3), scaled(pr, 0.7))
    if cycles > 1 and base is DEEP and not momentum:
        later = replace(pr, reference_cycle=1)
        assert_alike(replace(later, variant="ccr", lam=0.0), later)
        assert_apart(replace(later, variant="ccr", lam=0.3), scaled(later, 0.7))


@each_depth
@pytest.mark.parametrize("rule", ["rec", "rec-symmetric"])
@pytest.mark.parametrize("top_rule", TOP_RULES)
def test_every_variant_without_memory_is_pr(base: Setting, rule: str, top_rule: str) -> None:
    pr = replace(base, rule=rule, top_rule=top_rule, cycles=3, reference_cycle=1)
    for variant in VARIANTS[1:]:
        assert_alike(replace(pr, variant=variant, lam=0.0), pr)
        assert_apart(replace(pr, variant=variant, lam=0.4), pr)


def test_ccrcc_is_rwcc_where_what_the_hidden_layer_emits_is_not_read() -> None:
    ccrcc = replace(SHALLOW, variant="ccrcc", lam=(0.3, 0.6))
    assert_alike(ccrcc, replace(ccrcc, variant="rwcc"))
    for more in ({"cycles": 2}, {"top_rule": "own"}, {"sizes": DEEP.sizes, "lr": DEEP.lr}):
        wider = replace(ccrcc, **more)
        assert_apart(wider, replace(wider, variant="rwcc"))


@each_depth
@pytest.mark.parametrize("bias", [True, False])
def test_ccr_is_rcc_in_linear_circuits(base: Setting, bias: bool) -> None:
    ccr = replace(base, variant="ccr", lam=0.4, bias=bias, **LINEAR)
    assert_alike(ccr, replace(ccr, variant="rcc"))
    assert_apart(replace(base, variant="ccr", lam=0.4), replace(base, variant="rcc", lam=0.4))


@each_depth
def test_errors_and_outputs_recirculate_alike_in_linear_circuits_without_bias(base: Setting) -> None:
    """Eqs. 20 and 35."""
    outputs = replace(base, bias=False, **LINEAR)
    assert_alike(replace(outputs, rule="error-rec"), outputs)
    assert_apart(replace(outputs, rule="error-rec", bias=True), replace(outputs, bias=True))
    assert_apart(replace(base, rule="error-rec"), base)


# ----------------------------------------------------------------------------------------------- the relatives of bp


def transposed(made: Simulator) -> None:
    """Let each B{h} be the transpose of A{h}."""
    tensors = made.tensors()
    for name in tensors:
        if name[0] == "B":
            made.load(name, tensors["A" + name[1:]].transpose(0, 2, 1))


@each_depth
@pytest.mark.parametrize("hidden, output", [("tanh", "logistic"), ("saturated", "identity"), ("relu", "tanh")])
def test_random_feedback_reset_to_the_transposes_is_backpropagation(base: Setting, hidden: str, output: str) -> None:
    bp = replace(base, rule="bp", hidden=hidden, output=output, lr=0.02, momentum=0.5)
    expected = ends(bp)
    made = simulator([replace(bp, rule="rbp")])
    for rows in ROWS:
        transposed(made)
        made.present(rows)
    found = {name: tensor for name, tensor in weights_of(made).items() if name[0] == "A"}
    assert distance(found, expected) < 1e-10
    never_reset = {name: t for name, t in ends(replace(bp, rule="rbp")).items() if name[0] == "A"}
    assert distance(never_reset, expected) > 1e-4


def test_the_top_layer_follows_the_gradient_under_every_rule() -> None:
    """Eq. 23, at the first update; afterwards the layers below differ."""
    expected = ends(replace(DEEP, rule="top"), ROWS[:1])
    for rule in ("rec", "rec-symmetric", "error-rec", "bp", "rbp", "srbp", "arbp"):
        found = ends(replace(DEEP, rule=rule), ROWS[:1])
        assert all(np.allclose(found[f"A4.{kind}"], expected[f"A4.{kind}"], rtol=1e-12) for kind in ("weight", "bias"))
        assert not np.allclose(found["A3.weight"], expected["A3.weight"], rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- replicas


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "arbp", "bp"])
def test_replicas_are_single_runs(rule: str, backend: str) -> None:
    """Different seeds, rates, variants, memory and bounds, side by side."""
    base = replace(DEEP, rule=rule, cycles=2, max_norm=0.9)
    settings = [
        replace(base, variant=variant, lam=0.2 + 0.1 * k, lr=0.1 + 0.05 * k, momentum=0.3 * (k % 2), max_norm=limit)
        for k, (variant, limit) in enumerate(zip(VARIANTS, (None, 0.7, 0.9, None, 1.1), strict=True))
    ]
    together = train(simulator(settings, seeds=[3, 3, 5, 7, 0], backend=backend), ROWS)
    for k, (setting, seed) in enumerate(zip(settings, [3, 3, 5, 7, 0], strict=True)):
        alone = ends(setting, seeds=[seed], backend=backend)
        assert distance(weights_of(together, k), alone) < 1e-12, setting


def test_replicas_may_see_different_data() -> None:
    rows = [np.stack([r, r[::-1], (r + 7) % 200]) for r in ROWS]
    together = train(simulator([DEEP] * 3, seeds=[1, 2, 2], shared=False), rows)
    for k, seed in enumerate((1, 2, 2)):
        alone = ends(DEEP, [r[k] for r in rows], seeds=[seed])
        assert distance(weights_of(together, k), alone) < 1e-12
    assert distance(weights_of(together, 1), weights_of(together, 2)) > 1e-3


# ------------------------------------------------------------------- where recirculation is backpropagation: symmetry


def symmetric(rule: str, a2: np.ndarray, batch: np.ndarray, updates: int) -> list[Tensors]:
    """The weights before and after each update of a linear circuit that begins with A1 = A2^T, on one batch."""
    sizes = (a2.shape[0], a2.shape[1], a2.shape[0])
    setting = Setting(sizes, rule=rule, bias=False, **LINEAR | {"lr": 0.1})
    made = simulator([setting], batch=len(batch))
    made.load("A1.weight", a2.T.copy())
    made.load("A2.weight", a2)
    made.use(batch)
    found = [weights_of(made)]
    for _ in range(updates):
        made.present(np.arange(len(batch)))
        found.append(weights_of(made))
    return found


def asymmetry(w: Tensors) -> float:
    return float(np.abs(w["A1.weight"] - w["A2.weight"].T).max())


def test_from_symmetric_weights_the_first_update_is_backpropagation() -> None:
    """Linear, one hidden layer, A1 = A2^T: dA2 = (I - A2 A1) Sigma A1^T and dA1 = A1 (I - A2 A1) Sigma are those of BP,
    since A1 = A2^T. They are each other's transposes only if Sigma commutes with A2 A1, so what follows is another
    matter (the paper, section 6.2, says that symmetry is kept; it is for commuting Sigma)."""
    a2 = np.random.default_rng(1).normal(0, 0.4, (6, 3))
    batch = np.random.default_rng(2).normal(0, 1, (20, 6)) * [2.0, 1.5, 1.0, 0.7, 0.5, 0.3]
    rec, bp = (symmetric(rule, a2, batch, 5) for rule in ("rec", "bp"))
    assert asymmetry(rec[0]) == 0
    assert distance(rec[1], bp[1]) < 1e-12 and distance(rec[1], rec[0]) > 1e-2
    assert asymmetry(rec[1]) > 1e-3 and asymmetry(bp[1]) > 1e-3
    assert distance(rec[2], bp[2]) > 1e-5


@pytest.mark.parametrize("data", ["white", "aligned"])
def test_symmetry_is_kept_where_the_covariance_commutes_with_the_circuit(data: str) -> None:
    """White data, or data whose principal axes are those of A2 A1: recirculation stays backpropagation for good."""
    random = np.random.default_rng(3)
    axes = np.linalg.qr(random.normal(size=(6, 6)))[0]
    inner = np.linalg.qr(random.normal(size=(3, 3)))[0]
    a2 = axes[:, :3] @ np.diag([0.9, 0.6, 0.3]) @ inner
    spread = np.ones(6) if data == "white" else np.array([2.0, 1.5, 1.0, 0.7, 0.5, 0.3])
    batch = np.sqrt(6) * np.diag(np.sqrt(spread)) @ axes.T
    assert np.allclose(batch.T @ batch / 6, axes @ np.diag(spread) @ axes.T)
    rec, bp = (symmetric(rule, a2, batch, 30) for rule in ("rec", "bp"))
    for one, other in zip(rec, bp, strict=True):
        assert asymmetry(one) < 1e-12 and distance(one, other) < 1e-10
    assert distance(rec[-1], rec[0]) > 1e-2
