"""Numba kernels generated from expressions, kept as source files so that Numba can cache what it compiles."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numba import njit
from platformdirs import user_cache_path
from sympy.printing.pycode import PythonCodePrinter

# Three shapes of loop. `{loads}` binds the operands of replica r, `{value}` is the expression on them. Arrays shared by
# all replicas have a leading axis of one. T is the floating-point type: constants must not widen the arithmetic.
FACTOR = """
def kernel(out, {arguments}):
    for r in range(out.shape[0]):
{loads}
        for b in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, b, i] = {value}
"""
SYNAPSE = """
def kernel(out, {arguments}):
    for r in range(out.shape[0]):
{loads}
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[r, i, j] {assign} {value}
"""
EVERY = """
def kernel(out, {arguments}):
    for r in range(out.shape[0]):
{loads}
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                total = T(0.0)
                for b in range({batch}):
                    total += {value}
                out[r, i, j] = total
"""


class _Printer(PythonCodePrinter):  # type: ignore[misc]
    """Prints an expression for Numba with every constant in the type T."""

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return f"T({int(expr)}.0)"

    def _print_Rational(self, expr: sympy.Rational) -> str:
        return f"T({float(expr)!r})"

    def _print_Float(self, expr: sympy.Float) -> str:
        return f"T({float(expr)!r})"

    def _print_NumberSymbol(self, expr: sympy.NumberSymbol) -> str:
        return f"T({float(expr)!r})"

    def _print_Pow(self, expr: sympy.Pow, **_: Any) -> str:
        base = self.parenthesize(expr.base, 100)
        if expr.exp.is_Integer and 1 < abs(int(expr.exp)) <= 8:
            product = "*".join([base] * abs(int(expr.exp)))
            return f"({product})" if expr.exp > 0 else f"(T(1.0)/({product}))"
        if expr.exp == -1:
            return f"(T(1.0)/{base})"
        if expr.exp == sympy.Rational(1, 2):
            return f"math.sqrt({self._print(expr.base)})"
        return f"({base}**{self._print(expr.exp)})"

    def _print_Mul(self, expr: sympy.Mul) -> str:
        return "(" + "*".join(self.parenthesize(factor, 100) for factor in expr.args) + ")"

    def _print_Max(self, expr: sympy.Max) -> str:
        return self._pairwise("np.maximum", expr.args)

    def _print_Min(self, expr: sympy.Min) -> str:
        return self._pairwise("np.minimum", expr.args)

    def _pairwise(self, function: str, args: Sequence[sympy.Expr]) -> str:
        # Python's own max and min would lose a value that is not a number
        first, *rest = args
        return f"{function}({self._print(first)}, {self._pairwise(function, rest)})" if rest else self._print(first)

    def _print_sign(self, expr: sympy.Expr) -> str:
        return f"np.sign({self._print(expr.args[0])})"


def generate(
    template: str,
    expression: sympy.Expr,
    operands: Sequence[tuple[sympy.Symbol, str]],
    dtype: np.dtype[Any],
    **fills: str,
) -> Callable[..., None]:
    """Compile a loop over an expression.

    Parameters
    ----------
    template : FACTOR, SYNAPSE or EVERY.
    expression : what to compute for each element.
    operands : for each symbol how its array is indexed within a replica, for example "[b, j]"; "" for one number.
    dtype : float32 or float64.
    fills : further fields of the template.

    Returns
    -------
    A compiled function of `out` and the operands' arrays in order.
    """
    names = [f"a{index}" for index in range(len(operands))]
    loads = [f"        v{name} = {name}[min(r, {name}.shape[0] - 1)]" for name in names] or ["        pass"]
    spelled = {
        symbol: sympy.Symbol(f"v{name}{where}", real=True)
        for name, (symbol, where) in zip(names, operands, strict=True)
    }
    value = _Printer({"fully_qualified_modules": True}).doprint(expression.xreplace(spelled))
    body = template.format(arguments=", ".join(names), loads="\n".join(loads), value=value, **fills)
    header = f"import math\n\nimport numpy as np\n\nT = np.{np.dtype(dtype).name}\n\n"
    return _compiled(header + body.replace("(out, )", "(out)"))


@cache
def _compiled(source: str) -> Callable[..., None]:
    digest = hashlib.sha256(source.encode()).hexdigest()[:20]
    path = _written(source, f"kernel_{digest}.py")
    if path is None:  # nowhere to keep it: compile in memory
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        return njit(namespace["kernel"], nogil=True, error_model="numpy")  # type: ignore[no-any-return]
    spec = importlib.util.spec_from_file_location(f"circuitsim_generated_{digest}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Numba finds the module of a cached kernel by name
    spec.loader.exec_module(module)
    return njit(module.kernel, cache=True, nogil=True, error_model="numpy")  # type: ignore[no-any-return]


def _written(source: str, name: str) -> Path | None:
    try:
        folder = user_cache_path("circuitsim") / "kernels"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if not path.exists() or path.read_text() != source:
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
                file.write(source)
            Path(file.name).replace(path)  # whole or not at all: another process may be reading
        return path
    except OSError:
        return None
