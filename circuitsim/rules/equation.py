"""A traced rule as an equation, in the words of its function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from circuitsim.locality import Place, Reading

if TYPE_CHECKING:
    import sympy


def equation_of(expression: sympy.Expr, symbols: Mapping[sympy.Symbol, Reading | str]) -> str:
    """Return `dw = ...`.

    Parameters
    ----------
    expression : the traced rule. symbols : the meaning of each of its symbols: a reading, or a parameter's name.
    """
    import sympy

    words = {symbol: sympy.Symbol(_spelled(meaning), real=True) for symbol, meaning in symbols.items()}
    return f"dw = {expression.xreplace(words)}"


def _spelled(meaning: Reading | str) -> str:
    if isinstance(meaning, str):
        return meaning
    if meaning.cycle is not None:
        return f"{meaning.place.value}.at({meaning.cycle})"
    return {Place.REMOTE: "w_remote", Place.TRACE: "trace"}.get(meaning.place, "w")
