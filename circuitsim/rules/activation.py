"""An activation: a scalar function of a neuron's own summed input, checked, traced once, and differentiated.

Its code is under the same inspection as a rule's, and has one argument: other neurons are out of reach.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from circuitsim.display import as_html
from circuitsim.errors import RuleError
from circuitsim.rules.checked import Checked
from circuitsim.rules.functions import VOCABULARY
from circuitsim.rules.inspection import ACTIVATION
from circuitsim.rules.signature import bare, check_number, label, refuse_unreal
from circuitsim.rules.slopes import slope_of
from circuitsim.rules.whole import Whole

if TYPE_CHECKING:
    import sympy

INPUT = "s"
WIDEST = 100.0  # summed inputs from minus this to this must give finite activities and slopes in single precision
_WITHIN = np.linspace(-WIDEST, WIDEST, 4001, dtype=np.float32)
_COPIES: dict[tuple[object, ...], Activation] = {}


@dataclass(frozen=True, eq=False)
class Activation(Checked):
    """A checked scalar function f of a neuron's summed input, with values for its parameters; call it with numbers.

    Parameters are constants of the function, the same for all replicas.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, float | int], ...]

    def __post_init__(self) -> None:
        self._check(ACTIVATION, "local_activation")

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Activation {self.name}: {self.equation}>"

    def _repr_html_(self) -> str | None:
        return as_html("activation", self)

    def bind(self, **values: float) -> Activation:
        """Return the activation with other values for its parameters; RuleError for one it does not have."""
        known = dict(self.parameters)
        for key, value in values.items():
            if key not in known:
                _refuse(self.name, f"parameter {key!r}", f"one of {sorted(known)}", "Correct the name.")
            known[key] = check_number(self.name, key, value, ACTIVATION.word)
        made = Activation(self.function, tuple(known.items()))
        _ = made.derivative
        return made

    def __call__(self, s: Any) -> Any:
        """Evaluate f: the specification that every lowering is tested against.

        Parameters
        ----------
        s : a summed input, a number or an array of them.
        """
        values = {key: Whole(value) if type(value) is int else value for key, value in self.parameters}
        return self._confined(s, **values)

    @cached_property
    def _confined(self) -> Callable[..., Any]:
        """The function with the vocabulary as its only globals."""
        return self._alone()

    def slope(self, s: Any) -> Any:
        """Evaluate f', the derivative of the traced function; 0 at a step, and 0 or 1 where two pieces meet in a kink.

        Parameters
        ----------
        s : a summed input, a number or an array of them.
        """
        with np.errstate(all="ignore"):
            return self._slope(s)

    @cached_property
    def _slope(self) -> Callable[..., Any]:
        import sympy

        return sympy.lambdify([self.symbol], self.derivative, "numpy")  # type: ignore[no-any-return]

    @cached_property
    def symbol(self) -> sympy.Symbol:
        """The symbol of the summed input."""
        import sympy  # here, since it takes longer to import than a command to start

        return sympy.Symbol(INPUT, real=True)

    @cached_property
    def expression(self) -> sympy.Expr:
        """The traced function, with the values of its parameters."""
        import sympy

        try:
            with np.errstate(all="ignore"):
                result = self(self.symbol)
        except RuleError:
            raise
        except Exception as error:  # the user's code may raise anything; it is reported as a RuleError
            words = ", ".join(sorted(VOCABULARY))
            expected = f"arithmetic on {INPUT} and parameters, and {words}"
            got, remedy = f"{type(error).__name__}: {error}", "Each of these stands for one number."
            _refuse(label(self.function, error.__traceback__), got, expected, remedy)
        if isinstance(result, bool) or not isinstance(result, (int, float, sympy.Expr)):
            expected, remedy = "one number, the activity", f"Return an expression of {INPUT}."
            _refuse(label(self.function), f"a result of type {type(result).__name__}", expected, remedy)
        found = sympy.sympify(result)
        refuse_unreal(label(self.function), found, ACTIVATION.word)
        return found

    @cached_property
    def derivative(self) -> sympy.Expr:
        """The derivative of the traced function, f'."""
        found = slope_of(self.expression, self.symbol)
        if found is None:
            remedy = "Leave out //, % and functions without a derivative."
            _refuse(label(self.function), f"{self.equation}", "a function that sympy differentiates", remedy)
        self._check_finite(self.expression, "f(s)")
        self._check_finite(found, "f'(s)")
        return found

    def _check_finite(self, expression: sympy.Expr, what: str) -> None:
        import sympy

        with np.errstate(all="ignore"):
            values = np.broadcast_to(sympy.lambdify([self.symbol], expression, "numpy")(_WITHIN), _WITHIN.shape)
        wrong = np.flatnonzero(~np.isfinite(values.astype(np.float32)))
        if wrong.size:
            _refuse(
                label(self.function),
                f"{what} = {values[wrong[0]]} at s = {_WITHIN[wrong[0]]:g} in single precision",
                f"finite numbers for summed inputs from {-WIDEST:g} to {WIDEST:g}",
                "Limit s by minimum and maximum, or use tanh: 1 / (1 + exp(-s)) is (1 + tanh(s / 2)) / 2.",
            )

    @cached_property
    def equation(self) -> str:
        """The traced function as `f(s) = ...`."""
        return f"f({INPUT}) = {self.expression}"

    @cached_property
    def text(self) -> str:
        """The traced function as text; equal activations have equal texts on every machine."""
        import sympy

        return f"{self.name}{dict(self.parameters)}: {sympy.srepr(self.expression)}"


