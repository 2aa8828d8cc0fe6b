"""Objects that a user's function can reach beside its arguments: closures, defaults, globals, attributes, containers.

No certificate covers a hook. The audit of hooks changes the arrays and numbers that it reaches, and looks at what
comes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

MOST = 5000  # objects that are looked at
_OWN = ("circuitsim", "numpy", "numba", "scipy")


@dataclass(frozen=True, eq=False)
class Slot:
    """A place that holds one number: an item of a container, an attribute, a variable of an enclosing function.

    Parameters
    ----------
    container : the list, dictionary, object or cell. key : the index, name or attribute.
    """

    container: Any
    key: Any

    @property
    def place(self) -> tuple[int, Any]:
        """The place, equal for the same place."""
        return id(self.container), self.key

    def get(self) -> Any:
        """Return the value."""
        if isinstance(self.container, CellType):
            return self.container.cell_contents
        if isinstance(self.container, (MutableMapping, MutableSequence)):
            return self.container[self.key]
        return getattr(self.container, self.key)

    def put(self, value: Any) -> None:
        """Replace the value."""
        if isinstance(self.container, CellType):
            self.container.cell_contents = value
        elif isinstance(self.container, (MutableMapping, MutableSequence)):
            self.container[self.key] = value
        else:
            setattr(self.container, self.key, value)


@dataclass(frozen=True)
class Reach:
    """Arrays, lists and numbers that a function reaches.

    Parameters
    ----------
    slots : the places of numbers. numbers : the values in them by place. containers : what was looked into.
    """

    arrays: tuple[np.ndarray, ...]
    lists: tuple[list[Any], ...]
    slots: tuple[Slot, ...]
    numbers: Mapping[tuple[int, Any], float]
    containers: frozenset[int]

    def changed_since(self, before: Reach) -> list[Slot]:
        """Return the places whose number has changed, or come into a container that was there."""
        return [
            slot
            for slot in self.slots
            if id(slot.container) in before.containers and before.numbers.get(slot.place) != self.numbers[slot.place]
        ]


def reach_of(function: Callable[..., Any]) -> Reach:
    """Find what a function reaches; libraries' objects and this package's are left out."""
    arrays, slots, lists = list[np.ndarray](), list[Slot](), list[list[Any]]()
    seen: dict[int, Any] = {}
    waiting: list[Any] = [function]
    while waiting and len(seen) < MOST:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, np.ndarray):
            arrays.append(one)
            continue
        if isinstance(one, list):
            lists.append(one)
        for slot in _slots(one):
            value = slot.get()
            if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
                slots.append(slot)
            elif _followed(value):
                waiting.append(value)
        waiting += [value for value in _values(one) if _followed(value)]
    numbers = {slot.place: float(slot.get()) for slot in slots}
    return Reach(tuple(arrays), tuple(lists), tuple(slots), numbers, frozenset(seen) | {id(s.container) for s in slots})


def _slots(one: Any) -> Iterator[Slot]:
    """Yield the places in an object that can be changed."""
    if isinstance(one, CellType):
        if _filled(one):
            yield Slot(one, "cell_contents")
    elif isinstance(one, MutableMapping):
        yield from (Slot(one, key) for key in list(one)[:MOST])
    elif isinstance(one, MutableSequence):
        yield from (Slot(one, index) for index in range(min(len(one), MOST)))
    elif isinstance(one, FunctionType):
        names = _globals(one.__code__)
        yield from (Slot(one.__globals__, name) for name in names if name in one.__globals__)
        yield from (Slot(one, name) for name in vars(one))
    elif not isinstance(one, (MethodType, partial)) and hasattr(one, "__dict__"):
        yield from (Slot(one, name) for name in list(vars(one)) if not name.startswith("__"))


def _values(one: Any) -> Iterator[Any]:
    """Yield what an object holds in places that cannot be changed."""
    if isinstance(one, FunctionType):
        yield from one.__closure__ or ()
        yield from one.__defaults__ or ()
        yield from (one.__kwdefaults__ or {}).values()
    elif isinstance(one, MethodType):
        yield from (one.__self__, one.__func__)
    elif isinstance(one, partial):
        yield from (one.func, *one.args, *one.keywords.values())
    elif isinstance(one, (tuple, set, frozenset)):
        yield from list(one)[:MOST]
    elif hasattr(one, "__dict__") and not isinstance(one, type):
        yield type(one)


def _globals(code: CodeType) -> set[str]:
    """Return the names that a function's code and the functions inside it use."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return {*code.co_names}.union(*map(_globals, inner))


def _filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _followed(value: Any) -> bool:
    """Tell if what an object holds may be the user's."""
    if value is None or isinstance(value, (str, bytes, bool, int, float, complex, ModuleType, CodeType)):
        return False
    if isinstance(value, (np.ndarray, list, tuple, dict, set, frozenset, CellType)):
        return True
    module = getattr(value, "__module__", None) if isinstance(value, (type, FunctionType)) else type(value).__module__
    top = str(module).partition(".")[0]
    return isinstance(value, (MethodType, partial)) or (top not in _OWN and top not in sys.stdlib_module_names)
