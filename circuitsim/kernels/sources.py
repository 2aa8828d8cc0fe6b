"""Source that is written for Numba, kept in files so that Numba can cache what it compiles."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from platformdirs import user_cache_path

from circuitsim.environment import home_is_known


@cache
def loaded(source: str) -> tuple[Any, bool]:
    """The names that a source defines, as a module; and whether it is in a file, so that Numba can cache."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:20]
    path = written(source, f"kernel_{digest}.py")
    if path is None:  # nowhere to keep it: compile in memory
        made = ModuleType("circuitsim_generated")
        exec(source, vars(made))
        return made, False
    module = ModuleType(f"circuitsim_generated_{digest}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # Numba finds the module of a cached kernel by name
    exec(compile(source, path, "exec"), vars(module))
    return module, True


def written(source: str, name: str) -> Path | None:
    """Return the path of a kept source, written if need be; None if nothing can be written."""
    if not home_is_known():
        return None
    try:
        folder = user_cache_path("circuitsim") / "kernels"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if not path.exists() or path.read_bytes() != source.encode():
            _write(path, source.encode())
        return path
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: another process may be reading it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        temporary = Path(file.name)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
