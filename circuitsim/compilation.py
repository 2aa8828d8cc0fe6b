"""Compile functions with Numba, and keep what was compiled on disk where that works; elsewhere compile in memory.

A cache saves time and decides nothing else. A file of it that cannot be read is forgotten, and what cannot be kept is
compiled again in the next process.
"""

# mypy: disable-error-code="no-untyped-call,misc,unused-ignore"

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from circuitsim.environment import home_is_known
from circuitsim.errors import ConfigError

_told: list[Callable[[], None]] = []
_OF_THE_USER = ("UserWide", "Zip")  # Numba's places below the user's home


class _Places(CompileResultCacheImpl):
    """Numba's places for caches, without those that would become a folder named `~` in the working folder."""

    def __init__(self, function: Any) -> None:
        if not home_is_known():
            own = [one for one in self._locator_classes if not any(name in one.__name__ for name in _OF_THE_USER)]
            self._locator_classes = own
        super().__init__(function)


class _Cache(FunctionCache):
    """Numba's cache of a function, for which a damaged file is one that is missing."""

    _impl_class = _Places

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled before, or None."""
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling a file that was cut or altered raises anything
            self._forget()
        if found is None:
            tell()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if that works."""
        try:
            super().save_overload(sig, data)
        except Exception:  # a full disk, or an index that was altered
            self._forget()

    def _forget(self) -> None:
        with suppress(Exception):
            self.flush()


def tell_of_compilation(tell: Callable[[], None] | None) -> None:
    """Call a function, or none, when a kernel is next compiled that no cache has: what follows takes seconds."""
    _told[:] = [tell] if tell else []


def tell() -> None:
    """Tell the user once that kernels are compiled."""
    while _told:
        _told.pop()()


def compiled(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function with Numba's options and keeps the result on disk."""

    def decorate(function: Any) -> Any:
        made = njit(**options)(function)
        return made if made is function else _kept(made, function)  # NUMBA_DISABLE_JIT: the function as it is

    return decorate


def compiled_callback(signature: Any, function: Any, keep: bool) -> Any:
    """Compile a function that is called by its address.

    Parameters
    ----------
    keep : whether the result may be kept on disk: the function is in a file.
    """
    kinds = normalize_signature(signature)
    made = CFunc(function, kinds, locals={}, options={"error_model": "numpy"})
    if keep:
        _kept(made, function)
    else:
        tell()
    made.compile()
    return made


def _kept(made: Any, function: Any) -> Any:
    """Give a compiled function a cache, if there is a place for one."""
    with suppress(RuntimeError, OSError):  # no folder that can be written
        made._cache = _Cache(function)
    return made


def expect_compiler() -> None:
    """Raise ConfigError where Numba has been told to compile nothing."""
    if vars(config)["DISABLE_JIT"]:
        raise ConfigError(
            "environment variable NUMBA_DISABLE_JIT",
            got=os.environ.get("NUMBA_DISABLE_JIT", "true"),
            expected="none: the kernels exist only compiled",
            remedy="Unset it, or choose --backend numpy for a simulation in plain NumPy.",
        )
