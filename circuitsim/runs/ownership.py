"""Owners of run folders: at most one run works in a folder, and holds its lock for as long as it does.

The lock is the operating system's, on a file in the folder: it ends with the process, however that ends. Where a file
system has no such locks, a file with the number of the process takes its place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from circuitsim.errors import RunFolderError

LOCK = ".lock"


class StillRunning(RunFolderError):
    """A run in the folder is still going on."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that exists; RunFolderError where a run holds it that is still going on."""
    path = folder / LOCK
    if path.is_symlink():
        raise _refused(folder, f"a link in place of {LOCK}", "Remove it.")
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        remedy = "Wait until it has ended, or stop it."
        raise _refused(folder, "a run that is still going on", remedy, StillRunning) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who opened it before finds that it has gone, and tries again
        lock.release()


def check_unowned(folder: Path) -> None:
    """Raise RunFolderError where a run in a folder, or in a folder below it, is still going on."""
    for path in sorted(folder.rglob(LOCK)):
        with owned(path.parent):
            pass


def make_new(wanted: Path) -> Path:
    """Make a folder that nobody else has made, of this name or with a number after it."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for ending in itertools.chain([""], (f"-{number}" for number in itertools.count(2))):
        folder = wanted.with_name(wanted.name + ending)
        with suppress(FileExistsError):
            folder.mkdir()  # by one process alone, however many try at once
            break
    return folder


def _refused(folder: Path, got: str, remedy: str, kind: type[RunFolderError] = RunFolderError) -> RunFolderError:
    return kind(f"run folder {folder}", got=got, expected="a folder in which no run is going on", remedy=remedy)
