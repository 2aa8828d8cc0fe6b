"""Integers limited to the range of a float, so that a rule with 9**9**9 is refused and not computed."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

LIMIT = 1e300


class Whole(int):
    """An int whose sums, products and powers raise OverflowError beyond `LIMIT`."""


def _bounded(name: str) -> Callable[..., object]:
    exact, rough = getattr(int, name), getattr(float, name)

    def method(self: Whole, *others: object) -> object:
        # first in floats, which overflow at once; large integers would fill the memory
        if all(isinstance(other, int) for other in others):
            size = rough(float(self), *(float(other) for other in others))  # type: ignore[arg-type]
            if not abs(size) < LIMIT:
                raise OverflowError("a whole number too large to be a float")
        result = exact(self, *others)
        return Whole(result) if type(result) is int else result

    return method


for _name in ("neg", "add", "radd", "sub", "rsub", "mul", "rmul", "pow", "rpow"):
    setattr(Whole, f"__{_name}__", _bounded(f"__{_name}__"))


def bounded(code: CodeType) -> CodeType:
    """Return the code with each integer constant as a `Whole`."""
    return code.replace(co_consts=_wrapped(code.co_consts))


def _wrapped(constant: Any) -> Any:
    if isinstance(constant, tuple):
        return tuple(_wrapped(part) for part in constant)
    return Whole(constant) if type(constant) is int else constant
