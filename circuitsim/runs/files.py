"""Writing files whole or not at all, so that a kill at any moment leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from circuitsim.errors import ConfigError


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole: `write` fills a temporary one, made durable and put in the place of `path` in one step.

    Where anything fails the temporary file is removed and `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the umask takes
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # the system names no file where a write fails
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, whole or not at all."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_whole(path, write)


def refuse_taken(path: Path, overwrite: bool) -> None:
    """Raise ConfigError where a file cannot be written for the user: something else is there, or no folder is."""
    if not path.parent.is_dir():
        got, expected, remedy = "a folder that is not there", "a file in an existing folder", "Make the folder."
    elif path.exists() and not path.is_file():
        got, expected, remedy = "something that is no file", "a file, or nothing", "Choose another --out."
    elif path.exists() and not overwrite:
        got, expected, remedy = "an existing file", "a new name", "Add --overwrite, or choose another --out."
    else:
        return
    raise ConfigError(f"--out {path}", got=got, expected=expected, remedy=remedy)


def remove_partial(folder: Path) -> None:
    """Remove what a killed process left of files that it had not finished."""
    for path in folder.glob(".*.partial"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too; some file systems cannot, and need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
