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
from typing import Any

import sympy

from circuitsim.errors import RuleError
from circuitsim.locality import Certificate, Place, Reading
from circuitsim.rules.functions import VOCABULARY
from circuitsim.rules.inspection import check_code, first_line

NEURONS = ("pre", "post")
MAX_CYCLE = 1000


class Remembered:
    """A neuron as its synapses see it: `at(k)` is what it remembers of cycle k, and nothing else can be asked."""

    __slots__ = ("_name", "_read", "_rule")

    def __init__(self, rule: str, name: str, read: Callable[[int], Any]) -> None:
        self._rule, self._name, self._read = rule, name, read

    def at(self, cycle: int) -> Any:
        """The activity remembered of a cycle, a whole number >= 0 known when the rule is built."""
        if not isinstance(cycle, int) or isinstance(cycle, bool) or not 0 <= cycle <= MAX_CYCLE:
            raise RuleError(
                f"rule {self._rule}",
                got=f"{self._name}.at({cycle!r})",
                expected=f"a cycle that is a whole number from 0 to {MAX_CYCLE}, known when the rule is built",
                remedy="Use a literal or a whole-number parameter; a rule cannot read the future.",
            )
        return self._read(cycle)


@dataclass(frozen=True)
class Rule:
    """A checked scalar function with values for its parameters; call it with two neurons and a weight.

    Whole-number parameters are part of the rule's structure (they may select cycles); others are numbers that can
    differ from replica to replica.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, float | int], ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def bind(self, **values: float) -> Rule:
        """Return the rule with other values for its parameters; RuleError for one it does not have."""
        known = dict(self.parameters)
        for key, value in values.items():
            if key not in known:
                _refuse(self.name, f"parameter {key!r}", f"one of {sorted(known)}", "Correct the name.")
            _check_number(self.name, key, value)
        return Rule(self.function, tuple((known | values).items()))

    def __call__(self, pre: Any, post: Any, w: Any, **replaced: Any) -> Any:
        """Evaluate the scalar function: the specification that every lowering is tested against.

        pre, post : callables that map a cycle to an activity; w : the weight; replaced : values for parameters.
        """
        arguments = {"pre": Remembered(self.name, "pre", pre), "post": Remembered(self.name, "post", post), "w": w}
        function, wanted = self._confined
        given = {key: arguments[key] for key in wanted}
        return function(**given, **(dict(self.parameters) | replaced))

    @cached_property
    def _confined(self) -> tuple[Callable[..., Any], list[str]]:
        """The function with the vocabulary as its only globals (no builtins, no module), and what it asks to see."""
        assert isinstance(self.function, FunctionType)
        names: dict[str, Any] = {"__builtins__": {}, **VOCABULARY}
        confined = FunctionType(self.function.__code__, names, self.name)
        confined.__kwdefaults__ = self.function.__kwdefaults__
        confined.__defaults__ = self.function.__defaults__
        return confined, [a for a in inspect.signature(self.function).parameters if a in (*NEURONS, "w")]

    @cached_property
    def free(self) -> dict[str, float]:
        """The parameters that are numbers, with their values; an array for each may replace them in a kernel."""
        return {key: value for key, value in self.parameters if not isinstance(value, int)}

    @cached_property
    def symbols(self) -> dict[sympy.Symbol, Reading | str]:
        """What each symbol of the expression stands for: a reading, or the name of a parameter."""
        return self._trace[1]

    @cached_property
    def expression(self) -> sympy.Expr:
        """The traced rule."""
        return self._trace[0]

    @cached_property
    def certificate(self) -> Certificate:
        """All that the rule reads of its synapse and neurons."""
        found = [self.symbols[s] for s in self.expression.free_symbols]
        return Certificate(self.name, tuple(sorted(r for r in found if isinstance(r, Reading))))

    @cached_property
    def _trace(self) -> tuple[sympy.Expr, dict[sympy.Symbol, Reading | str]]:
        symbols: dict[sympy.Symbol, Reading | str] = {}

        def symbol(name: str, meaning: Reading | str) -> sympy.Symbol:
            made = sympy.Symbol(name, real=True)
            symbols[made] = meaning
            return made

        traced = self._evaluate(
            lambda k: symbol(f"pre{k}", Reading(Place.PRE, k)),
            lambda k: symbol(f"post{k}", Reading(Place.POST, k)),
            symbol("w", Reading(Place.SYNAPSE)),
            {key: symbol(f"parameter_{key}", key) for key in self.free},
        )
        return traced, symbols

    def _evaluate(self, pre: Any, post: Any, w: Any, free: Mapping[str, Any]) -> sympy.Expr:
        try:
            result = self(pre, post, w, **free)
        except RuleError:
            raise
        except TypeError as error:
            if "truth value" in str(error):
                _refuse(
                    self.name,
                    "a branch on a traced quantity",
                    "no if, and, or, not on activities or weights",
                    "Use where(condition, a, b), minimum or maximum.",
                )
            _refuse(self.name, f"{type(error).__name__}: {error}", "arithmetic on activities and weights", "Mend it.")
        except Exception as error:  # the user's code: whatever it raises is reported, not passed through
            _refuse(self.name, f"{type(error).__name__}: {error}", "arithmetic on activities and weights", "Mend it.")
        if isinstance(result, bool) or not isinstance(result, (int, float, sympy.Expr)):
            _refuse(
                self.name,
                f"a result of type {type(result).__name__}",
                "one number, the increment dw",
                "Return an expression of pre.at(k), post.at(k) and w.",
            )
        expression = sympy.sympify(result)
        if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            _refuse(self.name, f"the expression {expression}", "a finite real number", "Avoid dividing by zero.")
        return expression


def local_rule(function: Callable[..., Any]) -> Rule:
    """Make a scalar function of one synapse a local rule.

    Parameters
    ----------
    function : takes `pre`, `post`, `w` (those it needs) and parameters with numeric defaults; returns dw, before
        the learning rate. `pre.at(k)` and `post.at(k)` are what the two neurons remember of cycle k.

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
    if not isinstance(function, FunctionType):
        _refuse(repr(function), f"a {type(function).__name__}", "a plain Python function", "Write it with def.")
    rule = Rule(function, _parameters(function))
    check_code(function, VOCABULARY)
    _ = rule.certificate  # trace now, so that a rule that cannot be traced fails where it is written
    return rule


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, float | int], ...]:
    found: dict[str, float | int] = {}
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            _refuse(_label(function), f"argument *{name}", "pre, post, w and named parameters", "Name each parameter.")
        if name in (*NEURONS, "w"):
            if argument.default is not argument.empty:
                _refuse(_label(function), f"a default for {name}", "no default", f"Remove the default of {name}.")
            continue
        if argument.default is argument.empty:
            _refuse(
                _label(function),
                f"parameter {name!r} without a value",
                "a number as default",
                f"Write {name}=0.1, or what it should be; pre, post and w are the only things a synapse is given.",
            )
        _check_number(_label(function), name, argument.default)
        found[name] = argument.default
    return tuple(found.items())


def _label(function: Callable[..., Any]) -> str:
    return f"{function.__name__}, line {first_line(function)}"


def _check_number(rule: str, name: str, value: object) -> None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    if not good:
        _refuse(rule, f"{name}={value!r}", "a finite number", "A parameter is one number, the same for all synapses.")


def _refuse(rule: str, got: str, expected: str, remedy: str) -> None:
    raise RuleError(f"rule {rule}", got=got, expected=expected, remedy=remedy)
