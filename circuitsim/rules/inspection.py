"""Inspection of a rule's bytecode for all that a scalar function of one synapse has no use for. It needs no source."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any, NamedTuple

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
    "RAISE_VARARGS": "a raise",
}
# during tracing Python would evaluate these on the symbol and not on the number that it stands for
_DECIDING = {"IS_OP": "the comparison 'is'", "CONTAINS_OP": "the comparison 'in'"}
_BRANCH = "a branch (if, while, and, or, not, assert, a < b < c)"
_SUBSCRIPT = "a subscript: a number object is not subscriptable"
_BUILDING = {
    "BINARY_SLICE": _SUBSCRIPT,
    "BINARY_SUBSCR": _SUBSCRIPT,
    "BUILD_LIST": "a list",
    "BUILD_MAP": "a dictionary",
    "BUILD_CONST_KEY_MAP": "a dictionary",
    "BUILD_SET": "a set",
    "BUILD_SLICE": "a slice",
    "BUILD_STRING": "a string",
    "CALL_FUNCTION_EX": "a call with stars",
    "FORMAT_SIMPLE": "a string",
    "FORMAT_VALUE": "a string",
    "FORMAT_WITH_SPEC": "a string",
}
# arithmetic on locals, calls, and what Python puts between them; all else is refused
_PLAIN = {
    "BINARY_OP", "BUILD_TUPLE", "CACHE", "CALL", "CALL_INTRINSIC_1", "CALL_KW", "COMPARE_OP", "COPY", "DELETE_FAST",
    "EXTENDED_ARG", "JUMP_FORWARD", "KW_NAMES", "LOAD_ATTR", "LOAD_CONST", "LOAD_FAST", "LOAD_FAST_AND_CLEAR",
    "LOAD_FAST_BORROW", "LOAD_FAST_BORROW_LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_FAST_LOAD_FAST", "LOAD_GLOBAL",
    "LOAD_METHOD", "LOAD_NAME", "LOAD_SMALL_INT", "NOP", "NOT_TAKEN", "POP_TOP", "PRECALL", "PUSH_NULL", "RESUME",
    "RETURN_CONST", "RETURN_VALUE", "STORE_FAST", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST", "SWAP",
    "UNARY_INVERT", "UNARY_NEGATIVE", "UNARY_POSITIVE", "UNPACK_SEQUENCE",
}  # fmt: skip


class Kind(NamedTuple):
    """A kind of scalar function: its word in messages, the attributes that it may read, and the remedy for others."""

    word: str
    attributes: tuple[str, ...]
    reach: str

    @property
    def numbers(self) -> str:
        """The remedy for what is no number."""
        return f"{'An' if self.word[0] in 'aeiou' else 'A'} {self.word} computes with numbers alone."


_SYNAPSE = "A synapse sees its two neurons and itself: pass constants as parameters (name=value)."
_NEURON = "A neuron sees its own summed input: pass constants as parameters (name=value)."
RULE, ACTIVATION = Kind("rule", ("at",), _SYNAPSE), Kind("activation", (), _NEURON)
_CHOOSE = "Use where(condition, a, b) with <, <=, > or >=, or minimum or maximum."


def check_code(function: Callable[..., Any], vocabulary: Iterable[str], kind: Kind = RULE) -> None:
    """Raise RuleError if the code has anything but arithmetic on its arguments, its locals and the vocabulary."""
    code: CodeType = function.__code__
    allowed = sorted(vocabulary)
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    at = ", .at(cycle)" if kind.attributes else ""
    may = f"its arguments ({', '.join(arguments)}){at}, and {', '.join(allowed)}"
    for line, what, remedy in _trespasses(code, set(allowed), kind):
        raise RuleError(
            f"{kind.word} {function.__name__}, line {line}",
            got=what,
            expected=f"nothing but {may}",
            remedy=remedy,
        )


def _trespasses(code: CodeType, allowed: set[str], kind: Kind) -> Iterator[tuple[int, str, str]]:
    """Yield the line, what is wrong there and the remedy: first all that reaches beyond the synapse or decides."""
    steps = list(_with_lines(code))
    for line, step, _ in steps:
        for what, remedy in _beyond(step, code, allowed, kind):
            yield line, what, remedy
    if code.co_exceptiontable:
        yield code.co_firstlineno, "try or with", f"{kind.numbers.split()[0]} {kind.word} computes; it catches nothing."
    for line, step, following in steps:
        for what, remedy in _no_number(step, following, kind.numbers):
            yield line, what, remedy


def _with_lines(code: CodeType) -> Iterator[tuple[int, dis.Instruction, dis.Instruction | None]]:
    """Yield each instruction with its line and the one that follows it."""
    steps, line = list(dis.get_instructions(code)), code.co_firstlineno
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.positions and step.positions.lineno:
            line = step.positions.lineno
        yield line, step, following


def _beyond(step: dis.Instruction, code: CodeType, allowed: set[str], kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield what in an instruction reaches beyond the arguments, repeats or decides, with the remedy."""
    name = step.opname
    if name in _GLOBAL and step.argval not in allowed:
        yield f"the name {step.argval!r}", kind.reach
    elif name in _CLOSURE and code.co_freevars:
        yield f"a variable of an enclosing function, {', '.join(code.co_freevars)!r}", kind.reach
    elif name in _ATTRIBUTE and _attribute(step.argval) not in kind.attributes:
        yield f"the attribute {_attribute(step.argval)!r}", kind.reach
    elif name in _CHANGING:
        yield f"an assignment to something outside it, {step.argval or 'an item'!r}", kind.reach
    elif name in _OTHER:
        yield _OTHER[name], kind.reach
    elif name.startswith(("JUMP_BACKWARD", "POP_JUMP_BACKWARD", "FOR_ITER")):
        yield "a loop", "Write its terms out."
    elif name in _DECIDING or (name == "COMPARE_OP" and str(step.argval).removeprefix("bool(") in ("==", "!=")):
        yield _DECIDING.get(name, f"the comparison {step.argval!r}"), _CHOOSE
    elif name in ("UNARY_NOT", "TO_BOOL") or "JUMP_IF" in name or "_IF_" in name:
        yield _BRANCH, _CHOOSE


def _no_number(step: dis.Instruction, following: dis.Instruction | None, remedy: str) -> Iterator[tuple[str, str]]:
    """Yield what in an instruction is no arithmetic on numbers, with the remedy."""
    name = step.opname
    if name in _BUILDING or step.argrepr == "[]":
        yield _BUILDING.get(name, _SUBSCRIPT), remedy
    elif name in ("LOAD_CONST", "RETURN_CONST") and not _constant(step.argval, following):
        yield f"the constant {_shown(step.argval)}", remedy
    elif name not in _PLAIN:
        yield f"the operation {name.lower().replace('_', ' ')}", remedy


def _constant(value: object, following: dis.Instruction | None) -> bool:
    """Tell if a constant is a number, or several for as many variables, or the names of a call's arguments."""
    then = following.opname if following else ""
    if type(value) is tuple and then == "UNPACK_SEQUENCE":
        return all(type(part) in (int, float) for part in value)
    if type(value) is tuple and then == "CALL_KW":
        return all(type(part) is str for part in value)
    return value is None or type(value) in (int, float)


def _shown(value: object) -> str:
    """Return a constant as text without asking it: it may be any object."""
    plain = type(value) in (str, bytes, complex, bool, tuple)
    return repr(value)[:60] if plain else f"of type {type(value).__name__}"


def _attribute(value: Any) -> str:
    return str(value[-1] if isinstance(value, tuple) else value)
