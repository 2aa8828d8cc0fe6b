"""Convolutions that are summed where images lie, and untied windows, held to the table of synapses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from circuitsim.circuit.connectivity import Convolution, LocallyConnected, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Population, Projection
from circuitsim.kernels import specification
from circuitsim.kernels.cpu import blocks, correlation, operands, pairs, untied
from circuitsim.kernels.cpu.operands import SplitBy
from circuitsim.kernels.cpu.ops import Op
from circuitsim.kernels.links import Links
from circuitsim.lowering.links import links

THREADS = 3
CASES = [
    (Convolution(3), (2, 9, 11), 8),
    (Convolution(5), (3, 8, 8), 7),
    (Convolution((1, 4)), (4, 7, 9), 3),
    (Convolution((4, 2), padding="valid"), (1, 12, 10), 13),
    (Convolution(3, padding=4), (2, 6, 7), 5),
    (Convolution((2, 3), padding=(0, 5)), (5, 6, 6), 2),
    (Convolution(3), (1, 6, 40), 1),
    (Convolution(7), (9, 6, 6), 6),
    (LocallyConnected(3), (2, 5, 6), 8),
    (LocallyConnected((2, 3), (1, 2), "valid"), (3, 4, 7), 5),
    (LocallyConnected(3, 2), (1, 6, 5), 3),
    (LocallyConnected(2, padding=3), (2, 4, 3), 2),
    (LocallyConnected(1), (5, 5, 4), 1),
]


def _both(
    made: Convolution | LocallyConnected, pre: tuple[int, int, int], channels: int
) -> tuple[Links, Links, tuple[int, int, int]]:
    """The links of a convolution, those of its reverse, and the shape of its fields."""
    post = made.output_shape(pre, channels)
    graph = Graph("g", (Population("pre", shape=pre), Population("post", shape=post)), (), "pre", "post")
    up = links(graph, Projection("up", "pre", "post", connectivity=made))
    down = links(graph, Projection("down", "post", "pre", connectivity=made.transposed()))
    return up, down, post  # type: ignore[return-value]


def _in_parts(step: Any, by: SplitBy | None) -> None:
    assert isinstance(step, Op) and step.kernel.py_func.__module__ in (correlation.__name__, untied.__name__)
    if by:
        step.split(THREADS, by)
    step()


@pytest.fixture(autouse=True)
def _room_for_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operands, "thread_count", lambda: THREADS)


def _close(found: np.ndarray, expected: np.ndarray) -> None:
    error = 2e-5 if found.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found, expected, rtol=error, atol=error * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("by", [None, SplitBy.NEURONS, SplitBy.EXAMPLES])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_signals_and_increments_are_those_of_the_table(case: Any, by: SplitBy | None, dtype: str) -> None:
    made, pre, channels = case
    (up, down, post), rng = _both(made, pre, channels), np.random.default_rng(3)
    replicas, batch = (2, 4) if by is None else (1, 5)
    weight = rng.normal(size=(replicas, *made.tensor_shape(pre, post))).astype(dtype)
    x, d = (rng.normal(size=(replicas, batch, size_of(shape))).astype(dtype) for shape in (pre, post))
    axes = (3, 4) if isinstance(made, LocallyConnected) else (1, 2)
    across = weight.swapaxes(*axes)

    passes: list[tuple[Links, np.ndarray, np.ndarray, np.ndarray]] = [(up, x, weight, d), (down, d, across, x)]
    for way, emitted, own, like in passes:
        for accumulate in (False, True):
            found, expected = np.ones_like(like), np.ones_like(like)
            _in_parts(pairs.deliver_along(way, emitted, own, found, accumulate=accumulate), by)
            specification.deliver_along(way, emitted, own, expected, accumulate=accumulate)()
            _close(found, expected)
    if by is not SplitBy.EXAMPLES:
        for way, after, before in ((up, d, x), (down, x, d)):
            found, expected = np.ones_like(weight), np.ones_like(weight if way is up else across)
            _in_parts(pairs.outer_along(way, after, before, found.reshape(replicas, found.shape[1], -1)), by)
            specification.outer_along(way, after, before, expected)()
            _close(found, expected if way is up else expected.swapaxes(*axes))


def test_sums_over_many_examples_go_through_memory_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "NEAR", 1)  # an example at a time
    made, pre = Convolution(3), (2, 7, 7)
    (up, _, post), rng = _both(made, pre, 3), np.random.default_rng(4)
    x, d = (rng.normal(size=(1, 6, size_of(shape))) for shape in (pre, post))
    found, expected = (np.ones((1, *made.tensor_shape(pre, post))) for _ in range(2))
    _in_parts(pairs.outer_along(up, d, x, found.reshape(1, 3, -1)), None)
    specification.outer_along(up, d, x, expected)()
    _close(found, expected)


def test_functions_of_caches_are_told_apart_by_their_names() -> None:
    made = [blocks.BLOCK_8, blocks.BLOCK_6, blocks.BLOCK_4, blocks.BLOCK_3, blocks.BLOCK_2, blocks.BLOCK_1]
    assert len({function.py_func.__qualname__ for function in made}) == len(made)


@pytest.mark.parametrize("change", ["repeat", "garbage"])
@pytest.mark.parametrize("made", [Convolution(5), LocallyConnected(3)], ids=str)
def test_a_step_leaves_nothing_behind_for_the_next(made: Convolution, change: str) -> None:
    pre = (2, 8, 8)
    (up, down, post), rng = _both(made, pre, 4), np.random.default_rng(5)
    weight = rng.normal(size=(1, *made.tensor_shape(pre, post)))
    x, d = (rng.normal(size=(1, 3, size_of(shape))) for shape in (pre, post))
    out, back, increment = np.zeros_like(d), np.zeros_like(x), np.zeros_like(weight)
    axes = (3, 4) if isinstance(made, LocallyConnected) else (1, 2)
    steps: list[Callable[[], Any]] = [
        pairs.deliver_along(up, x, weight, out, accumulate=False),
        pairs.deliver_along(
            down,
            d,
            weight.swapaxes(*axes),
            back,
            accumulate=False,
        ),
        pairs.outer_along(up, d, x, increment.reshape(1, increment.shape[1], -1)),
    ]
    if change == "garbage":
        for step in steps:
            for operand in getattr(step, "operands"):  # noqa: B009
                if operand.private:
                    operand.array[...] = np.nan
    first = []
    for step, result in zip(steps, (out, back, increment), strict=True):
        step()
        first.append(result.copy())
        assert np.isfinite(result).all()
        step()
        np.testing.assert_array_equal(result, first[-1])
