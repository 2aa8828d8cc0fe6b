"""The signature of a rule's function: its parameters, which are numbers, and what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from circuitsim.errors import RuleError
from circuitsim.rules.whole import LIMIT

if TYPE_CHECKING:
    import sympy

NEURONS = ("pre", "post")
READ = (*NEURONS, "third", "w", "w_remote", "trace")  # possible arguments; a circuit declares what the new ones are


def parameters_of(function: FunctionType) -> tuple[tuple[str, float | int], ...]:
    """Return the parameters of a function and their defaults."""
    found: dict[str, float | int] = {}
    for name, argument in inspect.signature(bare(function)).parameters.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            stars = "*" if argument.kind is argument.VAR_POSITIONAL else "**"
            expected = "pre, post, w and named parameters"
            refuse_rule(label(function), f"argument {stars}{name}", expected, "Name each parameter.")
        if name in READ:
            if argument.default is not argument.empty:
                refuse_rule(label(function), f"a default for {name}", "no default", f"Remove the default of {name}.")
            continue
        if argument.default is argument.empty:
            refuse_rule(
                label(function),
                f"parameter {name!r} without a value",
                "a number as default",
                f"Write {name}=0.1, or what it should be; pre, post and w are the only things a synapse is given.",
            )
        found[name] = check_number(label(function), name, argument.default)
    return tuple(found.items())


def bare(function: FunctionType) -> FunctionType:
    """Return the function without attributes (`__wrapped__`, `__signature__`) that disguise it."""
    bare = FunctionType(function.__code__, {}, function.__name__, function.__defaults__, function.__closure__)
    bare.__kwdefaults__ = function.__kwdefaults__
    return bare


def label(function: Callable[..., Any], trace: TracebackType | None = None) -> str:
    """Return the function's name and its line: the first one, or the one of the traceback."""
    code = function.__code__
    line = code.co_firstlineno
    while trace is not None:
        here = trace.tb_frame.f_code
        if (here.co_filename, here.co_firstlineno) == (code.co_filename, code.co_firstlineno):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{function.__name__}, line {line}"


def refuse_unreal(rule: str, expression: sympy.Expr, word: str = "rule") -> None:
    """Raise RuleError for an expression that is not a finite real number."""
    import sympy

    unreal = expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I)
    if unreal or any(abs(number) > LIMIT for number in expression.atoms(sympy.Number)):
        remedy = "Avoid dividing by zero, and numbers too large for a float."
        got, expected = f"the expression {str(expression)[:80]}", "a finite real number"
        raise RuleError(f"{word} {rule}", got=got, expected=expected, remedy=remedy)


def check_number(rule: str, name: str, value: Any, word: str = "rule") -> float | int:
    """Return a number of Python's own type; RuleError for anything else, be it a subclass of one."""
    number = value.item() if isinstance(value, np.number) else value
    if type(number) not in (int, float) or not abs(number) < float("inf"):
        remedy = f"A parameter is one number, the same for all {'synapses' if word == 'rule' else 'neurons'}."
        raise RuleError(f"{word} {rule}", got=f"{name}={value!r}", expected="a finite number", remedy=remedy)
    return number  # type: ignore[no-any-return]


def refuse_rule(rule: str, got: str, expected: str, remedy: str) -> NoReturn:
    """Raise RuleError with what a rule got, what was expected, and the remedy."""
    raise RuleError(f"rule {rule}", got=got, expected=expected, remedy=remedy)
