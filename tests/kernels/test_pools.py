"""Largest inputs a vector of neurons at a time, held to the table of synapses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitsim.circuit.connectivity import Connectivity, MaxPool, Table, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.kernels import specification
from circuitsim.kernels.cpu import pools
from circuitsim.lowering.links import links

SCATTERED = Table([0, 0, 1, 1, 2], [3, 1, 0, 2, 2], [0, 1, 1, 0, 0])  # slots that decrease along a neuron's synapses
CASES: list[tuple[Connectivity, tuple[int, ...]]] = [
    (MaxPool(3, 2, "same"), (3, 9, 10)),
    (MaxPool(3, 2, "same", fill="none"), (2, 8, 9)),
    (MaxPool(2), (5, 8, 8)),
    (MaxPool((1, 3), (1, 2), (0, 1), ties="last"), (2, 4, 11)),
    (MaxPool(3, 2, 1, fill="none", ties="last"), (1, 7, 13)),
    (MaxPool(2, ties="all"), (2, 6, 6)),
    (SCATTERED, (4,)),
]


def _found(case: Any, dtype: str, values: np.ndarray, *, winners: bool) -> list[list[np.ndarray | None]]:
    """Largest inputs and winners, by the kernels and by the specification."""
    made, pre = case
    post = made.output_shape(pre) if isinstance(made, MaxPool) else (3,)
    source, target = (Population(name, shape=shape) if len(shape) == 3 else Population(name, size_of(shape))
                      for name, shape in (("pre", pre), ("post", post)))  # fmt: skip
    graph = Graph("g", (source, target), (), "pre", "post")
    up = links(graph, Projection("up", "pre", "post", connectivity=made))
    weight = np.ones((1, *up.tensor_shape), dtype)
    weight[..., -1] = 1.5
    results = []
    for largest in (pools.largest, specification.largest):
        out = np.zeros((*values.shape[:2], size_of(post)), dtype)
        won = np.full(out.shape, -7, np.int64) if winners else None
        largest(up, values, weight, out, won)()
        results.append([out, won])
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("winners", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_largest_inputs_and_winners_are_those_of_the_table(case: Any, winners: bool, dtype: str) -> None:
    values = np.random.default_rng(0).integers(-3, 3, (2, 3, size_of(case[1]))).astype(dtype)  # with ties
    (out, won), (expected, places) = _found(case, dtype, values[:1], winners=winners)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(won, places)  # None where nobody remembers


@pytest.mark.parametrize("case", CASES[:4], ids=str)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_wins_as_the_table_says(case: Any, value: float) -> None:
    values = np.random.default_rng(1).normal(size=(1, 2, size_of(case[1])))
    values[0, 0, ::3] = value
    (out, _), (expected, _) = _found(case, "float64", values, winners=False)
    np.testing.assert_array_equal(out, expected)


def test_pools_are_compared_in_vectors() -> None:
    made = links(
        Graph(
            "g", (Population("a", shape=(2, 8, 8)), Population("b", shape=(2, 4, 4), combine=Combine.MAX)), (), "a", "b"
        ),
        Projection("up", "a", "b", connectivity=MaxPool(2)),
    )
    cells, ranks = pools.tables_of(made)
    assert cells.shape == (4, 32) and (cells >= 0).all() and not len(ranks)
