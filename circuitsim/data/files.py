"""Reading a pinned file: whole, unpacked, and refused when a single byte of its content differs.

Of a file packed by gzip it is the unpacked content that is pinned, so that any compression of it is accepted. Bits that
carry no content (the header's time, system, effort, name and hint of text; padding) are therefore not compared.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from circuitsim.data.registry import PinnedFile
from circuitsim.errors import DataError

# zlib: 15 bits of window, plus 16 for a gzip header and trailer, whose checksum zlib then verifies.
_GZIP = 15 + 16


def damaged(name: str, path: Path, got: str, expected: str) -> DataError:
    """The error for a file of data set `name` that is not as published."""
    remedy = f"Put an intact copy there, or remove the data set's folder and run `circuitsim data fetch {name}`."
    return DataError(f"data set '{name}', file {path}", got=got, expected=expected, remedy=remedy)


def read_file(path: Path, what: str) -> bytes:
    """The bytes of `path`; raise DataError, naming `what`, where it is no readable file."""
    remedy = "Put a readable file there."
    try:
        if path.is_file():
            return path.read_bytes()
        got = "a folder" if path.is_dir() else "something else" if path.exists() else "no such file"
    except PermissionError:
        got, remedy = "a file that may not be read (permission denied)", "Change its permissions or its folder's."
    except (OSError, ValueError) as error:  # ValueError: a null byte in a path
        got = f"a file that cannot be read ({error})"
    raise DataError(what, got=got, expected="a readable file", remedy=remedy)


def present(folder: Path, pinned: PinnedFile) -> Path | None:
    """Return the path of `pinned` in `folder`, packed or not, or None."""
    return next((folder / name for name in pinned.candidates if _exists(folder / name)), None)


def content(folder: Path, pinned: PinnedFile, name: str) -> tuple[Path, bytes, str | None]:
    """Path, unpacked content and digest of the packed file (None if it lies there unpacked); nothing is checked yet.

    The size and the digest are the caller's to check, after its own look at the structure: a header that promises more
    than there is tells a user more than two digests that differ.
    """
    path = present(folder, pinned) or folder / pinned.public_name
    raw = read_file(path, f"data set '{name}', file {path}")
    if pinned.packed is None or path.suffix != ".gz":
        return path, raw, None
    return path, _unpacked(raw, path, pinned, name), digest_of(raw, pinned.packed)


def check_size(data: bytes, path: Path, pinned: PinnedFile, name: str) -> None:
    """Raise DataError unless `data` is as long as pinned."""
    if pinned.size is not None and len(data) != pinned.size:
        raise damaged(name, path, f"{len(data)} bytes", f"{pinned.size} bytes")


def check_digest(data: bytes, path: Path, pinned: PinnedFile, name: str, packed: str | None = None) -> None:
    """Raise DataError unless `data` has the pinned digest, or came out of the very file that is published packed."""
    got = digest_of(data, pinned.digest)
    if got != pinned.digest and (packed is None or packed != pinned.packed):
        raise damaged(name, path, f"content with the checksum {got}", f"the published {pinned.digest}")


def digest_of(data: bytes, like: str) -> str:
    """Digest of `data`, in the algorithm of the digest `like`.

    >>> digest_of(b"", "md5:")
    'md5:d41d8cd98f00b204e9800998ecf8427e'
    """
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"


def _unpacked(raw: bytes, path: Path, pinned: PinnedFile, name: str) -> bytes:
    """Unpack one gzip member, no further than one byte past the pinned size: a bomb must not fill the memory."""
    expected = "a whole gzip file"
    stream = zlib.decompressobj(_GZIP)
    try:
        data = stream.decompress(raw, 0 if pinned.size is None else pinned.size + 1)
    except zlib.error as error:
        raise damaged(name, path, f"a damaged gzip file ({error})", expected) from None
    if pinned.size is not None and len(data) > pinned.size:
        raise damaged(name, path, f"more than {pinned.size} bytes when unpacked", f"{pinned.size} bytes")
    if not stream.eof:
        got = f"a gzip file that ends early (after {len(data)} bytes of content)"
        raise damaged(name, path, got, expected)
    if stream.unused_data:
        raise damaged(name, path, f"{len(stream.unused_data)} bytes after the end of the gzip file", expected)
    return data


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        remedy = "Change the permissions of its folder."
        raise DataError(f"file {path}", got=str(error), expected="a readable file", remedy=remedy) from None
