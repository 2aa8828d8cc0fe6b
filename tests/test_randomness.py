"""Random numbers belong to a seed, an object and a tick, and to nothing else."""

from __future__ import annotations

import numpy as np
from building import Setting, simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.engine.initial import glorot
from circuitsim.engine.state import State
from circuitsim.randomness import generator

modest = settings(max_examples=50, deadline=None, derandomize=True)
keys = st.tuples(st.integers(0, 2**64 - 1), st.text(max_size=12), st.integers(0, 2**63 - 1))


@modest
@given(keys, st.integers(1, 50))
def test_equal_keys_give_equal_numbers_whatever_else_was_drawn(key: tuple[int, str, int], others: int) -> None:
    expected = generator(*key).random(20)
    generator(0, "noise").random(others)
    again = generator(*key)
    assert np.array_equal(np.concatenate([again.random(7), again.random(13)]), expected)


@modest
@given(keys, keys)
def test_different_keys_give_different_numbers(one: tuple[int, str, int], other: tuple[int, str, int]) -> None:
    assert (one == other) == np.array_equal(generator(*one).random(4), generator(*other).random(4))


def test_neighbouring_ticks_do_not_overlap() -> None:
    """A million numbers of one tick do not run into those of the next."""
    first, second = generator(1, "order", 0).random(1_000_000), generator(1, "order", 1).random(8)
    assert not np.isin(second, first).any()


def test_the_numbers_are_these() -> None:
    """The same on every machine and in every version: a run can be repeated."""
    assert generator(7, "A1.weight").integers(0, 1000, 5).tolist() == [29, 586, 726, 627, 248]
    assert generator(7, "order", 3).permutation(6).tolist() == [0, 2, 5, 1, 4, 3]


def test_glorot_fills_its_interval_evenly() -> None:
    w = glorot(3, "A1.weight", (300, 200), (200, 300))
    limit = np.sqrt(6 / 500)
    assert w.shape == (300, 200) and np.abs(w).max() <= limit < np.abs(w).max() * 1.001
    assert abs(w.mean()) < 4 * w.std() / np.sqrt(w.size) and abs(w.std() - limit / np.sqrt(3)) < 0.01 * limit


def test_a_projections_weights_depend_on_its_seed_and_name_alone() -> None:
    populations = (Population("a", 4), Population("b", 3), Population("c", 3))
    few = Circuit("few", populations[:2], (Projection("p", "a", "b"),), inputs="a", outputs="b")
    more = Circuit(
        "more", populations, (Projection("q", "a", "c"), Projection("p", "a", "b", delay=4)), inputs="a", outputs="c"
    )
    drawn = {c.name: State(c, seeds=[5, 6], dtype=np.float64).tensors() for c in (few, more)}
    assert np.array_equal(drawn["few"]["p.weight"], drawn["more"]["p.weight"])
    assert not np.array_equal(drawn["more"]["p.weight"], drawn["more"]["q.weight"])
    assert not np.array_equal(drawn["few"]["p.weight"][0], drawn["few"]["p.weight"][1])
    single = State(few, seeds=[6], dtype=np.float32).tensors()["p.weight"]
    assert np.array_equal(single[0], drawn["few"]["p.weight"][1].astype(np.float32))


def test_every_rule_starts_from_the_same_weights() -> None:
    rec, rbp = (simulator([Setting((64, 8, 6, 64), rule=rule)]).tensors() for rule in ("rec", "rbp"))
    assert all(np.array_equal(rbp[name], tensor) for name, tensor in rec.items())
