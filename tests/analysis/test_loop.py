"""Maps that carry errors around a loop, its gain and step, the optimum of linear circuits: by hand, by other means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from circuitsim.analysis.loop import angles, error_maps, forward_pass, loop_figures
from circuitsim.analysis.optimum import principal_subspace
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator

SIZES = [9, 7, 4, 6, 9]


def _simulator(rule: str, linear: bool = True, bias: bool = False, **parameters: Any) -> Simulator:
    kind = {"hidden": "identity", "output": "identity"} if linear else {}
    circuit, protocol = circular_autoencoder(SIZES, rule, bias=bias, **kind)
    simulator = Simulator(
        circuit,
        protocol,
        batch=6,
        seeds=(0, 1),
        dtype="float64",
        backend="numpy",
        parameters={"lr": 0.01, **parameters},
    )
    simulator.use(X)
    return simulator


X = np.random.default_rng(2).random((6, SIZES[0]))


def test_maps_carry_what_recirculation_compares() -> None:
    """Linear: O_h(0) - O_h(1) = M_h e and delta_h = N_h e for every example; BP's own map is N_h."""
    simulator = _simulator("rec", bias=True)
    carried, backward = error_maps(simulator, forward_pass(simulator, X))
    (out,) = (made.copy() for _, made, _ in simulator.outputs(X))
    first, again = forward_pass(simulator, X), [forward_pass(simulator, out[r]) for r in range(2)]
    for r in range(2):
        for h in (1, 2, 3):
            arrived = first.fired[h][r] - again[r].fired[h][r]
            np.testing.assert_allclose(arrived, (X - out[r]) @ carried[h][r].T, atol=1e-12)
    bp = _simulator("bp", bias=True)
    own, transposed = error_maps(bp, forward_pass(bp, X))
    for h, degrees in angles(own, transposed).items():
        np.testing.assert_allclose(degrees, 0)
        np.testing.assert_allclose(transposed[h], backward[h])  # of the same seeds, so of the same forward weights


def test_maps_of_tanh_circuits_are_means_of_jacobians() -> None:
    """M_3 at one example against finite differences of layer 3 by the input."""
    simulator, step = _simulator("rec", linear=False, bias=True), 1e-6
    x = X[:1]
    carried, _ = error_maps(simulator, forward_pass(simulator, x))
    moved = forward_pass(simulator, x + step * np.eye(SIZES[0])).fired[3] - forward_pass(simulator, x).fired[3]
    np.testing.assert_allclose(carried[3], moved.swapaxes(1, 2) / step, atol=1e-5)
    several, _ = error_maps(simulator, forward_pass(simulator, X))
    each = [error_maps(simulator, forward_pass(simulator, X[k : k + 1]))[0][3] for k in range(len(X))]
    np.testing.assert_allclose(several[3], np.mean(each, axis=0), atol=1e-12)


def test_maps_of_other_feedback() -> None:
    """Random: D_h B_{h+1} ... B_L; skipped: D_h D{h}; the top alone carries nothing down."""
    random, skipped, top = _simulator("rbp"), _simulator("srbp"), _simulator("top")
    b, d = random.tensors(), skipped.tensors()
    carried, _ = error_maps(random, forward_pass(random, X))
    np.testing.assert_allclose(carried[2], b["B3.weight"] @ b["B4.weight"])
    np.testing.assert_allclose(error_maps(skipped, forward_pass(skipped, X))[0][2], d["D2.weight"])
    assert error_maps(top, forward_pass(top, X))[0] == {}


def test_gain_is_an_eigenvalue_and_step_what_an_update_does() -> None:
    """By hand: weights 2 and 3, example 1, biases: gain 6, K_0 = 2, K_1 = 5, step = 6 * 2 eta + 5 eta = 17 eta."""
    circuit, protocol = circular_autoencoder([1, 1, 1], hidden="identity", output="identity")
    simulator = Simulator(circuit, protocol, batch=1, dtype="float64", backend="numpy", parameters={"lr": 1e-6})
    simulator.use(np.ones((1, 1)))
    for name, weight in (("A1", 2.0), ("A2", 3.0)):
        simulator.load(f"{name}.weight", np.array([[weight]]))
    found = loop_figures(simulator, np.ones((1, 1)))
    assert (found["loop/gain"][0], found["loop/step"][0]) == pytest.approx((6, 17e-6))
    errors = []
    for _ in range(2):
        (made,) = (out.copy() for _, out, _ in simulator.outputs(np.ones((1, 1))))
        errors.append(1 - made.item())
        simulator.present([0])
    assert 1 - errors[1] / errors[0] == pytest.approx(17e-6, rel=1e-3)  # to first order in the rate
    wide = _simulator("rec")
    tensors = wide.tensors()
    turn = tensors["A4.weight"] @ tensors["A3.weight"] @ tensors["A2.weight"] @ tensors["A1.weight"]
    np.testing.assert_allclose(loop_figures(wide, X)["loop/gain"], np.abs(np.linalg.eigvals(turn)).max(axis=1))


def test_slopes_are_in_the_gain() -> None:
    """A logistic output's slope is at most 1/4, so the gain is below a quarter of the linear circuit's."""
    curved, linear = _simulator("rec", linear=False), _simulator("rec")
    x = np.zeros((1, SIZES[0]))  # where tanh' = 1 and the logistic slope is 1/4
    np.testing.assert_allclose(loop_figures(curved, x)["loop/gain"], loop_figures(linear, x)["loop/gain"] / 4)


def test_what_ran_away_has_no_figures() -> None:
    simulator = _simulator("rec")
    simulator.load("A1.weight", np.full((7, 9), 1e200))
    simulator.load("A2.weight", np.full((4, 7), 1e200))
    assert not any(np.isfinite(found).any() for found in loop_figures(simulator, X).values())


def test_the_optimum_is_that_of_principal_components() -> None:
    draw = np.random.default_rng(0)
    train, test = (draw.normal(1, 2, (n, 8)) @ np.diag(range(1, 9)) for n in (50, 20))
    best, pca = principal_subspace(train, test, 3), PCA(3).fit(train)
    for split, x in (("train", train), ("test", test)):
        assert best.error[split] == pytest.approx(np.mean((x - pca.inverse_transform(pca.transform(x))) ** 2))
    assert best.variance["train"] == pytest.approx(train.var(axis=0).mean())
    assert best.excess("train", best.variance["train"] + best.error["train"]) == pytest.approx(100)
