"""Rules that cheat, as a user could write them: each must be refused where it is written, or where it is built in.

Every function makes the rule and, where making it is not enough, builds it into a circuit.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from circuitsim import local_rule, make_schedule
from circuitsim.circuits.autoencoder import circular_autoencoder

weights = np.ones((4, 8))
labels = [0, 1, 2]
kept: list[Any] = []


def build(rule: Any, **more: Any) -> Any:
    """A circular autoencoder whose hidden synapses learn by the rule."""
    return make_schedule(*circular_autoencoder([8, 4, 8], local_rule(rule), **more))


def another_synapse() -> Any:
    def rule(pre, post, w):
        return pre.at(0) * weights[0, 1]

    return build(rule)


def a_closure() -> Any:
    neighbour = np.ones(8)

    def rule(pre, post, w):
        return pre.at(0) * neighbour[3]

    return build(rule)


def a_default_argument() -> Any:
    def rule(pre, post, w, *, matrix=weights):
        return pre.at(0) * matrix[0, 0]

    return build(rule)


def a_default_list() -> Any:
    def rule(pre, post, w, memory=[]):  # noqa: B006
        memory.append(post.at(0))
        return pre.at(0) * memory[-1]

    return build(rule)


def a_label() -> Any:
    def rule(pre, post, w):
        return (labels[0] - post.at(0)) * pre.at(0)

    return build(rule)


def a_global_mean() -> Any:
    def rule(pre, post, w):
        return (post.at(0) - post.at(0).mean()) * pre.at(0)

    return build(rule)


def the_whole_layer() -> Any:
    def rule(pre, post, w):
        return pre.at(0) * sum(post.at(0))

    return build(rule)


def a_neighbour() -> Any:
    def rule(pre, post, w):
        return pre.at(0) * post.at(0)[1]

    return build(rule)


def the_population_behind_a_neuron() -> Any:
    def rule(pre, post, w):
        return pre.population.size * post.at(0)

    return build(rule)


def what_at_is_bound_to() -> Any:
    def rule(pre, post, w):
        return post.at.__self__._read(0) * pre.at(0)

    return build(rule)


def the_base_of_a_weight() -> Any:
    def rule(pre, post, w):
        return w.base[0] * pre.at(0)

    return build(rule)


def a_cycle_that_never_happens() -> Any:
    def rule(pre, post, w):
        return (post.at(0) - post.at(2)) * pre.at(0)

    return build(rule)


def the_future() -> Any:
    def rule(pre, post, w):
        return (post.at(0) - post.at(-1)) * pre.at(0)

    return build(rule)


def half_a_cycle() -> Any:
    def rule(pre, post, w):
        return post.at(0.5) * pre.at(0)

    return build(rule)


def a_stale_snapshot() -> Any:
    def rule(pre, post, w):
        return (post.at(0) - post.at(1)) * pre.at(0)

    return build(rule, window=2)


def an_import() -> Any:
    def rule(pre, post, w):
        import sys

        return len(sys.modules) * pre.at(0)

    return build(rule)


def builtins() -> Any:
    def rule(pre, post, w):
        return getattr(post, "at")(0) * eval("weights")[0, 0]  # noqa: B009

    return build(rule)


def writing_on_a_neuron() -> Any:
    def rule(pre, post, w):
        post.note = pre.at(0)
        return post.at(0)

    return build(rule)


def a_global_that_remembers() -> Any:
    def rule(pre, post, w):
        kept.append(pre.at(0))
        return kept[0] * post.at(0)

    return build(rule)


def a_global_assignment() -> Any:
    def rule(pre, post, w):
        global last
        last = post.at(0)
        return last * pre.at(0)

    return build(rule)


def a_loop_over_neurons() -> Any:
    def rule(pre, post, w):
        total = 0
        for neuron in post:
            total = total + neuron
        return total * pre.at(0)

    return build(rule)


def a_comprehension() -> Any:
    def rule(pre, post, w):
        return [n * n for n in (pre.at(0), post.at(0))][0]  # noqa: RUF015

    return build(rule)


def a_function_inside() -> Any:
    def rule(pre, post, w):
        look = lambda: post.at(0)  # noqa: E731
        return look() * pre.at(0)

    return build(rule)


def a_callable_object() -> Any:
    class Rule:
        matrix = weights

        def __call__(self, pre, post, w):
            return self.matrix[0, 0] * pre.at(0)

    return build(Rule())


def a_partial() -> Any:
    def rule(matrix, pre, post, w):
        return matrix[0, 0] * pre.at(0)

    return build(functools.partial(rule, weights))


def a_parameter_that_is_an_array() -> Any:
    def rule(pre, post, w, *, c=1.0):
        return c * pre.at(0) * post.at(0)

    return build(local_rule(rule).bind(c=weights))


def an_extra_argument() -> Any:
    def rule(pre, post, w, neighbours):
        return neighbours * pre.at(0)

    return build(rule)


def any_argument() -> Any:
    def rule(pre, post, w, *others):
        return others[0] * pre.at(0)

    return build(rule)


def an_undeclared_far_weight() -> Any:
    def rule(far):
        return far

    return build(rule)


def a_disguise() -> Any:
    def honest(pre, post, w):
        return pre.at(0) * post.at(0)

    @functools.wraps(honest)
    def rule(*args, **kwargs):
        return honest(*args, **kwargs) * weights[0, 0]

    return build(rule)


def a_branch_on_the_symbol() -> Any:
    def rule(pre, post, w):
        return pre.at(0) if w is None else post.at(0)

    return build(rule)


def asynchronous_code() -> Any:
    async def rule(pre, post, w):
        return pre.at(0)

    return build(rule)


# what each is told, in part: the object and what it got
REFUSED = {
    another_synapse: "rule rule, line .*got the name 'weights'",
    a_closure: "got a variable of an enclosing function, 'neighbour'",
    a_default_argument: r"rule rule, line (.|\n)*expected a finite number",
    a_default_list: r"memory=\[\]; expected a finite number",
    a_label: "got the name 'labels'",
    a_global_mean: "got the attribute 'mean'",
    the_whole_layer: "got the name 'sum'",
    a_neighbour: "object is not subscriptable",
    the_population_behind_a_neuron: "got the attribute 'population'",
    what_at_is_bound_to: "got the attribute '__self__'",
    the_base_of_a_weight: "got the attribute 'base'",
    a_cycle_that_never_happens: "a reading of layer1 at cycle 2, which never happens",
    the_future: r"got post.at\(-1\).*a rule cannot read the future",
    half_a_cycle: r"got post.at\(0.5\)",
    a_stale_snapshot: r"ticks old when it is read; expected nothing older than the window of 2 ticks",
    an_import: "got an import",
    builtins: "got the name 'getattr'",
    writing_on_a_neuron: "got an assignment to something outside it, 'note'",
    a_global_that_remembers: "got the name 'kept'",
    a_global_assignment: "got an assignment to something outside it, 'last'",
    a_loop_over_neurons: "got a loop",
    a_comprehension: "got (a function inside it|a loop)",  # by Python version
    a_function_inside: "got a function inside it",
    a_callable_object: "expected a plain Python function",
    a_partial: "expected a plain Python function",
    a_parameter_that_is_an_array: "expected a finite number",
    an_extra_argument: "got parameter 'neighbours' without a value",
    any_argument: r"got argument \*others",
    an_undeclared_far_weight: "which reads `far`, a synapse elsewhere",
    a_disguise: r"rule honest, line .*got argument \*args",
    a_branch_on_the_symbol: "got a branch",
    asynchronous_code: "got async or yield",
}
