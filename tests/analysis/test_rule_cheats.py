"""Rules that cheat are refused, where they are written or where they are built in, with the reason."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest
from rule_cheats import REFUSED

from circuitsim import local_rule
from circuitsim.errors import BadInput
from circuitsim.rules.sealing import sealed


@pytest.mark.parametrize("name", REFUSED)
def test_every_rule_that_cheats_is_refused(name: str) -> None:
    cheat, message = REFUSED[name]
    with pytest.raises(BadInput, match=message):
        cheat()


def test_no_text_was_run() -> None:
    assert "CHEAT" not in os.environ


def plain(pre: Any, post: Any, w: Any, *, c: float = 0.5, k: int = 1) -> Any:
    """All that an honest rule may be written with."""
    a, b = pre.at(0), post.at(cycle=k)
    low, high = 0.25, 2
    a, b = b, a
    total = -a + +b - (twice := 2 * w)
    total += where((a > low) & (b <= high) | ~(w < 0), minimum(a, b) ** 2, maximum(twice, c))  # noqa: F821
    return tanh(total) / (1 + abs(w)) + a // 0.5 + b % 3  # noqa: F821


def test_what_arithmetic_needs_is_allowed() -> None:
    rule = local_rule(plain)
    assert {(r.place.value, r.cycle) for r in rule.certificate.readings} == {("pre", 0), ("post", 1), ("synapse", None)}
    assert sealed(rule) == rule and sealed(rule) is sealed(local_rule(plain)) is not rule
    assert sealed(pickle.loads(pickle.dumps(rule))).text == rule.text
