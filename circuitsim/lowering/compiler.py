"""Lowers a rule to what runs: matrix products where it separates, else a generated kernel over every synapse.

The result computes, for every replica r, sum_b dw(pre[r, b, j], post[r, b, i], w[r, i, j]): the increments summed over
the batch. On the reference backend the scalar function itself is mapped over the synapses, one example at a time, with
no use of what is here for the others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import sympy

from circuitsim.kernels.links import Links
from circuitsim.kernels.steps import Step, in_turn
from circuitsim.locality import Place, Reading
from circuitsim.lowering import codegen, cuda
from circuitsim.lowering.links import in_rows
from circuitsim.lowering.mapped import RuleInputs, mapped, mapped_along, mapped_trace
from circuitsim.lowering.separation import ONE, Product, separate
from circuitsim.rules.rule import Rule
from circuitsim.rules.signature import refuse_unreal

SYNAPSES = {Place.SYNAPSE: "[i, j]", Place.REMOTE: "[i, j]"}
LANGUAGES = {"numba": codegen, "cupy": cuda}
"""What writes the loops of a backend."""


def lower_trace(rule: Rule, quantity: str, operands: RuleInputs, trace: np.ndarray, kernels: ModuleType) -> Step:
    """Bind the rule of a trace: each synapse's next value, in every example.

    Parameters
    ----------
    rule : reads pre, post, w and trace. quantity : "weight", or "bias" with a presynaptic activity of 1.
    operands : what it reads. trace : (replica, batch, synapse), postsynaptic neuron by neuron; it is renewed in place.
    """
    posts = next((a.shape[2] for a in operands.post.values()), None)
    pres = next((a.shape[2] for a in operands.pre.values()), None)
    width = 1 if quantity == "bias" else pres or trace.shape[2] // (posts or 1)
    if not kernels.COMPILED:
        return mapped_trace(rule, quantity, operands, trace, width)
    expression = rule.expression
    if quantity == "bias":
        ones = {s: ONE for s, m in rule.symbols.items() if isinstance(m, Reading) and m.place is Place.PRE}
        expression = expression.xreplace(ones)
        refuse_unreal(f"{rule.name} of a bias, whose presynaptic activity is 1", expression)
    places = {
        Place.PRE: f"[b, (low + i) % {width}]",
        Place.POST: f"[b, (low + i) // {width}]",
        Place.SYNAPSE: f"[(low + i) // {width}, (low + i) % {width}]",
        Place.TRACE: "[b, i]",
    }
    if operands.synapse is not None:
        operands = replace(operands, synapse=operands.synapse.reshape(len(operands.synapse), -1, width))
    return _loop(kernels, "factor", expression, _arrays(rule, expression, operands, places), trace)


def lower(
    rule: Rule,
    quantity: str,
    operands: RuleInputs,
    out: np.ndarray,
    kernels: ModuleType,
    along: Links | None = None,
) -> Step:
    """Bind a rule to its operands.

    Parameters
    ----------
    rule : the rule.
    quantity : "weight", with `out` (replica, *tensor), or "bias", with `out` (replica, neuron) and presynaptic 1.
    operands : what the rule reads.
    out : the increments, summed over the batch.
    kernels : the backend; `kernels.COMPILED` tells whether rules are lowered or mapped.
    along : the synapses; None: all pairs of neurons, or a bias of each neuron's own.
    """
    if along is not None:
        return _lower_along(rule, quantity, operands, out, kernels, along)
    if quantity == "bias" and out.ndim > 2:  # of neurons with a shape: one after the other
        flat = None if operands.synapse is None else operands.synapse.reshape(len(out), -1)
        return lower(rule, quantity, replace(operands, synapse=flat), out.reshape(len(out), -1), kernels)
    if not kernels.COMPILED:
        return mapped(rule, quantity, operands, out)
    if not out.flags.c_contiguous:  # kernels write what lies in one piece
        piece = np.empty(out.shape, out.dtype)
        return in_turn([lower(rule, quantity, operands, piece, kernels), partial(np.copyto, out, piece)])
    if quantity == "bias":
        return _lower_bias(rule, operands, out, kernels)
    products = separate(rule.expression, rule.symbols)
    if products is None:
        return _lower_every(rule, rule.expression, operands, out, kernels)
    return _lower_products(rule, products, operands, out, kernels)


def _lower_along(
    rule: Rule, quantity: str, operands: RuleInputs, out: np.ndarray, kernels: ModuleType, along: Links
) -> Step:
    """Lower a rule over listed synapses or windows: products along them, else a loop over the synapses of each slot."""
    if not kernels.COMPILED:
        return mapped_along(rule, quantity, operands, out, along)
    expression = rule.expression
    if quantity == "bias":
        ones = {s: ONE for s, m in rule.symbols.items() if isinstance(m, Reading) and m.place is Place.PRE}
        expression = expression.xreplace(ones)
        refuse_unreal(f"{rule.name} of a bias, whose presynaptic activity is 1", expression)
    operands = replace(operands, synapse=_matrix(operands.synapse), w_remote=_matrix(operands.w_remote))
    products = separate(expression, rule.symbols)
    if products is None:
        places = {
            Place.PRE: "[b, pres[k]]",
            Place.POST: "[b, posts[k]]",
            Place.THIRD: "[b, posts[k]]",
            Place.SYNAPSE: "[i, 0]",
            Place.REMOTE: "[i, 0]",
        }
        flat = replace(operands, synapse=_column(operands.synapse), w_remote=_column(operands.w_remote))
        arrays = _arrays(rule, expression, flat, places)
        target = _column(_matrix(out))
        assert target is not None
        return LANGUAGES[kernels.NAME].bound_pairs(kernels, expression, arrays, along.by_slot(), operands.batch, target)  # type: ignore[no-any-return]
    return _lower_products(rule, products, operands, _matrix(out), kernels, along)


def _matrix(tensor: np.ndarray | None) -> Any:
    """Return a tensor as (replica, row, column) in the order of memory, or None."""
    if tensor is None:
        return None
    found = in_rows(tensor)
    return found if found.ndim == 3 else found[:, :, None]


def _column(matrix: np.ndarray | None) -> np.ndarray | None:
    """Return (replica, row, column) as one column."""
    return None if matrix is None else matrix.reshape(len(matrix), -1, 1)


def _lower_bias(rule: Rule, operands: RuleInputs, out: np.ndarray, kernels: ModuleType) -> Step:
    """A bias is a synapse from one unit that is always 1: the same loop with a presynaptic axis of length one."""
    ones = {s: ONE for s, m in rule.symbols.items() if isinstance(m, Reading) and m.place is Place.PRE}
    expression = rule.expression.xreplace(ones)
    refuse_unreal(f"{rule.name} of a bias, whose presynaptic activity is 1", expression)
    bias = None if operands.synapse is None else operands.synapse[:, :, None]
    widened = replace(operands, pre={}, synapse=bias, w_remote=None)
    products = separate(expression, rule.symbols)
    if products is None:
        return _lower_every(rule, expression, widened, out[:, :, None], kernels)
    return _lower_products(rule, products, widened, out[:, :, None], kernels)


def _lower_products(
    rule: Rule,
    products: list[Product],
    operands: RuleInputs,
    out: np.ndarray,
    kernels: ModuleType,
    along: Links | None = None,
) -> Step:
    """Add up products over all pairs, or along links."""
    steps: list[Step] = []
    if not products:
        steps.append(_loop(kernels, "synapse", sympy.Integer(0), [], out, assign="="))
    for index, term in enumerate(products):
        # without a presynaptic factor all synapses of a neuron have the same sum: one column of it is enough, where
        # every neuron has all synapses
        width = out.shape[2] if term.pre.free_symbols or along else 1
        sizes = (along.posts, along.pres) if along else (out.shape[1], width)
        post, make_post = _factor(rule, term.post, operands, out, sizes[0], kernels)
        pre, make_pre = _factor(rule, term.pre, operands, out, sizes[1], kernels)
        steps += make_post + make_pre
        plain = term.synapse == ONE and index == 0 and width == out.shape[2]
        target = out if plain else np.empty((*out.shape[:2], width), out.dtype)
        if along:
            steps.append(kernels.outer_along(along, post, pre, target))
        else:
            steps.append(kernels.outer(post, pre, target))
        if not plain:
            steps.append(_accumulate(rule, term.synapse, operands, target, out, kernels, first=index == 0))
    return in_turn(steps)


def _accumulate(
    rule: Rule,
    h: sympy.Expr,
    operands: RuleInputs,
    product: np.ndarray,
    out: np.ndarray,
    kernels: ModuleType,
    *,
    first: bool,
) -> Step:
    """out (+)= h(w) * product."""
    summed = sympy.Symbol("product", real=True)
    where = "[i, j]" if product.shape[2] == out.shape[2] else "[i, 0]"
    arrays = [(summed, where, product), *_arrays(rule, h, operands, SYNAPSES)]
    return _loop(kernels, "synapse", h * summed, arrays, out, assign="=" if first else "+=")


def _factor(
    rule: Rule, expression: sympy.Expr, operands: RuleInputs, out: np.ndarray, size: int, kernels: ModuleType
) -> tuple[np.ndarray, list[Step]]:
    """A neuron's factor (replica or 1, batch, size) and the steps that compute it, none where it is a memory itself."""
    arrays = _arrays(rule, expression, operands, {Place.PRE: "[b, i]", Place.POST: "[b, i]", Place.THIRD: "[b, i]"})
    if not arrays:
        return np.full((1, operands.batch, size), float(expression), out.dtype), []
    if expression.is_Symbol and arrays[0][1]:
        return arrays[0][2], []
    made_of = (str(expression), size, *(array.ctypes.data for _, _, array in arrays))
    if made_of in operands.factors:
        return operands.factors[made_of], []
    buffer = operands.factors[made_of] = np.empty((out.shape[0], operands.batch, size), out.dtype)
    return buffer, [_loop(kernels, "factor", expression, arrays, buffer)]


