"""Inspection of a rule's bytecode for names that it may not use. It needs no source file."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

from circuitsim.errors import RuleError

_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}
_CLOSURE = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_CLOSURE", "STORE_DEREF", "COPY_FREE_VARS", "LOAD_FROM_DICT_OR_DEREF"}
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}
_CHANGING = {"STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL", "STORE_SUBSCR", "DELETE_SUBSCR"}
_OTHER = {
    "IMPORT_NAME": "an import",
    "RETURN_GENERATOR": "async or yield",
    "MAKE_FUNCTION": "a function inside it",
    "LOAD_BUILD_CLASS": "a class inside it",
}
# during tracing Python would evaluate these on the symbol and not on the number that it stands for
_DECIDING = {"IS_OP": "the comparison 'is'", "CONTAINS_OP": "the comparison 'in'"}
_BRANCH = "a branch (if, while, and, or, not, assert, a < b < c)"

_SYNAPSE = "A synapse sees its two neurons and itself: pass constants as parameters (name=value)."
_CHOOSE = "Use where(condition, a, b) with <, <=, > or >=, or minimum or maximum."


def check_code(function: Callable[..., Any], vocabulary: Iterable[str]) -> None:
    """Raise RuleError if the code names anything but its arguments, its locals and the vocabulary."""
    code: CodeType = function.__code__
    allowed = sorted(vocabulary)
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    may = f"its arguments ({', '.join(arguments)}), .at(cycle), and {', '.join(allowed)}"
    for line, what, remedy in _trespasses(code, set(allowed)):
        raise RuleError(
            f"rule {function.__name__}, line {line}",
            got=what,
            expected=f"nothing but {may}",
            remedy=remedy,
        )


def _trespasses(code: CodeType, allowed: set[str]) -> Iterator[tuple[int, str, str]]:
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        if step.positions and step.positions.lineno:
            line = step.positions.lineno
        name = step.opname
        if name in _GLOBAL and step.argval not in allowed:
            yield line, f"the name {step.argval!r}", _SYNAPSE
        elif name in _CLOSURE and code.co_freevars:
            yield line, f"a variable of an enclosing function, {', '.join(code.co_freevars)!r}", _SYNAPSE
        elif name in _ATTRIBUTE and _attribute(step.argval) != "at":
            yield line, f"the attribute {_attribute(step.argval)!r}", _SYNAPSE
        elif name in _CHANGING:
            yield line, f"an assignment to something outside it, {step.argval or 'an item'!r}", _SYNAPSE
        elif name in _OTHER:
            yield line, _OTHER[name], _SYNAPSE
        elif name.startswith(("JUMP_BACKWARD", "POP_JUMP_BACKWARD", "FOR_ITER")):
            yield line, "a loop", "Write its terms out."
        elif name in _DECIDING or (name == "COMPARE_OP" and step.argval in ("==", "!=")):
            yield line, _DECIDING.get(name, f"the comparison {step.argval!r}"), _CHOOSE
        elif name == "UNARY_NOT" or "JUMP_IF" in name or "_IF_" in name:
            yield line, _BRANCH, _CHOOSE


def _attribute(value: Any) -> str:
    return str(value[-1] if isinstance(value, tuple) else value)
