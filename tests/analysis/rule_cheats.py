"""Rules that cheat, as a user could write them: each must be refused where it is written, or where it is built in.

`refused` registers a rule, `refused_result` a function that makes one, with a part of the error message: the object and
what it got.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from circuitsim import local_rule, make_schedule
from circuitsim.circuits.autoencoder import circular_autoencoder

weights = np.ones((4, 8))
labels = [0, 1, 2]
kept: list[Any] = []
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {}


def build(rule: Any, **more: Any) -> Any:
    """A circular autoencoder whose hidden synapses learn by the rule."""
    return make_schedule(*circular_autoencoder([8, 4, 8], local_rule(rule), **more))


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


@refused(r"got post.at\(-1\).*a rule cannot read the future")
def the_future(pre, post, w):
    return (post.at(0) - post.at(-1)) * pre.at(0)


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
