"""Run a function in a copy of this process, so that whatever it does to memory and files ends with it.

A user's code keeps values where nobody can see them: in closures, globals, generators of random numbers. A forked
process has them all as they are now, and can do the same again from the same state as often as an audit wants.
"""

from __future__ import annotations

import os
import pickle
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
POSSIBLE = hasattr(os, "fork")
_WRITING = os.O_WRONLY | os.O_RDWR


class ForkFailed(Exception):
    """The copy of the process did not come to an end, or could not say what it found."""


def forked(function: Callable[[], T], seconds: float) -> T:
    """Return what a function returns in a forked process.

    Parameters
    ----------
    seconds : after which it is given up.

    Raises
    ------
    ForkFailed : it took longer, ended without a result, or raised an exception, which the message names.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that wait do no harm: the copy does not use them
        child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(function, writing)
    os.close(writing)
    try:
        ended, result = pickle.loads(_received(reading, seconds))
    except (EOFError, pickle.UnpicklingError):
        raise ForkFailed("it ended without a result") from None
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not ended:
        raise ForkFailed(result)
    return result  # type: ignore[no-any-return]


def _received(reading: int, seconds: float) -> bytes:
    """Return all that is written into a pipe until it is closed."""
    end, parts = time.monotonic() + seconds, list[bytes]()
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            raise ForkFailed(f"it took more than {seconds:.0f} s")
        part = os.read(reading, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _answer(function: Callable[[], Any], writing: int) -> None:
    """Run the function in the copy of the process, write its result into the pipe, and end."""
    status = 1
    try:
        files = _Files(writing)
        try:
            result: tuple[bool, Any] = (True, function())
        except BaseException as error:
            result = (False, f"{type(error).__name__}: {error}")
        files.restore()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(result, pipe)
        status = 0
    finally:
        os._exit(status)  # without what the process does at its end: that is left to the original


class _Files:
    """Files that the copy of the process writes: they are put back as they were when it ends."""

    def __init__(self, *kept: int) -> None:
        self._before: dict[str, str] = {}
        self._folder: Path | None = None  # of the copies
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (1, 2, *_written_to(kept)):
            os.dup2(nowhere, number)
        self._watching = True
        sys.addaudithook(self._opened)

    def restore(self) -> None:
        """Put all files back."""
        self._watching = False
        for path, copy in self._before.items():
            with suppress(OSError):
                if copy:
                    shutil.copy2(copy, path)
                else:
                    Path(path).unlink()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep a copy of a file before it is opened for writing."""
        if not self._watching or event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path, _, flags = arguments
        name = str(Path(os.fsdecode(path)).absolute())
        if not (flags or 0) & _WRITING or name in self._before:
            return
        self._before[name] = ""
        if Path(name).is_file():
            self._before[name] = self._copied(name)

    def _copied(self, name: str) -> str:
        self._watching = False
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="circuitsim-"))
        copy = str(self._folder / str(len(self._before)))
        shutil.copy2(name, copy)
        self._watching = True
        return copy


def _written_to(kept: tuple[int, ...]) -> list[int]:
    """Return the numbers of the files that are open for writing alone."""
    import fcntl
    import stat

    found = []
    for number in range(3, 256):
        with suppress(OSError):
            file = stat.S_ISREG(os.fstat(number).st_mode)
            if file and number not in kept and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
                found.append(number)
    return found
