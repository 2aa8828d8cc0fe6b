"""A local rule: a scalar function of one synapse, checked, traced once, and certified.

The function's code may name its arguments, its own local variables and the vocabulary (`functions.py`), and no
attribute but `at`. It is run, for tracing and for evaluation alike, with nothing else in reach.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.display import as_html
from circuitsim.errors import RuleError
from circuitsim.locality import BEFORE, Certificate, Place, Reading
from circuitsim.rules.checked import Checked
from circuitsim.rules.equation import equation_of
from circuitsim.rules.functions import VOCABULARY
from circuitsim.rules.inspection import RULE
from circuitsim.rules.remembered import Remembered
from circuitsim.rules.signature import (
    READ,
    check_number,
    label,
    parameters_of,
    refuse_rule,
    refuse_unreal,
)
from circuitsim.rules.whole import Whole

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True, eq=False)
class Rule(Checked):
    """A checked scalar function with values for its parameters; call it with two neurons and a weight.

    Whole-number parameters are part of the rule's structure (they may select cycles); others are numbers that can
    differ from replica to replica.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, float | int], ...]

    def __post_init__(self) -> None:
        self._check(RULE, "local_rule")

    def __repr__(self) -> str:
        return f"<Rule {self.name}: {self.equation}>"

    def _repr_html_(self) -> str | None:
        return as_html("rule", self)

    def bind(self, **values: float) -> Rule:
        """Return the rule with other values for its parameters; RuleError for one it does not have."""
        known = dict(self.parameters)
        for key, value in values.items():
            if key not in known:
                refuse_rule(self.name, f"parameter {key!r}", f"one of {sorted(known)}", "Correct the name.")
            value = check_number(self.name, key, value)
            # a number that can differ from replica to replica stays one, also where it happens to be whole
            known[key] = float(value) if isinstance(known[key], float) else value
        return Rule(self.function, tuple(known.items()))

    def __call__(
        self, pre: Any, post: Any, w: Any, w_remote: Any = None, third: Any = None, trace: Any = None, **replaced: Any
    ) -> Any:
        """Evaluate the scalar function: the specification that every lowering is tested against.

        pre, post, third : callables that map a cycle to an activity; w : the weight; w_remote : a weight elsewhere;
        trace : the synapse's trace, where the rule's circuit declares these; replaced : values for parameters.
        """
        neurons = {"pre": pre, "post": post, "third": third}
        arguments: dict[str, Any] = {name: Remembered(self.name, name, read) for name, read in neurons.items()}
        arguments |= {"w": w, "w_remote": w_remote, "trace": trace}
        function, wanted = self._confined
        given = {key: arguments[key] for key in wanted}
        values = {key: Whole(value) if type(value) is int else value for key, value in self.parameters}
        return function(**given, **(values | replaced))

    @cached_property
    def _confined(self) -> tuple[Callable[..., Any], list[str]]:
        """The function with the vocabulary as its only globals, and the arguments that it takes."""
        confined = self._alone()
        return confined, [a for a in inspect.signature(confined).parameters if a in READ]

    @cached_property
    def free(self) -> dict[str, float]:
        """Numeric parameters with their values; in a kernel an array (replica,) may replace each."""
        return {key: value for key, value in self.parameters if not isinstance(value, int)}

    @cached_property
    def symbols(self) -> dict[sympy.Symbol, Reading | str]:
        """Meaning of each symbol of the expression: a reading, or the name of a parameter."""
        return self._trace[1]

    @cached_property
    def expression(self) -> sympy.Expr:
        """The traced rule."""
        return self._trace[0]

    @cached_property
    def equation(self) -> str:
        """The traced rule as `dw = ...`, in the words of the function."""
        return equation_of(self.expression, self.symbols)

    @cached_property
    def text(self) -> str:
        """The traced rule as text; equal rules have equal texts on every machine."""
        import sympy

        return f"{self.name}{dict(self.parameters)}: {sympy.srepr(self.expression)}"

    @cached_property
    def certificate(self) -> Certificate:
        """All readings of synapse and neurons, including readings of neurons that cancel."""
        used = self.expression.free_symbols
        found = {r for s, r in self.symbols.items() if isinstance(r, Reading) and (r.cycle is not None or s in used)}
        return Certificate(self.name, tuple(sorted(found)))

    @cached_property
    def _trace(self) -> tuple[sympy.Expr, dict[sympy.Symbol, Reading | str]]:
        import sympy  # here, as in the other functions that trace: it takes longer to import than a command to start

        symbols: dict[sympy.Symbol, Reading | str] = {}

        def symbol(name: str, meaning: Reading | str) -> sympy.Symbol:
            made = sympy.Symbol(name, real=True)
            symbols[made] = meaning
            return made

        traced = self._evaluate(
            lambda k: symbol(_name(Place.PRE, k), Reading(Place.PRE, k)),
            lambda k: symbol(_name(Place.POST, k), Reading(Place.POST, k)),
            symbol("w", Reading(Place.SYNAPSE)),
            symbol("w_remote", Reading(Place.REMOTE)),
            {
                "third": lambda k: symbol(_name(Place.THIRD, k), Reading(Place.THIRD, k)),
                "trace": symbol("trace", Reading(Place.TRACE)),
                **{key: symbol(f"parameter_{key}", key) for key in self.free},
            },
        )
        return traced, symbols

    def _evaluate(self, pre: Any, post: Any, w: Any, w_remote: Any, rest: Mapping[str, Any]) -> sympy.Expr:
        import sympy

        try:
            with np.errstate(all="ignore"):
                result = self(pre, post, w, w_remote, **rest)
        except RuleError as error:
            refuse_rule(label(self.function, error.__traceback__), error.got, error.expected, error.remedy)
        except Exception as error:  # the user's code may raise anything; it is reported as a RuleError
            refuse_rule(
                label(self.function, error.__traceback__),
                f"{type(error).__name__}: {error}",
                f"arithmetic on pre.at(k), post.at(k), w and parameters, and {', '.join(sorted(VOCABULARY))}",
                "Each of these stands for one number.",
            )
        if isinstance(result, bool) or not isinstance(result, (int, float, sympy.Expr)):
            refuse_rule(
                label(self.function),
                f"a result of type {type(result).__name__}",
                "one number, the increment dw",
                "Return an expression of pre.at(k), post.at(k) and w.",
            )
        expression = sympy.sympify(result)
        refuse_unreal(label(self.function), expression)
        return expression


