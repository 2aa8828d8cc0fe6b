"""The memory of an audit: comparisons of everything at once find what comparisons one by one find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitsim.analysis.audits.memory import LITTLE, Comparison, MemoryBlocks, same_bits
from circuitsim.analysis.audits.trials import alone
from circuitsim.locality import Key


def blocks() -> MemoryBlocks:
    random = np.random.default_rng(0)
    arrays: dict[Key, Any] = {
        ("A", "weight", None): random.random((2, 3, 4)),
        ("B", "weight", None): random.random((2, 4, 3)).swapaxes(1, 2),  # lies as its transpose does
        ("C", "weight", None): random.random((1, LITTLE // 8 + 1)),
        ("x", "O", 0): random.random((2, 5, 3)).astype("float32"),
        ("data", "rows", None): np.arange(5),
        ("A", "mask", None): random.random((2, 3, 4)) < 0.5,
    }
    return MemoryBlocks(arrays, {}, random)


def test_a_changed_bit_is_found_in_any_block() -> None:
    memory = blocks()
    comparison = Comparison(memory, memory.copy())
    assert comparison.differing() == []
    for number, block in enumerate(memory.blocks):
        before = block.copy()
        block[(-1,) * block.ndim] = not block[(-1,) * block.ndim] if block.dtype == bool else 7
        assert comparison.differing() == [number]
        comparison.expect(number, block.copy())
        assert comparison.differing() == []
        block[...] = before
        assert comparison.differing() == [number]
        comparison.expect(number, before)
    assert comparison.differing() == []


def test_all_changes_are_found_together() -> None:
    memory = blocks()
    before = memory.copy()
    comparison = Comparison(memory, before)
    for block in memory.blocks[::2]:
        block[...] = 1
    changed = [k for k, block in enumerate(memory.blocks) if not same_bits(block, before[k])]
    assert comparison.differing() == changed == [0, 2, 4]


def test_zero_and_its_negative_are_other_bits() -> None:
    memory = blocks()
    memory.blocks[0][0, 0, 0] = 0.0
    comparison = Comparison(memory, memory.copy())
    memory.blocks[0][0, 0, 0] = -0.0
    assert comparison.differing() == [0]


@pytest.mark.parametrize("guilty", [set(), {0}, {6}, {2, 3}, {0, 5, 6}, set(range(7))], ids=str)
def test_the_blocks_that_make_a_difference_are_found_by_halving(guilty: set[int]) -> None:
    tried: list[int] = []

    def differs(where: Any) -> bool:
        tried.append(len(where))
        return bool(guilty & {*where})

    assert set(alone(differs, list(range(7)))) == guilty
    assert 7 not in tried  # it is known that all together make a difference


def test_where_halves_hide_each_other_blocks_are_tried_one_by_one() -> None:
    """Two changes that cancel: as where one silences the neuron that the other reaches."""
    cancelling = {2, 3}
    assert alone(lambda where: len(cancelling & {*where}) == 1, list(range(8))) == [2, 3]
