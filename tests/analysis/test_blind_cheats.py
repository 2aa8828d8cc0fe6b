"""Cheats and honest programs written by somebody who had not seen the audit's code: each gets its expected verdict."""

from __future__ import annotations

import blind_circuits
import blind_honest
import blind_hooks
import blind_loop
import blind_rules
import blind_steps
import pytest
from blind import Case, accused, caught, seen

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