def local_activation(function: Callable[..., Any]) -> Activation:
    """Make a scalar function of a neuron's summed input an activation, with the derivative that sympy finds.

    Parameters
    ----------
    function : takes `s`, the neuron's summed input with its bias, and parameters with numeric defaults; returns the
        activity. It may use what rules may use.

    Returns
    -------
    An `Activation`, for `Population(activation=...)` and the arguments `hidden` and `output` of circuits.

    Raises
    ------
    RuleError : the function names something beyond s, its parameters and the vocabulary, cannot be differentiated, or
        is not finite between -100 and 100.

    Examples
    --------
    >>> @local_activation
    ... def swish(s, *, steepness=1.0):
    ...     return s * (1 + tanh(steepness * s / 2)) / 2
    >>> float(swish.slope(0.0))
    0.5
    >>> float(swish.bind(steepness=0.0)(3.0))
    1.5
    """
    if isinstance(function, Activation):
        return function
    if not isinstance(function, FunctionType):
        name = str(getattr(function, "__name__", "without a name"))
        _refuse(name, f"a {type(function).__name__}", "a plain Python function", "Write it with def.")
    made = Activation(function, _parameters_of(function))
    _ = made.derivative  # trace now, so that a function that cannot be traced fails where it is written
    return made


def sealed_activation(activation: object) -> Activation:
    """Return the engine's copy of an activation, made from the checked code; equal ones have one copy.

    Raises
    ------
    RuleError : it is none that `local_activation` made, or what is known of it is not what its code gives.
    """
    if type(activation) is not Activation or not activation.made:
        remedy = "Write a function of s, and decorate it with @local_activation."
        _refuse("without a name", f"an object of type {type(activation).__name__}", "an activation", remedy)
    copy = _COPIES.get(activation.identity)
    if copy is None:
        copy = _COPIES[activation.identity] = activation.copied()
    known = vars(activation)
    for quantity in ("symbol", "expression", "derivative", "equation", "text"):
        if quantity in known and known[quantity] != getattr(copy, quantity):
            expected = "what was found when it was checked"
            remedy = "Make the activation again with local_activation, and do not change it."
            _refuse(copy.name, f"another {quantity} than its code has", expected, remedy)
    return copy


def _parameters_of(function: FunctionType) -> tuple[tuple[str, float | int], ...]:
    """Return the parameters of a function and their defaults; RuleError for an argument that is neither s nor one."""
    found: dict[str, float | int] = {}
    arguments = inspect.signature(bare(function)).parameters
    if INPUT not in arguments or arguments[INPUT].default is not inspect.Parameter.empty:
        expected, remedy = f"the argument {INPUT}, without a default", f"Name the summed input {INPUT}."
        _refuse(label(function), f"the arguments ({', '.join(arguments)})", expected, remedy)
    for name, argument in arguments.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            expected = f"{INPUT} and named parameters"
            _refuse(label(function), f"the arguments *{name}", expected, "Name each parameter.")
        if name == INPUT:
            continue
        if argument.default is argument.empty:
            remedy = f"Write {name}=0.1, or what it should be: a neuron is given its own summed input and nothing else."
            _refuse(label(function), f"parameter {name!r} without a value", "a number as default", remedy)
        found[name] = check_number(label(function), name, argument.default, ACTIVATION.word)
    return tuple(found.items())


def _refuse(name: str, got: str, expected: str, remedy: str) -> NoReturn:
    raise RuleError(f"activation {name}", got=got, expected=expected, remedy=remedy)
