"""Local rules and activations that users write in files of their own, named FILE.py:FUNCTION."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from circuitsim.errors import RuleError
from circuitsim.rules import Activation, Rule, local_activation, local_rule
from circuitsim.runs.config import refuse
from circuitsim.runs.own import executed


def own_rule(reference: str, located: Callable[[str], str] = str) -> Rule:
    """Load a local rule from FILE.py:FUNCTION.

    Parameters
    ----------
    located : returns where the file is found.
    """
    return local_rule(_function("rule", reference, located))


def own_activation(key: str, reference: str, located: Callable[[str], str] = str) -> Activation:
    """Load an activation from FILE.py:FUNCTION.

    Parameters
    ----------
    key : that names it, for messages. located : returns where the file is found.
    """
    return local_activation(_function(key, reference, located))


def _function(key: str, reference: str, located: Callable[[str], str]) -> Any:
    path = Path(located(reference.rpartition(":")[0]))
    if not path.is_file():
        refuse(key, reference, "the path of a Python file, a colon and a function in it", "Correct the path.")
    return _executed(key, reference, path.read_bytes())


@cache  # by content: replicas with the same function have the same circuit, and run in bulk
def _executed(key: str, reference: str, source: bytes) -> Any:
    file, _, name = reference.rpartition(":")
    path = Path(file)
    try:
        module = executed(path, source, "own_functions")
    except RuleError:
        raise
    except (Exception, SystemExit) as error:  # the user's file: whatever it raises is reported, not passed through
        got = f"{reference}, whose file raises {type(error).__name__}: {error}"
        refuse(key, got, "a file that imports", "Correct the file.")
    found: Any = getattr(module, name, None)
    if found is None:
        refuse(key, reference, f"a function defined in {path}", f"Define {name!r} there.")
    return found