def _lower_every(
    rule: Rule, expression: sympy.Expr, operands: RuleInputs, out: np.ndarray, kernels: ModuleType
) -> Step:
    places = {
        Place.PRE: "[b, j]",
        Place.POST: "[b, i]",
        Place.THIRD: "[b, i]",
        Place.TRACE: f"[b, i * {out.shape[2]} + j]",
        **SYNAPSES,
    }
    arrays = _arrays(rule, expression, operands, places)
    return _loop(kernels, "every", expression, arrays, out, batch=str(operands.batch))


def _loop(
    kernels: ModuleType,
    form: str,
    expression: sympy.Expr,
    arrays: list[tuple[sympy.Symbol, str, np.ndarray]],
    out: np.ndarray,
    **fills: str,
) -> Step:
    """A loop over an expression, in the language of the backend."""
    written: Step = LANGUAGES[kernels.NAME].bound(kernels, form, expression, arrays, out, **fills)
    return written


def _arrays(
    rule: Rule, expression: sympy.Expr, operands: RuleInputs, places: dict[Place, str]
) -> list[tuple[sympy.Symbol, str, np.ndarray]]:
    """The expression's symbols in a fixed order, with how each is indexed and its array."""
    found: list[tuple[sympy.Symbol, str, np.ndarray]] = []
    for symbol in sorted((s for s in expression.free_symbols if s in rule.symbols), key=str):
        meaning = rule.symbols[symbol]
        if isinstance(meaning, str):
            found.append((symbol, "", operands.parameters[meaning]))
        elif meaning.place in SYNAPSES:
            weight = operands.synapse if meaning.place is Place.SYNAPSE else operands.w_remote
            assert weight is not None
            found.append((symbol, places[meaning.place], weight))
        elif meaning.place is Place.TRACE:
            assert operands.trace is not None
            found.append((symbol, places[meaning.place], operands.trace))
        else:
            memory = operands.pre if meaning.place is Place.PRE else operands.post
            memory = operands.third if meaning.place is Place.THIRD else memory
            array = memory[meaning.cycle]
            broadcast = meaning.place is Place.THIRD and array.shape[2] == 1
            found.append((symbol, "[b, 0]" if broadcast else places[meaning.place], array))
    return found
