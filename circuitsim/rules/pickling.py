"""Rules as bytes: a rule is code without globals, so that its code and its defaults are all there is to keep."""

from __future__ import annotations

import marshal
from types import FunctionType
from typing import Any

Packed = tuple[bytes, str, tuple[Any, ...] | None, dict[str, Any] | None]


def packed(function: FunctionType) -> Packed:
    """Return a rule's function as values that pickle; the same version of Python reads them."""
    return marshal.dumps(function.__code__), function.__name__, function.__defaults__, function.__kwdefaults__


def unpacked(code: bytes, name: str, defaults: tuple[Any, ...] | None, named: dict[str, Any] | None) -> FunctionType:
    """Return the function that `packed` kept."""
    function = FunctionType(marshal.loads(code), {"__builtins__": {}}, name, defaults)
    function.__kwdefaults__ = named
    return function
