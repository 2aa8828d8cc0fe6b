"""Kernels generated from expressions, for the device: the loops of `codegen`, in CUDA C."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import sympy
from sympy.printing.c import C99CodePrinter

from circuitsim.kernels.steps import Step
from circuitsim.lowering.printing import TypedConstants

# A kernel has its operands in `array`s (kernels/device.cuh) and goes through every element (r, x, y) of what it makes:
# (replica, example, neuron), or (replica, post, pre). `{loads}` are the operands there, `{value}` is the expression.
EACH = """
KERNEL(rule) {{
{operands}
    WRITES(out, {last});
    EACH(out) {{
{loads}
        out.at(r, x, y) {assign} {value};
    }}
}}
"""
EVERY = """
KERNEL(rule) {{
{operands}
    WRITES(out, {last});
    EACH(out) {{
        REAL total = 0;
        for (word b = 0; b < {batch}; b++) {{
{loads}
            total += {value};
        }}
        out.at(r, x, y) = total;
    }}
}}
"""
PAIRS = """
KERNEL(rule) {{
{operands}
    const View<const word> rows = array<const word>(t, {listed});
    const View<const word> posts = array<const word>(t, {listed} + 1);
    const View<const word> pres = array<const word>(t, {listed} + 2);
    WRITES(out, {last});
    EACH(out) {{
        REAL total = 0;
        for (word b = 0; b < {batch}; b++)
            for (word k = rows.at(0, x, 0); k < rows.at(0, x + 1, 0); k++) {{
{loads}
                total += {value};
            }}
        out.at(r, x, y) = total;
    }}
}}
"""
PLACES = {
    "factor": {"[b, i]": "x, y", "": "0, 0"},
    "synapse": {"[i, j]": "x, y", "[i, 0]": "x, 0", "": "0, 0"},
    "pairs": {
        "[b, posts[k]]": "b, posts.at(0, k, 0)",
        "[b, pres[k]]": "b, pres.at(0, k, 0)",
        "[i, 0]": "x, 0",
        "": "0, 0",
    },
    "every": {"[b, i]": "b, x", "[b, j]": "b, y", "[i, j]": "x, y", "": "0, 0"},
}


class _CudaPrinter(TypedConstants, C99CodePrinter):  # type: ignore[misc]
    """Printer of expressions for CUDA C."""

    TYPE = "REAL"

    def _print_Pow(self, expr: sympy.Pow) -> str:
        base = f"({self._print(expr.base)})"
        if expr.exp.is_Integer and 1 <= abs(int(expr.exp)) <= 8:
            product = "*".join([base] * abs(int(expr.exp)))
            return f"({product})" if expr.exp > 0 else f"(REAL(1.0)/({product}))"
        if expr.exp == sympy.Rational(1, 2):
            return f"sqrt{base}"
        return f"pow({base}, {self._print(expr.exp)})"

    def _print_Mul(self, expr: sympy.Mul) -> str:
        return "(" + "*".join(f"({self._print(factor)})" for factor in expr.args) + ")"

    def _print_Abs(self, expr: sympy.Abs) -> str:
        return f"fabs({self._print(expr.args[0])})"

    def _print_Max(self, expr: sympy.Max) -> str:
        return self._pairwise("larger", expr.args)

    def _print_Min(self, expr: sympy.Min) -> str:
        return self._pairwise("smaller", expr.args)

    def _print_Mod(self, expr: sympy.Mod) -> str:
        return f"modulo({', '.join(map(self._print, expr.args))})"

    def _print_sign(self, expr: sympy.Expr) -> str:
        return f"sign({self._print(expr.args[0])})"


def bound(
    kernels: ModuleType,
    form: str,
    expression: sympy.Expr,
    arrays: Sequence[tuple[sympy.Symbol, str, np.ndarray]],
    out: np.ndarray,
    **fills: str,
) -> Step:
    """Bind the loop of a form (factor, synapse, every) over an expression: symbols, how each is indexed, its array."""
    source = written(form, expression, [(symbol, where) for symbol, where, _ in arrays], **fills)
    return kernels.generated(source, [array for _, _, array in arrays], out)  # type: ignore[no-any-return]


def bound_pairs(
    kernels: ModuleType,
    expression: sympy.Expr,
    arrays: Sequence[tuple[sympy.Symbol, str, np.ndarray]],
    listed: Sequence[np.ndarray],
    batch: int,
    out: np.ndarray,
) -> Step:
    """Bind the sum of an expression over examples and over the synapses of each slot, (replica, slot, 1)."""
    source = written("pairs", expression, [(symbol, where) for symbol, where, _ in arrays], batch=batch)
    words = [np.ascontiguousarray(a, np.int64)[None] for a in listed]
    return kernels.generated(source, [*(array for _, _, array in arrays), *words], out)  # type: ignore[no-any-return]


def _place(form: str, where: str) -> str:
    """Return where an operand is, in the coordinates of what the kernel makes."""
    if where in PLACES[form]:
        return PLACES[form][where]
    example = "x" if form == "factor" else "b"
    spelled = where.strip("[]").replace("(low + i)", "y").replace("//", "/")
    spelled = spelled.replace("i * ", "x * ").replace("+ j", "+ y")  # of a trace, synapse by synapse
    return spelled.replace("b, ", f"{example}, ", 1) if spelled.startswith("b, ") else spelled


def written(form: str, expression: sympy.Expr, operands: Sequence[tuple[sympy.Symbol, str]], **fills: Any) -> str:
    """The source of a kernel `rule` whose table holds the operands' arrays in order, and what it makes."""
    indent = " " * {"every": 12, "pairs": 16}.get(form, 8)
    names = {symbol: sympy.Symbol(f"v{k}", real=True) for k, (symbol, _) in enumerate(operands)}
    loads = [f"{indent}const REAL v{k} = a{k}.at(r, {_place(form, where)});" for k, (_, where) in enumerate(operands)]
    return {"every": EVERY, "pairs": PAIRS}.get(form, EACH).format(
        operands="\n".join(f"    READS(a{k}, {k});" for k in range(len(operands))),
        listed=len(operands),
        last=len(operands) + 3 * (form == "pairs"),
        loads="\n".join(loads),
        value=_CudaPrinter({"math_macros": {}}).doprint(expression.xreplace(names)),
        **{"assign": "=", **fills},
    )
