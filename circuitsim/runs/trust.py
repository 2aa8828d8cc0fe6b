"""A run folder from elsewhere is data: links in it are not followed, and code that it names needs consent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from circuitsim.errors import RunFolderError
from circuitsim.runs.config import Settings


def check_links(folder: Path, names: Iterable[str]) -> None:
    """Raise RunFolderError for a link among some files and folders of a run folder: a run writes and removes there."""
    for path in (folder / name for name in names):
        below = [Path(parent) / one for parent, folders, files in os.walk(path) for one in sorted([*folders, *files])]
        for link in (one for one in (path, *below) if one.is_symlink()):
            raise RunFolderError(
                f"run folder {folder}",
                got=f"{link.relative_to(folder)}, a link to {link.readlink()}",
                expected="files and folders of its own",
                remedy="Put what it points to in its place.",
            )


def digests(settings: Iterable[Settings]) -> dict[str, str]:
    """Return the files of code that settings name, each with the SHA-256 of its content."""
    found = {}
    for one in settings:
        for name in one.code_files():
            path = Path(one.located(name))
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    return found


def check_code(folder: Path, settings: Iterable[Settings], given: Mapping[str, Any]) -> None:
    """Raise RunFolderError where a run would execute code from a file.

    Parameters
    ----------
    given : what the run was given, as config.json has it: with the hashes of the files then.
    """
    for name, now in digests(settings).items():
        before = given.get("code", {}).get(name, "unknown")
        raise RunFolderError(
            f"run folder {folder}",
            got=f"code in {name}, to be executed (SHA-256 when the run started: {before}; now: {now})",
            expected="code only from files that you trust",
            remedy=f"Read the file; then, if you trust it: circuitsim resume --trust {folder}",
        )
