"""Source that is written for Numba, kept in files so that Numba can cache what it compiles."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from platformdirs import user_cache_path


@cache
def loaded(source: str) -> tuple[Any, bool]:
    """The names that a source defines, as a module; and whether it is in a file, so that Numba can cache."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:20]
    path = written(source, f"kernel_{digest}.py")
    if path is None:  # nowhere to keep it: compile in memory
        made = ModuleType("circuitsim_generated")
        exec(source, vars(made))
        return made, False
    spec = importlib.util.spec_from_file_location(f"circuitsim_generated_{digest}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Numba finds the module of a cached kernel by name
    spec.loader.exec_module(module)
    return module, True


def written(source: str, name: str) -> Path | None:
    """Return the path of a kept source, written if need be; None if nothing can be written."""
    try:
        folder = user_cache_path("circuitsim") / "kernels"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if not path.exists() or path.read_text() != source:
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
                file.write(source)
            Path(file.name).replace(path)  # whole or not at all: another process may be reading
        return path
    except OSError:
        return None
