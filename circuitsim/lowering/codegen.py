"""Kernels generated from expressions, for Numba."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy
from numba import njit
from sympy.printing.pycode import PythonCodePrinter

from circuitsim.kernels.cpu.operands import Operand, write_part
from circuitsim.kernels.cpu.program import bind
from circuitsim.kernels.sources import loaded
from circuitsim.kernels.steps import Step
from circuitsim.lowering.printing import TypedConstants

# Three shapes of loop over a share, replicas first to last and neurons low to high. `{loads}` binds the operands of
# replica r, `{rows}` those of an example's or a neuron's row, `{value}` is the expression on them. Arrays shared by all
# replicas have a leading axis of one. T is the floating-point type: constants must not widen the arithmetic.
HEADER = """import math

import numpy as np

from circuitsim.kernels.cpu.native import line

T = np.{dtype}

"""
FACTOR = """
def kernel({arguments}, out, first, last, low, high, begin, end):
    for r in range(first, last):
{loads}
        for b in range(begin, end):
            row = line(out, r, b, low, high)
{rows}
            for i in range(row.shape[0]):
                row[i] = {value}
"""
SYNAPSE = """
def kernel({arguments}, out, first, last, low, high, begin, end):
    for r in range(first, last):
{loads}
        for i in range(low, high):
            row = line(out, r, i, 0, out.shape[2])
{rows}
            for j in range(row.shape[0]):
                row[j] {assign} {value}
"""
EVERY = """
def kernel({arguments}, out, first, last, low, high, begin, end):
    for r in range(first, last):
{loads}
        for i in range(low, high):
            for j in range(out.shape[2]):
                total = T(0.0)
                for b in range({batch}):
                    total += {value}
                out[r, i, j] = total
"""
PAIRS = """
def kernel({arguments}, rows, posts, pres, out, first, last, low, high, begin, end):
    for r in range(first, last):
{loads}
        for i in range(low, high):
            total = T(0.0)
            for b in range({batch}):
                for k in range(rows[i], rows[i + 1]):
                    total += {value}
            out[r, i, 0] = total
"""
ROWS = {"[b, i]": ("b, low, high", "[i]"), "[i, j]": ("i, 0, out.shape[2]", "[j]")}


class _NumbaPrinter(TypedConstants, PythonCodePrinter):  # type: ignore[misc]
    """Printer of expressions for Numba."""

    TYPE = "T"

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

    def _print_sign(self, expr: sympy.Expr) -> str:
        return f"np.sign({self._print(expr.args[0])})"


def bound(
    kernels: ModuleType,
    form: str,
    expression: sympy.Expr,
    arrays: Sequence[tuple[sympy.Symbol, str, np.ndarray]],
    out: np.ndarray,
    **fills: str,
) -> Step:
    """Bind the loop of a form (factor, synapse, every) over an expression: symbols, how each is indexed, its array."""
    template = {"factor": FACTOR, "synapse": SYNAPSE, "every": EVERY}[form]
    kernel = generate(template, expression, [(s, w) for s, w, _ in arrays], out.dtype, **fills)
    return bind(kernel, *_operands(arrays), write_part(out, 2 if form == "factor" else 1))


def bound_pairs(
    kernels: ModuleType,
    expression: sympy.Expr,
    arrays: Sequence[tuple[sympy.Symbol, str, np.ndarray]],
    listed: tuple[np.ndarray, np.ndarray, np.ndarray],
    batch: int,
    out: np.ndarray,
) -> Step:
    """Bind the sum of an expression over examples and over the synapses of each slot, (replica, slot, 1).

    Parameters
    ----------
    listed : first row of each slot, then the postsynaptic and presynaptic neuron by row.
    """
    kernel = generate(PAIRS, expression, [(s, w) for s, w, _ in arrays], out.dtype, batch=str(batch))
    rest = [Operand(a, None) for _, _, a in arrays]
    return bind(kernel, *rest, *(Operand(a, None) for a in listed), write_part(out, 1))


def _operands(arrays: Sequence[tuple[sympy.Symbol, str, np.ndarray]]) -> list[Operand]:
    """Return each operand with the share that a thread uses: its neurons, examples or rows of synapses, or all."""
    uses = {"[b, i]": (2, 1), "[i, j]": (1, None), "[i, 0]": (1, None)}
    rest = (None, None)
    return [Operand(a, *(uses.get(where, rest) if a.flags.c_contiguous else rest)) for _, where, a in arrays]


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
    A kernel of the operands' arrays in order and `out`.
    """
    names = [f"a{index}" for index in range(len(operands))]
    loads = [f"        v{name} = {name}[min(r, {name}.shape[0] - 1)]" for name in names] or ["        pass"]
    rows, spelled = ["            pass"], {}
    for name, (symbol, where) in zip(names, operands, strict=True):
        if where in ROWS and "{rows}" in template:  # a row by itself: compilers see that its numbers follow each other
            row, where = ROWS[where]
            rows.append(f"            w{name} = line({name}, min(r, {name}.shape[0] - 1), {row})")
            name = f"w{name}"
        else:
            name = f"v{name}"
        spelled[symbol] = sympy.Symbol(f"{name}{where}", real=True)
    value = _NumbaPrinter({"fully_qualified_modules": True}).doprint(expression.xreplace(spelled))
    body = template.format(
        arguments=", ".join(names), loads="\n".join(loads), rows="\n".join(rows), value=value, **fills
    )
    return _compiled(HEADER.format(dtype=np.dtype(dtype).name) + body.replace("kernel(, ", "kernel("))


@cache
def _compiled(source: str) -> Callable[..., None]:
    module, _ = loaded(source)
    return njit(module.kernel, nogil=True, error_model="numpy")  # type: ignore[no-any-return]
