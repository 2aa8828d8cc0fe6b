"""Code of the user's own: files that are executed, and scenarios in them, named FILE.py:NAME."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from circuitsim.errors import CircuitsimError, ConfigError
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.lookup import load_scenario

IN_FILE = ".py:"


def find_scenario(reference: str, base: str = "") -> AnyScenario:
    """Return an installed scenario by its name, or one of the user's own by FILE.py:NAME, whose file is executed.

    Parameters
    ----------
    base : the folder in which a relative path begins; empty: the working folder.

    Raises
    ------
    ConfigError : there is no such scenario, or its file cannot be executed.
    """
    if IN_FILE not in reference:
        return load_scenario(reference)
    path = file_of(reference, base)
    if not path.is_file():
        expected = "the path of a Python file, a colon and the name of a scenario in it"
        raise _refused(reference, "no such file", expected, "Correct the path.")
    try:
        module = executed(path, path.read_bytes(), "own_scenarios")
    except CircuitsimError:
        raise
    except (Exception, SystemExit) as error:  # the user's file: whatever it raises is reported, not passed through
        got = f"a file that raises {type(error).__name__}: {error}"
        raise _refused(reference, got, "a file that can be executed", "Correct the file.") from error
    name = reference.rpartition(":")[2]
    found: Any = getattr(module, name, None)
    if not isinstance(found, AnyScenario):
        got = f"no {name} in the file" if found is None else f"{name}, a {type(found).__name__}"
        raise _refused(
            reference, got, "a Scenario, Computation or Campaign", f"Define it there: {name} = Scenario(...)"
        )
    return replace(found, reference=reference)


def file_of(reference: str, base: str = "") -> Path:
    """Return the file that FILE.py:NAME names."""
    return Path(base) / reference.rpartition(":")[0]


def executed(path: Path, source: bytes, kind: str) -> ModuleType:
    """Execute a file of the user's as a module of its own; whatever it raises passes through."""
    module = ModuleType(f"{kind}_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where classes of the file look up their names
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def _refused(reference: str, got: str, expected: str, remedy: str) -> ConfigError:
    return ConfigError(f"scenario {reference}", got=got, expected=expected, remedy=remedy)
