"""Rules that cheat, as a user could write them: each must be refused where it is written, or where it is built in.

`refused` registers a rule, `refused_result` a function that makes one, with a part of the error message: the object and
what it got.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from circuitsim import local_rule, make_schedule
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.rules import Rule
from circuitsim.rules.functions import VOCABULARY

abs, exp, log, maximum, minimum, sign, sqrt, tanh, where = (VOCABULARY[name] for name in sorted(VOCABULARY))
weights = np.ones((4, 8))
labels = [0, 1, 2]
kept: list[Any] = []
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {}


def build(rule: Any, **more: Any) -> Any:
    """A circular autoencoder whose hidden synapses learn by the rule."""
    made = local_rule(rule) if isinstance(rule, FunctionType) or not hasattr(rule, "certificate") else rule
    return make_schedule(*circular_autoencoder([8, 4, 8], made, **more))


def refused(message: str, **more: Any) -> Callable[[Any], Any]:
    def register(rule: Any) -> Any:
        REFUSED[rule.__name__] = (lambda: build(rule, **more)), message
        return rule

    return register


def refused_result(message: str) -> Callable[[Any], Any]:
    def register(make: Callable[[], Any]) -> Any:
        REFUSED[make.__name__] = (lambda: build(make())), message
        return make

    return register


@refused("rule another_synapse, line .*got the name 'weights'")
def another_synapse(pre, post, w):
    return pre.at(0) * weights[0, 1]


@refused_result("got a variable of an enclosing function, 'neighbour'")
def a_closure() -> Any:
    neighbour = np.ones(8)

    def rule(pre, post, w):
        return pre.at(0) * neighbour[3]

    return rule


@refused(r"rule a_default_argument, line (.|\n)*expected a finite number")
def a_default_argument(pre, post, w, *, matrix=weights):
    return pre.at(0) * matrix[0, 0]


@refused(r"memory=\[\]; expected a finite number")
def a_default_list(pre, post, w, memory=[]):  # noqa: B006
    memory.append(post.at(0))
    return pre.at(0) * memory[-1]


@refused("got the name 'labels'")
def a_label(pre, post, w):
    return (labels[0] - post.at(0)) * pre.at(0)


@refused("got the attribute 'mean'")
def a_global_mean(pre, post, w):
    return (post.at(0) - post.at(0).mean()) * pre.at(0)


@refused("got the name 'sum'")
def the_whole_layer(pre, post, w):
    return pre.at(0) * sum(post.at(0))


@refused("object is not subscriptable")
def a_neighbour(pre, post, w):
    return pre.at(0) * post.at(0)[1]


@refused("got the attribute 'population'")
def the_population_behind_a_neuron(pre, post, w):
    return pre.population.size * post.at(0)


@refused("got the attribute '__self__'")
def the_object_that_at_is_bound_to(pre, post, w):
    return post.at.__self__._read(0) * pre.at(0)


@refused("got the attribute 'base'")
def the_base_of_a_weight(pre, post, w):
    return w.base[0] * pre.at(0)


@refused("a reading of layer1 at cycle 2, which never happens")
def a_cycle_that_never_happens(pre, post, w):
    return (post.at(0) - post.at(2)) * pre.at(0)


@refused(r"got post.at\(-2\).*a rule cannot read the future, nor further back")
def further_back_than_the_presentation_before(pre, post, w):
    return (post.at(0) - post.at(-2)) * pre.at(0)


@refused(r"got post.at\(0.5\)")
def half_a_cycle(pre, post, w):
    return post.at(0.5) * pre.at(0)


@refused(r"ticks old when it is read; expected nothing older than the window of 2 ticks", window=2)
def a_stale_snapshot(pre, post, w):
    return (post.at(0) - post.at(1)) * pre.at(0)


@refused("got an import")
def an_import(pre, post, w):
    import sys

    return len(sys.modules) * pre.at(0)


@refused("got the name 'getattr'")
def builtins(pre, post, w):
    return getattr(post, "at")(0) * eval("weights")[0, 0]  # noqa: B009


@refused("got an assignment to something outside it, 'note'")
def writing_on_a_neuron(pre, post, w):
    post.note = pre.at(0)
    return post.at(0)


@refused("got the name 'kept'")
def a_global_that_remembers(pre, post, w):
    kept.append(pre.at(0))
    return kept[0] * post.at(0)


@refused("got an assignment to something outside it, 'last'")
def a_global_assignment(pre, post, w):
    global last
    last = post.at(0)
    return last * pre.at(0)


@refused("got a loop")
def a_loop_over_neurons(pre, post, w):
    total = 0
    for neuron in post:
        total = total + neuron
    return total * pre.at(0)


@refused("got (a function inside it|a loop)")  # by Python version
def a_comprehension(pre, post, w):
    return [n * n for n in (pre.at(0), post.at(0))][0]  # noqa: RUF015


@refused("got a function inside it")
def a_function_inside(pre, post, w):
    look = lambda: post.at(0)  # noqa: E731
    return look() * pre.at(0)


@refused_result("expected a plain Python function")
def a_callable_object() -> Any:
    class Rule:
        matrix = weights

        def __call__(self, pre, post, w):
            return self.matrix[0, 0] * pre.at(0)

    return Rule()


@refused_result("expected a plain Python function")
def a_partial() -> Any:
    def rule(matrix, pre, post, w):
        return matrix[0, 0] * pre.at(0)

    return functools.partial(rule, weights)


@refused_result("expected a finite number")
def a_parameter_that_is_an_array() -> Any:
    def rule(pre, post, w, *, c=1.0):
        return c * pre.at(0) * post.at(0)

    return local_rule(rule).bind(c=weights)


@refused("got parameter 'neighbours' without a value")
def an_extra_argument(pre, post, w, neighbours):
    return neighbours * pre.at(0)


@refused(r"got argument \*others")
def any_argument(pre, post, w, *others):
    return others[0] * pre.at(0)


@refused("which reads `w_remote`, a synapse elsewhere")
def an_undeclared_remote_weight(w_remote):
    return w_remote


@refused_result(r"rule honest, line .*got argument \*args")
def a_disguise() -> Any:
    def honest(pre, post, w):
        return pre.at(0) * post.at(0)

    @functools.wraps(honest)
    def rule(*args, **kwargs):
        return honest(*args, **kwargs) * weights[0, 0]

    return rule


@refused("got a branch")
def a_branch_on_the_symbol(pre, post, w):
    return pre.at(0) if w is None else post.at(0)


@refused("got async or yield")
async def asynchronous_code(pre, post, w):
    return pre.at(0)


# ------------------------------------------------------------------------------ what is no arithmetic on numbers


@refused("got the constant .__import__.*A rule computes with numbers alone")
def a_text_for_sympy(pre, post, w):
    return where(w > 0, "__import__('os').environ.setdefault('CHEAT', 'ran')", 0.0)


@refused("got the constant '1\\+1'")
def a_text_in_a_function(pre, post, w):
    return exp("1+1") * pre.at(0)


@refused("got a string")
def a_text_made_of_numbers(pre, post, w):
    return where(w > 0, f"{w}", 0.0)


@refused("got the constant b'")
def a_text_in_bytes(pre, post, w):
    return where(w > 0, b"1", 0.0)


@refused("got the constant 1j")
def a_complex_constant(pre, post, w):
    return abs(w * 1j) * pre.at(0)


@refused("got the constant True")
def a_truth_value(pre, post, w):
    return where(True, pre.at(0), post.at(0))


@refused("got (the constant \\(0.1|a subscript)")
def a_table_of_constants(pre, post, w, *, k=1):
    return (0.1, 0.2, 0.3)[k] * pre.at(0)


@refused("got (a slice|a subscript)")
def a_slice(pre, post, w):
    return pre.at(0)[0:2]


@refused("got (a list|the constant)")
def a_list(pre, post, w):
    return maximum([w, w], pre.at(0))


@refused("got a dictionary")
def a_dictionary(pre, post, w):
    return {0: w}


@refused("got (a set|the operation|a list)")
def a_set(pre, post, w):
    return {w, pre.at(0)}


@refused("got try or with; .*A rule computes; it catches nothing")
def an_exception_that_is_caught(pre, post, w):
    try:
        a = pre.at(0) / w
    finally:
        a = w
    return a


@refused("got")
def a_context(pre, post, w):
    with w:
        return pre.at(0)


@refused("got a raise")
def a_raise(pre, post, w):
    raise w


@refused("got a call with stars")
def a_call_with_stars(pre, post, w):
    return maximum(*(w, pre.at(0)))


@refused("got the operation|got a branch|got the comparison")
def a_match(pre, post, w):
    match w:
        case 0:
            return pre.at(0)
        case _:
            return post.at(0)


@refused("takes 1 argument\\(s\\), not 0|missing")
def a_function_without_its_argument(pre, post, w):
    return exp() * w


class Evil(float):
    """Adds up what it is multiplied by."""

    def __mul__(self, other: Any) -> Any:
        return other * weights.sum()

    __rmul__ = __mul__


EVIL = Evil(0.5)


def smuggled(value: Any) -> Any:
    """A rule with an object in the place of its constant 0.5."""

    def rule(pre, post, w):
        return 0.5 * pre.at(0) * post.at(0)

    code = rule.__code__
    constants = tuple(value if constant == 0.5 else constant for constant in code.co_consts)
    rule.__code__ = code.replace(co_consts=constants)
    return rule


@refused_result("got the constant of type Evil")
def an_object_among_the_constants() -> Any:
    return smuggled(Evil(0.5))


@refused_result("got the constant of type ndarray")
def an_array_among_the_constants() -> Any:
    return smuggled(weights)


@refused_result("got the constant of type _Sneaky")
def a_symbol_among_the_constants() -> Any:
    class _Sneaky:
        def __mul__(self, other: Any) -> Any:
            return other

    return smuggled(_Sneaky())


@refused_result(r"c=0.5; expected a finite number")
def an_object_as_parameter() -> Any:
    def rule(pre, post, w, *, c=EVIL):
        return c * pre.at(0) * post.at(0)

    return rule


# -------------------------------------------------------------------------- what is no rule that has been checked


def honest(pre, post, w, *, c=0.5):
    return c * pre.at(0) * post.at(0)


@refused_result("rule honest: got an object of type Sub; expected a rule that local_rule made")
def a_subclass_of_rule() -> Any:
    class Sub(Rule):
        def __call__(self, *given: Any, **named: Any) -> Any:
            return super().__call__(*given, **named) * weights.sum()

    return Sub(honest, (("c", 0.5),))


@refused_result("got (an object of type Hand; expected a rule that local_rule made|a Hand; expected a plain)")
def an_object_made_by_hand() -> Any:
    class Hand:
        name, text, free, symbols = "hand", "hand", {}, {}
        certificate = local_rule(honest).certificate

        def __call__(self, pre: Any, post: Any, w: Any, w_remote: Any = None) -> Any:
            return pre(0) * weights.sum()

    return Hand()


@refused_result("got an object of type Rule; expected a rule that local_rule made")
def a_rule_without_a_check() -> Any:
    rule = object.__new__(Rule)
    vars(rule).update(function=honest, parameters=(), text="t", certificate=local_rule(honest).certificate)
    return rule


@refused_result("rule honest: got another certificate than its code has")
def a_certificate_of_another_rule() -> Any:
    rule = local_rule(honest)
    vars(rule)["certificate"] = local_rule(lambda w: -w).certificate
    return rule


@refused_result("rule honest: got another (symbols|expression) than its code has")
def an_expression_of_another_rule() -> Any:
    rule = local_rule(honest)
    vars(rule)["expression"] = rule.expression * 2
    return rule
