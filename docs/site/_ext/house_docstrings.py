"""Prepare the house's docstrings for numpydoc.

Parameters are written on one line, `name : meaning. other : meaning`, where numpydoc expects a type after the colon
and the meaning below. Returns are prose. This gives numpydoc the form that it renders well; no docstring is written
anew for it.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

LISTS = ("Parameters", "Other Parameters", "Attributes", "Raises")
ITEM = re.compile(r"^((?:\*{0,2}[A-Za-z_]\w*)(?:, \*{0,2}[A-Za-z_]\w*)*) : (.*)$")
NEXT = re.compile(r"(?<=[.:]) (?=[A-Za-z_]\w*(?:, [A-Za-z_]\w*)* : )")
RENAMED = {"Source": "References", "Example": "Examples"}


def prepared(lines: list[str]) -> list[str]:
    """Return the lines of a docstring in the form that numpydoc expects.

    >>> prepared(["Parameters", "----------", "a, b : sizes. c : a rate,", "    above 0."])
    ['Parameters', '----------', 'a, b', '    sizes.', 'c', '    a rate,', '    above 0.']
    """
    found: list[str] = []
    for title, body in _sections(lines):
        title = RENAMED.get(title, title)
        if title in LISTS:
            body, prose = _remarks(body)
            found += prose
        if title:
            found += [title, "-" * len(title)]
        if title in LISTS:
            found += _items(body)
        elif title == "Returns":
            found += [" ".join(line.strip() for line in body if line.strip()), ""]
        else:
            found += body
    return found


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Divide lines at underlined titles; the first part has no title."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    skip = False
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if skip:
            skip = False
        elif line.strip() and re.fullmatch(r"-{3,}", below.strip()) and not line.startswith(" "):
            parts.append((line.strip(), []))
            skip = True
        else:
            parts[-1][1].append(line)
    return parts


def _remarks(body: list[str]) -> tuple[list[str], list[str]]:
    """Divide a list from the paragraphs below it, which are no items: they belong to the description."""
    for number, line in enumerate(body):
        if line and not line.startswith(" ") and not body[number - 1].strip() and number and not ITEM.match(line):
            return body[:number], [*body[number:], ""]
    return body, []


def _items(body: list[str]) -> list[str]:
    """Put each name on a line of its own, and its meaning below."""
    found: list[str] = []
    for line in body:
        parts = NEXT.split(line)
        for part in parts:
            item = ITEM.match(part.strip())
            if item and (not line.startswith(" ") or part is not parts[0]):
                found += [item[1], f"    {item[2]}"]
            else:
                found.append(line if part is line else f"    {part.strip()}")
    return found


def inherited(thing: Any, lines: list[str]) -> list[str]:
    """Put the parameters of a base class in the place of "The fields of `Base`."."""
    for number, line in enumerate(lines):
        named = re.fullmatch(r"The fields of `(\w+)`\.", line.strip())
        base = next((one for one in getattr(thing, "__mro__", ()) if named and one.__name__ == named[1]), None)
        if base is not None:
            parts = dict(_sections(inspect.cleandoc(base.__doc__ or "").splitlines()))
            return [*lines[:number], *parts["Parameters"], "", *lines[number + 1 :]]
    return lines


def process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Change a docstring in place before numpydoc reads it."""
    lines[:] = prepared(inherited(thing, lines))


def plain_aliases(app: Any, what: str, name: str, thing: Any, options: Any, signature: str, back: str) -> Any:
    """Write names of types as themselves: Sphinx shows the object that stands for an alias within a union."""

    def plain(text: str | None) -> str | None:
        return re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text) if text else text

    return plain(signature), plain(back)


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx, before numpydoc."""
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("autodoc-process-signature", plain_aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
