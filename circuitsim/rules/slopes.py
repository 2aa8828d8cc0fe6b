"""Derivatives of traced functions, with numbers where sympy has distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sympy


def slope_of(expression: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr | None:
    """Return the derivative of a function of one number, or None if sympy finds none.

    A step has the slope 0, and minimum and maximum have that of the smaller or larger piece, 0 where both are equal:
    relu'(0) = 0.
    """
    import sympy

    found = expression.diff(symbol)
    zero, one = sympy.Integer(0), sympy.Integer(1)
    found = found.replace(sympy.DiracDelta, lambda *_: zero)
    found = found.replace(sympy.Heaviside, lambda x, *_: sympy.Piecewise((one, x > 0), (zero, True)))
    unknown = found.has(sympy.Derivative, sympy.Subs, sympy.floor, sympy.ceiling, sympy.Mod)
    return None if unknown or found.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo) else found
