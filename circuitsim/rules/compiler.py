"""Lowers a rule to what runs: matrix products where it separates, else a generated kernel over every synapse.

The result computes, for every replica r, sum_b dw(pre[r, b, j], post[r, b, i], w[r, i, j]): the increments summed over
the batch. On the reference backend the scalar function itself is mapped over the synapses, one example at a time, with
no use of what is here for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import sympy

from circuitsim.kernels import in_turn
from circuitsim.locality import Place, Reading
from circuitsim.rules.codegen import EVERY, FACTOR, SYNAPSE, generate
from circuitsim.rules.rule import Rule, refuse_unreal
from circuitsim.rules.separation import ONE, Product, separate

Step = Callable[[], None]
SYNAPSES = {Place.SYNAPSE: "[i, j]", Place.REMOTE: "[i, j]"}


@dataclass(frozen=True)
class Operands:
    """The arrays that a rule reads: memories by cycle (replica or 1, batch, neuron), weights, parameters (replica)."""

    pre: dict[int | None, np.ndarray]
    post: dict[int | None, np.ndarray]
    synapse: np.ndarray | None
    parameters: dict[str, np.ndarray]
    batch: int
    far: np.ndarray | None = None


def lower(rule: Rule, quantity: str, operands: Operands, out: np.ndarray, kernels: ModuleType) -> Step:
    """Bind a rule to its operands.

    Parameters
    ----------
    rule : the rule.
    quantity : "weight", with `out` (replica, post, pre), or "bias", with `out` (replica, post) and presynaptic 1.
    operands : what the rule reads.
    out : the increments, summed over the batch.
    kernels : the backend; `kernels.COMPILED` tells whether rules are lowered or mapped.
    """
    if not kernels.COMPILED:
        return mapped(rule, quantity, operands, out)
    if quantity == "bias":
        return _lower_bias(rule, operands, out)
    products = separate(rule.expression, rule.symbols)
    if products is None:
        return _lower_every(rule, rule.expression, operands, out)
    return _lower_products(rule, products, operands, out)


def mapped(rule: Rule, quantity: str, operands: Operands, out: np.ndarray) -> Step:
    """The scalar function over all synapses, one example after the other: the specification."""
    weights = quantity == "weight"
    synapse = out.dtype.type(1) if operands.synapse is None else operands.synapse  # None: it cancels, any will do

    def column(values: np.ndarray) -> np.ndarray:
        return values[:, :, None] if weights else values

    def propose() -> None:
        out[...] = 0
        parameters = {k: v.reshape((-1,) + (1,) * (out.ndim - 1)) for k, v in operands.parameters.items()}
        for b in range(operands.batch):
            out[...] += rule(
                (lambda k, b=b: operands.pre[k][:, b, None, :]) if weights else (lambda k: out.dtype.type(1)),
                lambda k, b=b: column(operands.post[k][:, b]),
                synapse,
                operands.far,
                **parameters,
            )

    return propose


def _lower_bias(rule: Rule, operands: Operands, out: np.ndarray) -> Step:
    """A bias is a synapse from one unit that is always 1: the same loop with a presynaptic axis of length one."""
    ones = {s: ONE for s, m in rule.symbols.items() if isinstance(m, Reading) and m.place is Place.PRE}
    expression = rule.expression.xreplace(ones)
    refuse_unreal(f"{rule.name} of a bias, whose presynaptic activity is 1", expression)
    bias = None if operands.synapse is None else operands.synapse[:, :, None]
    widened = Operands({}, operands.post, bias, operands.parameters, operands.batch)
    products = separate(expression, rule.symbols)
    if products is None:
        return _lower_every(rule, expression, widened, out[:, :, None])
    return _lower_products(rule, products, widened, out[:, :, None])


def _lower_products(rule: Rule, products: list[Product], operands: Operands, out: np.ndarray) -> Step:
    steps: list[Step] = []
    if not products:
        steps.append(lambda: out.fill(0))
    for index, product in enumerate(products):
        post, make_post = _factor(rule, product.post, operands, out.dtype, out.shape[1], out.shape[0])
        pre, make_pre = _factor(rule, product.pre, operands, out.dtype, out.shape[2], out.shape[0])
        steps += make_post + make_pre
        plain = product.synapse == ONE
        target = out if plain and index == 0 else np.empty_like(out)
        steps.append(_multiply(post, pre, target))
        if not (plain and index == 0):
            steps.append(_accumulate(rule, product.synapse, operands, target, out, first=index == 0))
    return in_turn(steps)


def _multiply(post: np.ndarray, pre: np.ndarray, target: np.ndarray) -> Step:
    across = post.transpose(0, 2, 1)

    def multiply() -> None:
        np.matmul(across, pre, out=target)

    return multiply


def _accumulate(
    rule: Rule, h: sympy.Expr, operands: Operands, product: np.ndarray, out: np.ndarray, *, first: bool
) -> Step:
    """out (+)= h(w) * product."""
    summed = sympy.Symbol("product", real=True)
    arrays = [(summed, "[i, j]", product), *_arrays(rule, h, operands, SYNAPSES)]
    kernel = generate(SYNAPSE, h * summed, [(s, w) for s, w, _ in arrays], out.dtype, assign="=" if first else "+=")
    values = [array for _, _, array in arrays]
    return lambda: kernel(out, *values)


def _factor(
    rule: Rule, expression: sympy.Expr, operands: Operands, dtype: Any, size: int, replicas: int
) -> tuple[np.ndarray, list[Step]]:
    """A neuron's factor (replica or 1, batch, size) and the steps that compute it, none where it is a memory itself."""
    arrays = _arrays(rule, expression, operands, {Place.PRE: "[b, i]", Place.POST: "[b, i]"})
    if not arrays:
        return np.full((1, operands.batch, size), float(expression), dtype), []
    if expression.is_Symbol and arrays[0][1]:
        return arrays[0][2], []
    buffer = np.empty((replicas, operands.batch, size), dtype)
    kernel = generate(FACTOR, expression, [(s, w) for s, w, _ in arrays], dtype)
    values = [array for _, _, array in arrays]
    return buffer, [lambda: kernel(buffer, *values)]


def _lower_every(rule: Rule, expression: sympy.Expr, operands: Operands, out: np.ndarray) -> Step:
    places = {Place.PRE: "[b, j]", Place.POST: "[b, i]", **SYNAPSES}
    arrays = _arrays(rule, expression, operands, places)
    kernel = generate(EVERY, expression, [(s, w) for s, w, _ in arrays], out.dtype, batch=str(operands.batch))
    values = [array for _, _, array in arrays]
    return lambda: kernel(out, *values)


def _arrays(
    rule: Rule, expression: sympy.Expr, operands: Operands, places: dict[Place, str]
) -> list[tuple[sympy.Symbol, str, np.ndarray]]:
    """The expression's symbols in a fixed order, with how each is indexed and its array."""
    found: list[tuple[sympy.Symbol, str, np.ndarray]] = []
    for symbol in sorted((s for s in expression.free_symbols if s in rule.symbols), key=str):
        meaning = rule.symbols[symbol]
        if isinstance(meaning, str):
            found.append((symbol, "", operands.parameters[meaning]))
        elif meaning.place in SYNAPSES:
            weight = operands.synapse if meaning.place is Place.SYNAPSE else operands.far
            assert weight is not None
            found.append((symbol, places[meaning.place], weight))
        else:
            memory = operands.pre if meaning.place is Place.PRE else operands.post
            found.append((symbol, places[meaning.place], memory[meaning.cycle]))
    return found
