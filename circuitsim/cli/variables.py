"""Environment variables with which other libraries cannot be imported, found before anything is done."""

from __future__ import annotations

import os
from importlib import import_module

from circuitsim.errors import ConfigError


def check_variables() -> None:
    """Raise ConfigError for a number of threads that is none, or a backend that Matplotlib does not know."""
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not (threads.isascii() and threads.isdecimal() and int(threads[:20]) > 0):
        raise _refused("NUMBA_NUM_THREADS", threads, "a whole number >= 1")
    if backend := os.environ.get("MPLBACKEND", ""):
        try:
            import_module("matplotlib")
        except ValueError:
            raise _refused("MPLBACKEND", backend, "a backend of Matplotlib") from None


def _refused(name: str, got: str, expected: str) -> ConfigError:
    return ConfigError(f"environment variable {name}", got=repr(got), expected=expected, remedy="Correct or unset it.")
