"""Copies of a step that each have their own memory, so that one experiment cannot disturb the next."""

from __future__ import annotations

import copy
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

COPYING = ("__deepcopy__", "__copy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__slots__")
"""Attributes of a class that has ways of its own to be copied."""


def fresh(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a callable whose closure, attributes and module variables are copies too.

    A function is rebuilt with copies of what its cells and the module variables that it names hold, and so are the
    functions it calls in its own module. Modules, classes and what cannot be copied are shared.
    """
    copied: Callable[..., Any] = _copy(step, {})
    return copied


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Restore the global generators of Python, NumPy and PyTorch (where loaded) to their state before the block."""
    python, legacy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    state = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        if torch:
            torch.set_rng_state(state)


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    """Return a copy that shares `memo` with the rest, so that two names of one object stay one object."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, types.FunctionType):
        return _copy_function(value, memo)
    if isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
        return value
    if isinstance(value, types.MethodType):
        return types.MethodType(_copy(value.__func__, memo), _copy(value.__self__, memo))
    if type(value) in (list, dict, tuple):  # they may hold functions, which deepcopy shares
        return _copy_container(value, memo)
    if _plain_object(value):
        made = object.__new__(type(value))
        memo[id(value)] = made
        made.__dict__.update(_copy(value.__dict__, memo))
        return made
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a lock, a file, a compiled function: shared; a step that is disturbed shows as not repeatable
        memo[id(value)] = value
        return value


def _plain_object(value: Any) -> bool:
    """Return whether an object is nothing but its attributes, of a class of the user's; they may hold functions."""
    kind = type(value)
    custom = any(name in vars(base) for base in kind.__mro__[:-1] for name in COPYING)
    return not custom and hasattr(value, "__dict__") and kind.__base__ is object and not _installed(kind.__module__)


def _installed(module: str) -> bool:
    """Return whether a module belongs to Python or to an installed library."""
    place = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.partition(".")[0] in sys.stdlib_module_names or "site-packages" in place


def _copy_container(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(_copy(item, memo) for item in value)
    made: Any = type(value)()
    memo[id(value)] = made
    if isinstance(value, list):
        made.extend(_copy(item, memo) for item in value)
    else:
        made.update({key: _copy(item, memo) for key, item in value.items()})
    return made


def _copy_function(function: types.FunctionType, memo: dict[int, Any]) -> types.FunctionType:
    if _installed(function.__module__ or "") or "site-packages" in function.__code__.co_filename:
        return function
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    scope = memo.setdefault(id(function.__globals__), dict(function.__globals__))
    made = types.FunctionType(function.__code__, scope, function.__name__, None, cells)
    memo[id(function)] = made
    made.__kwdefaults__ = _copy(function.__kwdefaults__, memo)
    made.__defaults__ = _copy(function.__defaults__, memo)
    made.__dict__.update(_copy(function.__dict__, memo))
    for cell, original in zip(cells, function.__closure__ or (), strict=True):
        try:
            cell.cell_contents = _copy(original.cell_contents, memo)
        except ValueError:  # a variable that has no value yet
            continue
    for name in _names(function.__code__):
        if name in scope:
            scope[name] = _copy(function.__globals__[name], memo)
    return made


def _names(code: types.CodeType) -> set[str]:
    """Return the module variables that a function and the functions inside it name."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names(one) for one in inner))
