"""The vocabulary of rules: functions that work alike on symbols, numbers and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy


def _dispatch(symbolic: Callable[..., Any], numeric: Callable[..., Any]) -> Callable[..., Any]:
    def function(*arguments: Any) -> Any:
        traced = any(isinstance(argument, sympy.Basic) for argument in arguments)
        return (symbolic if traced else numeric)(*arguments)

    return function


def _where(condition: Any, first: Any, second: Any) -> Any:
    return sympy.Piecewise((first, condition), (second, True))


VOCABULARY: dict[str, Callable[..., Any]] = {
    "abs": _dispatch(sympy.Abs, np.abs),
    "exp": _dispatch(sympy.exp, np.exp),
    "log": _dispatch(sympy.log, np.log),
    "maximum": _dispatch(sympy.Max, np.maximum),
    "minimum": _dispatch(sympy.Min, np.minimum),
    "sign": _dispatch(sympy.sign, np.sign),
    "sqrt": _dispatch(sympy.sqrt, np.sqrt),
    "tanh": _dispatch(sympy.tanh, np.tanh),
    "where": _dispatch(_where, np.where),
}
"""What a rule may call besides arithmetic; where(condition, a, b) takes the place of a branch."""
