"""Locations of data sets: the folder that CIRCUITSIM_DATA names, then the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from circuitsim.data.files import present
from circuitsim.data.registry import Form, Source
from circuitsim.environment import expanded, home_is_known
from circuitsim.errors import DataError

VARIABLE = "CIRCUITSIM_DATA"


class Location(NamedTuple):
    """A folder that holds a data set completely, and the layout that it is in."""

    folder: Path
    form: Form


def data_folder() -> Path | None:
    """The folder that CIRCUITSIM_DATA names, None where it is unset or empty; raise DataError where it is no folder."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return None
    folder = expanded(value)
    try:
        state = "" if folder.is_dir() else "not a folder" if folder.exists() else "not there"
    except OSError as error:
        state = f"out of reach ({error.strerror})"
    if state:
        got = f"{value!r}, which is {state}"
        remedy = f"Set {VARIABLE} to the folder that holds mnist/, fashion-mnist/ or cifar10/, or unset it."
        raise DataError(f"environment variable {VARIABLE}", got=got, expected="a folder", remedy=remedy)
    return folder


def cache_folder() -> Path | None:
    """Return the user's cache folder, where downloads go; it need not exist. None for a user without a home."""
    import pooch  # type: ignore[import-untyped, unused-ignore]

    return Path(pooch.os_cache("circuitsim")) if home_is_known() else None


def find(source: Source) -> Location | None:
    """Return the location of `source` or None; raise DataError if the user's own folder holds only a part of it."""
    own = data_folder()
    if own is not None:
        folder = own / source.name
        place = _complete(folder, source)
        if place is not None:
            return place
        _refuse_part(folder, source)
    # A part in the cache is a download that was cut short: it is completed, not complained of.
    cache = cache_folder()
    return None if cache is None else _complete(cache / source.name, source)


def _complete(folder: Path, source: Source) -> Location | None:
    return next((Location(folder, form) for form in source.forms if not _missing(folder, form)), None)


def _missing(folder: Path, form: Form) -> list[str]:
    return [pinned.public_name for pinned in form.files if present(folder, pinned) is None]


def _refuse_part(folder: Path, source: Source) -> None:
    what = f"data set '{source.name}' in {folder}"
    if folder.exists() and not folder.is_dir():
        remedy = "Put a folder with the data set's files in its place."
        raise DataError(what, got="a file", expected="a folder", remedy=remedy)
    for form in source.forms:
        missing = _missing(folder, form)
        if len(missing) < len(form.files):
            expected = "all of " + ", ".join(pinned.public_name for pinned in form.files)
            remedy = f"Put {missing[0]} there, or move the folder away."
            raise DataError(what, got=f"no file {', '.join(missing)}", expected=expected, remedy=remedy)
