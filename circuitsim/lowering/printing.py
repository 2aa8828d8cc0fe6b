"""Printing of expressions for generated kernels: the parts that Numba and CUDA have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import sympy


class TypedConstants:
    """Mix-in of sympy's printers that writes every constant in the kernel's floating-point type.

    Attributes
    ----------
    TYPE : the name of that type in the generated source; constants of another type would widen the arithmetic.
    """

    TYPE: ClassVar[str]
    _print: Any

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return f"{self.TYPE}({int(expr)}.0)"

    def _print_Float(self, expr: sympy.Number) -> str:
        return f"{self.TYPE}({float(expr)!r})"

    _print_Rational = _print_NumberSymbol = _print_Float

    def _pairwise(self, function: str, args: Sequence[sympy.Expr]) -> str:
        """Nest a function of two arguments; a language's own max and min would lose a value that is not a number."""
        first, *rest = args
        return (
            f"{function}({self._print(first)}, {self._pairwise(function, rest)})" if rest else str(self._print(first))
        )
