"""Checkpoints: one file each, written whole, with a checksum of all that it holds; the newest two are kept.

A file is a magic word, the SHA-256 of the rest, and the rest: a safetensors block. One that was cut or altered at any
byte is refused, and the one before it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from circuitsim.errors import RunFolderError
from circuitsim.runs.files import remove_partial, write_bytes

MAGIC = b"circuitsim checkpoint 1\n"
KEPT = 2
_SUFFIX = ".checkpoint"


def write(folder: Path, number: int, arrays: dict[str, np.ndarray]) -> Path:
    """Write a checkpoint and remove all but it and the one before; those with higher numbers were refused.

    Parameters
    ----------
    folder : the run's checkpoint folder, made if it does not exist.
    number : how many presentations have been made; it orders the checkpoints.
    arrays : what to keep, by name.
    """
    folder.mkdir(exist_ok=True)
    block = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    path = folder / f"{number:012d}{_SUFFIX}"
    write_bytes(path, MAGIC + hashlib.sha256(block).digest() + block)
    kept = [other for other in _newest_first(folder) if other <= path][:KEPT]
    for other in _newest_first(folder):
        if other not in kept:
            other.unlink(missing_ok=True)
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    """Read one checkpoint; RunFolderError where it is not exactly what was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(path, str(error)) from None
    head = len(MAGIC) + hashlib.sha256().digest_size
    if len(content) < head or not content.startswith(MAGIC):
        raise _refused(path, f"{len(content)} bytes that do not begin as a checkpoint does")
    if hashlib.sha256(content[head:]).digest() != content[len(MAGIC) : head]:
        raise _refused(path, "a content that does not match its checksum")
    try:
        return safetensors.numpy.load(content[head:])
    except SafetensorError as error:
        raise _refused(path, str(error)) from None


def newest(folder: Path) -> Iterator[tuple[Path, dict[str, np.ndarray] | RunFolderError]]:
    """Go through the checkpoints from the newest on: each with its content, or with why it is refused."""
    if not folder.is_dir():
        return
    remove_partial(folder)
    for path in _newest_first(folder):
        try:
            yield path, read(path)
        except RunFolderError as error:
            yield path, error


def newest_whole(folder: Path) -> dict[str, np.ndarray] | None:
    """Return the content of the newest checkpoint that is whole; None if there is none. Changes nothing."""
    for path in _newest_first(folder):
        with suppress(RunFolderError):
            return read(path)
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"), reverse=True)


def _refused(path: Path, got: str) -> RunFolderError:
    return RunFolderError(
        f"checkpoint {path}",
        got=got,
        expected="a whole, unaltered checkpoint",
        remedy="Remove it: `circuitsim resume` uses the one before it.",
    )
