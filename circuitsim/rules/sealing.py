"""The rule that was checked is the rule that runs: the engine uses a copy of its own, made from the checked code."""

from __future__ import annotations

from typing import NoReturn

from circuitsim.errors import RuleError
from circuitsim.rules.rule import Rule
from circuitsim.rules.signature import check_number

_COPIES: dict[tuple[object, ...], Rule] = {}
_TRACED = ("free", "symbols", "expression", "equation", "text", "certificate")


def sealed(rule: object) -> Rule:
    """Return the engine's copy of a rule; equal rules have one copy.

    Parameters
    ----------
    rule : a rule that `local_rule` made.

    Raises
    ------
    RuleError : it is no such rule, or what is known of it is not what its code gives.
    """
    if type(rule) is not Rule or not rule.made:
        name = getattr(rule, "name", None) if type(rule) is not Rule else None
        _refuse(
            name if isinstance(name, str) else "without a name",
            f"an object of type {type(rule).__name__}",
            "a rule that local_rule made, whose code was checked",
            "Write a function of pre, post and w, and decorate it with @local_rule.",
        )
    for name, value in rule.parameters:
        check_number(rule.name, name, value)
    copy = _COPIES.get(rule.identity)
    if copy is None:
        copy = _COPIES[rule.identity] = rule.copied()
    known = vars(rule)
    for quantity in _TRACED:
        if quantity in known and known[quantity] != getattr(copy, quantity):
            _refuse(
                copy.name,
                f"another {quantity} than its code has",
                "what was found when it was checked",
                "Make the rule again with local_rule, and do not change it.",
            )
    return copy


def _refuse(name: str, got: str, expected: str, remedy: str) -> NoReturn:
    raise RuleError(f"rule {name}", got=got, expected=expected, remedy=remedy)
