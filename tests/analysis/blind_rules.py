"""Rules that read more than their synapse, written blind: each must be refused."""

# mypy: ignore-errors
from __future__ import annotations

import functools
import pickle
from types import FunctionType

import numpy as np
from blind import REFUSED, Case, collector

from circuitsim import Circuit, Plasticity, Population, Projection, Protocol, Rule, Simulator, local_rule
from circuitsim.locality import Certificate, Place, Reading
from circuitsim.rules import delta

CASES: list[Case] = []
case = collector(CASES)
MATRIX = np.arange(12.0).reshape(3, 4)


class Leak(float):
    """A number that is another one each time it is used."""

    def __mul__(self, other):
        return other * MATRIX.sum()

    __rmul__ = __mul__


class Anything:
    """An object that answers to every operation."""

    def __mul__(self, other):
        return other

    __rmul__ = __add__ = __radd__ = __sub__ = __rsub__ = __getitem__ = __call__ = __mul__


def hebb(pre, post, w):
    return 2.0 * pre.at(0) * post.at(0)


def smuggled(constant):
    """Return Hebb's rule with another constant in its code."""
    code = hebb.__code__
    constants = tuple(constant if value == 2.0 else value for value in code.co_consts)
    return FunctionType(code.replace(co_consts=constants), {}, "smuggler")


def used(rule, **parts):
    """Build a circuit with the rule, and show it a batch."""
    circuit = Circuit(
        "pair", (Population("a", 4), Population("b", 3)), (Projection("W", "a", "b", bias=True),),
        plasticity=(Plasticity("W", rule, **parts),), inputs="a", outputs="b",
    )  # fmt: skip
    simulator = Simulator(circuit, Protocol(), batch=2, backend="numpy")
    simulator.use(np.ones((4, 4)))
    simulator.present([0, 1])
    return "shown"


@case(REFUSED, "constant", daily=True)
def object_for_a_number():
    return used(local_rule(smuggled(Anything())))


@case(REFUSED, "constant", daily=True)
def float_of_its_own_class():
    return used(local_rule(smuggled(Leak(2))))


@case(REFUSED, "constant")
def numpy_scalar_in_the_code():
    return used(local_rule(smuggled(np.float64(2))))


@case(REFUSED, "constant")
def matrix_in_the_code():
    return used(local_rule(smuggled(MATRIX)))


@case(REFUSED, "constant")
def bytes_in_the_code():
    return used(local_rule(smuggled(b"2")))


@case(REFUSED, "constant")
def code_object_in_the_code():
    return used(local_rule(smuggled(hebb.__code__)))


@case(REFUSED, "constant")
def frozen_set_in_the_code():
    return used(local_rule(smuggled(frozenset({1.0, 2.0}))))


@case(REFUSED, "number")
def parameter_of_its_own_class():
    return used(local_rule(hebb_with(Leak(0.5))))


@case(REFUSED, "number")
def parameter_is_a_matrix():
    return used(local_rule(hebb_with(MATRIX)))


def hebb_with(value):
    """Return Hebb's rule with a default for its parameter."""

    def scaled(pre, post, *, c=value):
        return c * pre.at(0) * post.at(0)

    return scaled


@case(REFUSED, "number")
def bound_to_a_matrix():
    return used(local_rule(hebb_with(1.0)).bind(c=MATRIX))


@case(REFUSED, "number")
def bound_to_a_class_of_its_own():
    return used(local_rule(hebb_with(1.0)).bind(c=Leak(3)))


@case(REFUSED, "one number")
def rate_for_each_synapse():
    rule = local_rule(hebb_with(1.0))
    circuit = Circuit(
        "pair", (Population("a", 4), Population("b", 3)), (Projection("W", "a", "b"),),
        plasticity=(Plasticity("W", rule),), inputs="a", outputs="b",
    )  # fmt: skip
    return Simulator(circuit, Protocol(), batch=2, parameters={("W", "lr"): MATRIX}).backend


@case(REFUSED, "local_rule", daily=True)
def hand_made_rule():
    class Made:
        name, text = "made", "dw = pre post"
        certificate = Certificate("made", (Reading(Place.PRE, 0),))

        def __call__(self, pre, post, *rest, **more):
            return MATRIX

    return used(Made())