def _name(place: Place, cycle: int) -> str:
    """Return the name of the symbol of a neuron's activity."""
    return f"{place.value}_before" if cycle == BEFORE else f"{place.value}{cycle}"


def local_rule(function: Callable[..., Any]) -> Rule:
    """Make a scalar function of one synapse a local rule.

    Parameters
    ----------
    function : takes `pre`, `post`, `w` (those it needs) and parameters with numeric defaults; returns dw, before
        the learning rate. `pre.at(k)` and `post.at(k)` are what the two neurons remember of cycle k; `at(-1)` is their
        last activity of the presentation before, and 0 in the first one. It may also take
        `w_remote`, the weight of a synapse elsewhere; then only a circuit that declares its source
        (`Plasticity(transposed_from=...)`) takes it, and the audit reports weight transport.

    Returns
    -------
    A Rule; its certificate lists all that it reads.

    Raises
    ------
    RuleError : the function names something beyond its arguments and the vocabulary, or cannot be traced. The
        message has the line, the name and what may be used.

    Examples
    --------
    >>> @local_rule
    ... def oja(pre, post, w, *, decay=0.1):
    ...     return post.at(0) * (pre.at(0) - decay * post.at(0) * w)
    >>> [(r.place.value, r.cycle) for r in oja.certificate.readings]
    [('post', 0), ('pre', 0), ('synapse', None)]
    """
    if isinstance(function, Rule):
        return function
    rule = builtin_rule(function)
    _ = rule.certificate  # trace now, so that a rule that cannot be traced fails where it is written
    return rule


def builtin_rule(function: Callable[..., Any]) -> Rule:
    """Make a function of circuitsim's own a local rule that is traced when it is first used; see `local_rule`."""
    if not isinstance(function, FunctionType):
        name = str(getattr(function, "__name__", "without a name"))
        refuse_rule(name, f"a {type(function).__name__}", "a plain Python function", "Write it with def.")
    return Rule(function, parameters_of(function))
