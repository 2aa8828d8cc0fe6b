"""A checked function: what rules and activations have in common, however they read and whatever they return.

The code that was inspected is kept beside the function, whose code may be changed later. It runs, for tracing and for
evaluation alike, with the vocabulary as its only globals.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType, MappingProxyType
from typing import Any, Self

from circuitsim.errors import RuleError
from circuitsim.rules.functions import VOCABULARY
from circuitsim.rules.inspection import Kind, check_code
from circuitsim.rules.pickling import Packed, packed, unpacked
from circuitsim.rules.signature import check_number
from circuitsim.rules.whole import bounded

_WORDS = MappingProxyType(dict(VOCABULARY))  # as it is now: what is done to it later has no effect


class Checked:
    """A scalar function whose code was checked, with values for its parameters; equal ones have equal code and values.

    Subclasses are frozen dataclasses of these two fields.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, float | int], ...]

    def __init__(self, function: Callable[..., Any], parameters: tuple[tuple[str, float | int], ...]) -> None:
        raise NotImplementedError

    def _check(self, kind: Kind, maker: str) -> None:
        """Check the function and its parameters, and keep the code that was checked."""
        if type(self.function) is not FunctionType:
            got = f"a {type(self.function).__name__}"
            raise RuleError(f"{kind.word} without a name", got=got, expected="a plain function", remedy=f"Use {maker}.")
        check_code(self.function, VOCABULARY, kind)  # however it was made
        for key, value in self.parameters:
            check_number(self.function.__name__, key, value, kind.word)
        # what was checked; the function may get other code and another name later
        vars(self).update(_code=self.function.__code__, _name=self.function.__name__)

    @property
    def name(self) -> str:
        """The function's name."""
        return str(vars(self)["_name"])

    @property
    def identity(self) -> tuple[object, ...]:
        """Identity that equal functions share: the code that was checked, the name and the parameters."""
        return self._checked, self.name, self.parameters

    @property
    def _checked(self) -> CodeType:
        """The code that was checked."""
        return vars(self)["_code"]  # type: ignore[no-any-return]

    @property
    def made(self) -> bool:
        """True if its code has been checked."""
        return "_code" in vars(self)

    def copied(self) -> Self:
        """Return another of the checked code and the parameters, checked and traced anew."""
        return type(self)(FunctionType(self._checked, {"__builtins__": {}}, self.name), self.parameters)

    def _alone(self) -> FunctionType:
        """Return the function with the vocabulary as its only globals, and without defaults."""
        return FunctionType(bounded(self._checked), {"__builtins__": {}, **_WORDS}, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checked) and type(other) is type(self) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __reduce__(self) -> tuple[object, ...]:
        function = self.copied().function
        assert isinstance(function, FunctionType)
        return _restored, (type(self), packed(function), self.parameters)


def _restored(kind: type[Checked], function: Packed, parameters: tuple[tuple[str, float | int], ...]) -> Checked:
    """Return what was pickled; it is checked again."""
    return kind(unpacked(*function), parameters)
