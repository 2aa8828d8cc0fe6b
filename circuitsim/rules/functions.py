"""The vocabulary of rules: functions that work alike on symbols, numbers and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy


def _dispatch(symbolic: Callable[..., Any], numeric: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    def function(*arguments: Any) -> Any:
        if len(arguments) != count:  # sympy and NumPy differ in what they make of more
            raise TypeError(f"{numeric.__name__} takes {count} argument(s), not {len(arguments)}")
        traced = any(isinstance(argument, sympy.Basic) for argument in arguments)
        return (symbolic if traced else numeric)(*arguments)

    return function


def _where(condition: Any, first: Any, second: Any) -> Any:
    return sympy.Piecewise((first, condition), (second, True))


VOCABULARY: dict[str, Callable[..., Any]] = {
    "abs": _dispatch(sympy.Abs, np.abs),
    "exp": _dispatch(sympy.exp, np.exp),
    "log": _dispatch(sympy.log, np.log),
    "maximum": _dispatch(sympy.Max, np.maximum, 2),
    "minimum": _dispatch(sympy.Min, np.minimum, 2),
    "sign": _dispatch(sympy.sign, np.sign),
    "sqrt": _dispatch(sympy.sqrt, np.sqrt),
    "tanh": _dispatch(sympy.tanh, np.tanh),
    "where": _dispatch(_where, np.where, 3),
}
"""What a rule may call besides arithmetic; where(condition, a, b) takes the place of a branch."""
