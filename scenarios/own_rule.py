"""Local rules that users write in files of their own, named FILE.py:FUNCTION."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from circuitsim.errors import RuleError
from circuitsim.rules import Rule, local_rule
from circuitsim.runs.config import refuse
from circuitsim.runs.own import executed


def own_rule(reference: str, located: Callable[[str], str] = str) -> Rule:
    """Load a local rule from FILE.py:FUNCTION.

    Parameters
    ----------
    located : returns where the file is found.
    """
    path = Path(located(reference.rpartition(":")[0]))
    if not path.is_file():
        refuse("rule", reference, "the path of a Python file, a colon and a function in it", "Correct the path.")
    return _rule_in(reference, path.read_bytes())


@cache  # by content: replicas with the same rule have the same circuit, and run in bulk
def _rule_in(reference: str, source: bytes) -> Rule:
    file, _, name = reference.rpartition(":")
    path = Path(file)
    try:
        module = executed(path, source, "own_rules")
    except RuleError:
        raise
    except (Exception, SystemExit) as error:  # the user's file: whatever it raises is reported, not passed through
        refuse(
            "rule",
            f"{reference}, whose file raises {type(error).__name__}: {error}",
            "a file that imports",
            "Correct the file.",
        )
    found: Any = getattr(module, name, None)
    if found is None:
        refuse("rule", reference, f"a function defined in {path}", f"Define {name!r} there.")
    return local_rule(found)
