"""The vocabulary of rules: functions that work alike on symbols, numbers and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_NUMERIC = (int, float, np.number, np.bool_, np.ndarray)


def _dispatch(symbolic: str | Callable[..., Any], numeric: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    """Return a function that applies sympy's function of a name to symbols, and NumPy's to numbers and arrays."""

    def function(*arguments: Any) -> Any:
        import sympy

        if len(arguments) != count:  # sympy and NumPy differ in what they make of more
            raise TypeError(f"{numeric.__name__} takes {count} argument(s), not {len(arguments)}")
        for argument in arguments:  # sympy would run a text as code
            if not isinstance(argument, (*_NUMERIC, sympy.Basic)):
                raise TypeError(f"{numeric.__name__} takes numbers, not a {type(argument).__name__}")
        traced = any(isinstance(argument, sympy.Basic) for argument in arguments)
        if not traced:
            return numeric(*arguments)
        return (getattr(sympy, symbolic) if isinstance(symbolic, str) else symbolic)(*arguments)

    return function


def _where(condition: Any, first: Any, second: Any) -> Any:
    import sympy

    return sympy.Piecewise((first, condition), (second, True))


VOCABULARY: dict[str, Callable[..., Any]] = {
    "abs": _dispatch("Abs", np.abs),
    "exp": _dispatch("exp", np.exp),
    "log": _dispatch("log", np.log),
    "maximum": _dispatch("Max", np.maximum, 2),
    "minimum": _dispatch("Min", np.minimum, 2),
    "sign": _dispatch("sign", np.sign),
    "sqrt": _dispatch("sqrt", np.sqrt),
    "tanh": _dispatch("tanh", np.tanh),
    "where": _dispatch(_where, np.where, 3),
}
"""What a rule may call besides arithmetic; where(condition, a, b) takes the place of a branch."""