@case(REFUSED, "local_rule")
def subclass_of_rule():
    class Better(Rule):
        @property
        def certificate(self):
            return Certificate("better", ())

    return used(Better(hebb, ()))


@case(REFUSED, "local_rule")
def instance_given_another_class():
    class Better(Rule):
        def __call__(self, *given, **more):
            return MATRIX.sum()

    rule = local_rule(hebb)
    object.__setattr__(rule, "__class__", Better)
    return used(rule)


@case(REFUSED, "local_rule")
def bias_rule_by_hand():
    class Made:
        name, text, certificate = "made", "", Certificate("made", ())

    return used(local_rule(hebb), bias_rule=Made())


@case(REFUSED, "")
def expression_exchanged_after_the_check():
    rule = local_rule(hebb_with(1.0))
    vars(rule)["expression"] = rule.expression * 2
    return used(rule)


@case(REFUSED, "")
def certificate_exchanged_after_the_check():
    rule = local_rule(lambda pre, post, w: pre.at(0) * post.at(0) - w)
    vars(rule)["certificate"] = Certificate("quiet", ())
    return used(rule)


@case(REFUSED, "the name 'MATRIX'", daily=True)
def checked_code_exchanged():
    def other(pre, post, w):
        return MATRIX

    rule = local_rule(hebb)
    vars(rule)["_code"] = other.__code__
    return used(rule)


@case(REFUSED, "number", daily=True)
def parameters_exchanged():
    rule = local_rule(hebb_with(1.0))
    object.__setattr__(rule, "parameters", (("c", MATRIX),))
    return used(rule)


@case(REFUSED, "")
def pickle_with_other_code():
    rule = local_rule(hebb)
    text = pickle.dumps(rule, protocol=0)
    restore, (packed, values) = rule.__reduce__()[:2]

    def other(pre, post, w):
        return MATRIX * pre.at(0)

    evil = local_rule.__globals__["packed"](other)
    assert text and packed
    return used(restore(evil, values))


@case(REFUSED, "plain Python function")
def partial_of_a_rule():
    return used(local_rule(functools.partial(hebb, w=1.0)))


@case(REFUSED, "plain Python function")
def object_that_can_be_called():
    return used(local_rule(Anything()))


@case(REFUSED, "the name 'MATRIX'")
def signature_of_another_function():
    def cheat(pre, post, w):
        return MATRIX[0][0] * pre.at(0)

    return used(local_rule(functools.wraps(hebb)(cheat)))


@case(REFUSED, "try")
def exception_table():
    def catches(pre, post, w):
        try:
            return pre.at(0) * post.at(0)
        finally:
            pre.at(0)

    return used(local_rule(catches))


@case(REFUSED, "function inside")
def sum_over_a_generator():
    def sums(pre, post, w):
        return (lambda: pre.at(0))()

    return used(local_rule(sums))


@case(REFUSED, "string")
def formatted_text_for_sympy():
    def formats(pre, post, w):
        return exp(f"{w}")  # noqa: F821

    return used(local_rule(formats))


@case(REFUSED, "constant")
def plain_text_for_sympy():
    def texts(pre, post, w):
        return exp("__import__('os').getpid()") * pre.at(0)  # noqa: F821

    return used(local_rule(texts))


@case(REFUSED, "")
def future_cycle():
    return used(local_rule(lambda pre, post, w: pre.at(-2) * post.at(0)))


@case(REFUSED, "")
def cycle_chosen_by_the_weight():
    return used(local_rule(lambda pre, post, w: pre.at(w) * post.at(0)))


@case(REFUSED, "")
def undeclared_transpose():
    return used(local_rule(lambda pre, post, w_remote: pre.at(0) * w_remote))


@case(REFUSED, "")
def undeclared_third_factor():
    return used(local_rule(lambda pre, post, third: pre.at(0) * third.at(0)))


@case(REFUSED, "'recursive'")
def calls_itself():
    def recursive(pre, post, w):
        return recursive(pre, post, w)

    return used(local_rule(recursive))


@case(REFUSED, "the constant (1.0, 2.0)")
def table_of_numbers():
    def table(pre, post, w):
        return (1.0, 2.0)[0:1] * pre.at(0)

    return used(local_rule(table))


@case(REFUSED, "transposed")
def transposed_without_a_source():
    return used(delta, transposed_from="nothing")
