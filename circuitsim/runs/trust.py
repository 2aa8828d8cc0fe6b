"""A run folder from elsewhere is data: links in it are not followed, and code that it names needs consent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from circuitsim.errors import RunFolderError
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import Settings
from circuitsim.runs.own import IN_FILE, file_of, find_scenario

_FILES = (".checkpoint", ".svg", ".csv")  # in folders of a run folder


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


def check_kinds(folder: Path, files: Iterable[str], folders: Iterable[str]) -> None:
    """Raise RunFolderError for a folder in the place of a file of a run folder, or for a file in that of a folder."""
    wrong = [folder / name for name in files if (folder / name).is_dir()]
    for place in (folder / name for name in folders):
        if place.is_file():
            wrong.append(place)
        elif place.is_dir():
            wrong += [path for path in sorted(place.iterdir()) if path.suffix in _FILES and path.is_dir()]
    for path in wrong:
        raise RunFolderError(
            f"run folder {folder}",
            got=f"a {'folder' if path.is_dir() else 'file'} named {path.relative_to(folder)}",
            expected="what a run writes there",
            remedy="Remove it.",
        )


def digests(scenario: str, settings: Iterable[Settings], base: str) -> dict[str, str]:
    """Return the files of code that a run executes, each with the SHA-256 of its content.

    Parameters
    ----------
    scenario : its name, or FILE.py:NAME. settings : of all replicas. base : the folder in which relative paths begin.
    """
    found = {}
    if IN_FILE in scenario:
        found[scenario.rpartition(":")[0]] = _digest(file_of(scenario, base))
    for one in settings:
        found |= {name: _digest(Path(one.located(name))) for name in one.code_files()}
    return found


def check_code(folder: Path, code: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Raise RunFolderError where a run would execute code from a file.

    Parameters
    ----------
    code : the files with their hashes now, from `digests`.
    given : what the run was given, as config.json has it: with the hashes of the files then.
    """
    for name, now in code.items():
        before = given.get("code", {}).get(name, "unknown")
        raise RunFolderError(
            f"run folder {folder}",
            got=f"code in {name}, to be executed (SHA-256 when the run started: {before}; now: {now})",
            expected="code only from files that you trust",
            remedy=f"Read the file; then, if you trust it: circuitsim resume --trust {folder}",
        )


def scenario_of(folder: Path, config: Mapping[str, Any], trusted: bool) -> AnyScenario:
    """Return the scenario of a run folder; RunFolderError where it is in a file that nobody has trusted."""
    reference, base = str(config["scenario"]), str(config["given"].get("folder", ""))
    if not trusted:
        check_code(folder, digests(reference, (), base), config["given"])
    return find_scenario(reference, base)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
