"""The user's place on this machine, as the environment variables give it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def home_is_known() -> bool:
    """Return whether there is a folder for the user's caches: without HOME and a password entry there is none."""
    return Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache")).is_absolute()


def expanded(path: str) -> Path:
    """Return a path with `~` and `~name` replaced by the folders of users that are known, and kept otherwise."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def free_memory() -> int:
    """Return the bytes of physical memory that are free, at least."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def readable(name: str) -> str:
    r"""Return a name in characters that every encoding of texts has: bytes of a path that are not UTF-8 as escapes.

    >>> readable("r\udce9sultats")
    'r\\xe9sultats'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
