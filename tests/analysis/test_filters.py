"""Filters of untied layers compared, saturated neurons counted: against loops, and where the answer is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from building import digits

from circuitsim.analysis.filters import kernel_distances, mean_distance, similarity
from circuitsim.analysis.saturation import saturated_fractions
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator

WEIGHTS = np.random.default_rng(1).standard_normal((2, 6, 7, 3, 2, 3, 3))


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_distances_are_those_of_all_pairs(radius: int) -> None:
    found = mean_distance(WEIGHTS, radius)
    for one, value in zip(WEIGHTS, found, strict=True):
        places = list(product(range(6), range(7)))
        apart = [
            np.linalg.norm(one[a][o] - one[b][o])
            for a, b in product(places, places)
            if max(abs(a[0] - b[0]), abs(a[1] - b[1])) == radius
            for o in range(3)
        ]
        norm = np.sqrt(np.square(one).sum(axis=(3, 4, 5)).mean())
        np.testing.assert_allclose(value, np.mean(apart) / norm)


def test_distances_of_equal_and_of_independent_kernels() -> None:
    equal = np.broadcast_to(WEIGHTS[:, :1, :1], WEIGHTS.shape)
    np.testing.assert_array_equal(mean_distance(equal, 1), 0)
    wide = np.random.default_rng(2).standard_normal((1, 8, 8, 4, 8, 5, 5))
    np.testing.assert_allclose(mean_distance(wide, 4), np.sqrt(2), rtol=0.02)


def test_similarity() -> None:
    equal = np.broadcast_to(WEIGHTS[:, :1, :1], WEIGHTS.shape)
    np.testing.assert_allclose(similarity(equal), 1)
    inner = WEIGHTS[:, 1:-1, 1:-1].reshape(2, -1, 3, 18)
    middle = inner.mean(axis=1)
    cosines = [
        [k[o] @ m[o] / np.linalg.norm(k[o]) / np.linalg.norm(m[o]) for k in one for o in range(3)]
        for one, m in zip(inner, middle, strict=True)
    ]
    np.testing.assert_allclose(similarity(WEIGHTS), np.mean(cosines, axis=1))


def test_kernels_that_are_zero_are_left_out_of_the_similarity() -> None:
    kernels = np.broadcast_to(WEIGHTS[:, :1, :1], WEIGHTS.shape).copy()
    kernels[:, 2, 3] = 0
    np.testing.assert_allclose(similarity(kernels), 1)


def simulator(texts: list[str], hidden: str) -> Simulator:
    described = layered_classifier(parse_layers(texts, (1, 8, 8)), "fa", hidden=hidden, bias=False)
    return Simulator(*described, batch=20, seeds=[1, 2], dtype="float64")


def test_distances_are_of_untied_layers_with_so_many_locations() -> None:
    made = simulator(["local 2 3", "conv 2 3/2", "local 2 3", "dense 10"], "relu")
    found = kernel_distances(made)
    assert list(found) == ["kernel_distance/W1/1", "kernel_distance/W1/4", "kernel_distance/W3/1"]
    np.testing.assert_array_equal(found["kernel_distance/W1/4"], mean_distance(made.tensors()["W1.weight"], 4))


@pytest.mark.parametrize("hidden, end", [("saturated", 1.0), ("saturated-half", 2.0)])
def test_saturated_fractions(hidden: str, end: float) -> None:
    made = simulator(["dense 9", "dense 10"], hidden)
    made.load("W1.weight", 3 * made.tensors()["W1.weight"])
    found = saturated_fractions(made, digits())
    summed = np.einsum("bj,rij->rbi", digits(), made.tensors()["W1.weight"])
    assert list(found) == ["saturated/layer1"]
    expected = (np.abs(summed) >= end).mean(axis=(1, 2))
    np.testing.assert_allclose(found["saturated/layer1"], expected)
    assert (expected > 0.1).all() and (expected < 0.9).all()


def test_what_does_not_saturate_is_not_counted() -> None:
    assert saturated_fractions(simulator(["dense 9", "dense 10"], "tanh"), digits()) == {}
