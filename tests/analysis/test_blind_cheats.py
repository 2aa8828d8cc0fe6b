"""Cheats and honest programs written by somebody who had not seen the audit's code: each gets its expected verdict."""

from __future__ import annotations

import os
from typing import Any

import blind_circuits
import blind_honest
import blind_hooks
import blind_loop
import blind_rules
import blind_steps
import pytest
from blind import Case, accused, caught, seen, watch

import circuitsim as cs

CHEATS = [
    *blind_rules.CASES,
    *blind_circuits.CASES,
    *blind_hooks.CASES,
    *blind_loop.CASES,
    *blind_steps.CASES,
]
HONEST = [*blind_honest.CASES, *blind_steps.HONEST]


def rows(cases: list[Case]) -> list[object]:
    """Return parameters of a test: all nightly but those that are marked daily."""
    return [pytest.param(c, id=c.name, marks=() if c.daily else pytest.mark.nightly) for c in cases]


def test_there_are_enough() -> None:
    assert len(CHEATS) >= 60 and len(HONEST) >= 40


@pytest.mark.parametrize("case", rows(CHEATS))
def test_a_cheat_is_named(case: Case) -> None:
    text = seen(case)
    assert caught(case, text), text


@pytest.mark.parametrize("case", rows(HONEST))
def test_an_honest_program_is_not_accused(case: Case) -> None:
    text = seen(case)
    assert not accused(text) and case.text in text, text


# ------------------------------------------------- beyond an audit: docs/locality.md, "What an audit cannot do"


def turn(tensors: Any) -> None:
    tensors["B2.weight"][...] = tensors["W2.weight"].transpose(0, 2, 1)


def test_limit_a_hook_that_acts_after_more_calls_than_are_rehearsed() -> None:
    """The audit says how many calls it made."""
    calls = [0]

    def late(tensors: Any) -> None:
        calls[0] += 1
        if calls[0] > 5000:
            turn(tensors)

    found = watch(late)
    assert found["local"] and 100 <= found["hooks"][0]["calls"] <= 2000 and found["hooks"][0]["changes"] == ()


@pytest.mark.nightly
def test_limit_a_hook_that_knows_that_it_is_rehearsed() -> None:
    """The audit says that it saw no change of any array, and claims nothing about another process."""
    own = os.getpid()

    def knows(tensors: Any) -> None:
        if os.getpid() == own:
            turn(tensors)

    found = watch(knows)
    assert found["local"] and found["hooks"][0]["changes"] == ()


def test_limit_a_step_that_acts_after_more_calls() -> None:
    calls = [0]

    def step(w: Any, b: Any) -> Any:
        calls[0] += 1
        return blind_steps.plain(w, b, back=w["W2"].T if calls[0] > 5000 else None)

    audit = blind_steps.audited(step)
    assert audit.local and any("acts after more calls" in limit for limit in audit.limits)


def test_limit_populations_that_are_said_to_be_at_one_site() -> None:
    """A claim about anatomy: the exchange is counted among the lines between colocated neurons."""
    circuit = cs.Circuit(
        "claimed",
        (cs.Population("a", 4), cs.Population("b", 4, "tanh"), cs.Population("c", 4, "tanh", site="a")),
        (cs.Projection("W", "a", "b"), cs.Projection("V", "b", "c")),
        plasticity=(cs.Plasticity("W", cs.local_rule(lambda pre, post, w: pre.at(0) * post.at(0)), pre="c"),),
        inputs="a",
        outputs="c",
    )
    assert cs.audit(circuit, backend="numpy", measure=False).local
