"""Every data set by its name: list, find, fetch, load."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import DTypeLike

from circuitsim.data import cifar, clutter, digits, idx, locate, lowrank, npz, parquet, teacher
from circuitsim.data.dataset import Dataset, Limits, Raw, checked_dtype, finished
from circuitsim.data.download import download
from circuitsim.data.registry import SOURCES, Form
from circuitsim.environment import expanded
from circuitsim.errors import DataError

_READERS: dict[str, Callable[[Path, Form, str, Limits], Raw]] = {
    "idx": idx.read,
    "parquet": parquet.read,
    "archive": cifar.read_archive,
    "batches": cifar.read_batches,
}


@dataclass(frozen=True)
class DatasetEntry:
    """One line of the list of data sets: its name, what it is, and where it is found now."""

    name: str
    what: str
    where: str


@dataclass(frozen=True)
class _Fileless:
    """A data set without files of its own."""

    read: Callable[[str, Limits], Raw]
    what: str
    where: str


_FILELESS = {
    "cluttered-digits": _Fileless(
        clutter.read,
        "5,748 + 1,440 digits among fragments of others, 144 features (12 x 12), 10 classes, made from digits",
        "embedded",
    ),
    "digits": _Fileless(
        digits.read, "1,437 + 360 handwritten digits, 64 features (8 x 8), 10 classes, from scikit-learn", "embedded"
    ),
    "lowrank": _Fileless(
        lowrank.read, "60,000 + 10,000 random vectors of rank 20, 100 features, no classes", "generated"
    ),
    "teacher": _Fileless(
        teacher.read, "10,000 + 2,000 random vectors, 16 features, 4 real targets from a random network", "generated"
    ),
}


SHAPES: dict[str, tuple[int, ...]] = {
    "cluttered-digits": (1, 12, 12),
    "digits": (1, 8, 8),
    "lowrank": (100,),
    "teacher": (16,),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
}
"""The shape of an example of each data set that has a name."""


def shape_of(name: str) -> tuple[int, ...]:
    """Return the shape of an example: (channel, row, column) of images, else (feature,). Only an .npz file is read."""
    if not _is_npz(name):
        return SHAPES[name if name in _FILELESS else _known(name)]
    found = load(name)
    return found.image_shape or (found.features,)


def load(
    name: str, dtype: DTypeLike = "float32", train_limit: int | None = None, test_limit: int | None = None
) -> Dataset:
    """Load a data set, downloading it if it is not here.

    Parameters
    ----------
    name : a name from `names()`, or a path that ends in .npz.
    dtype : float32 or float64.
    train_limit, test_limit : take the first rows only, at least 1 and at most what there is; None takes all.

    Raises
    ------
    DataError : the name is unknown; a file is missing, altered or unreadable; a limit is out of range.

    >>> load("digits", train_limit=100).train.shape
    (100, 64)
    """
    kind, limits = checked_dtype(dtype), Limits(train_limit, test_limit)
    if _is_npz(name):
        return finished(str(name), npz.read(str(name), limits, kind), kind)
    if name in _FILELESS:
        return finished(name, _FILELESS[name].read(name, limits), kind)
    source = SOURCES[_known(name)]
    place = locate.find(source)
    if place is None:
        download(source)
        place = locate.find(source)
    if place is None:
        remedy = f"Run `circuitsim data fetch {name}` again."
        raise DataError(f"data set '{name}'", got="no files after a download", expected="its files", remedy=remedy)
    return finished(name, _READERS[place.form.reader](place.folder, place.form, name, limits), kind)


def names() -> tuple[DatasetEntry, ...]:
    """Every data set, in alphabetical order, and where it is found now; nothing is downloaded."""
    locate.data_folder()  # a wrong folder is one error, not one on every line
    entries = [DatasetEntry(name, row.what, row.where) for name, row in _FILELESS.items()]
    entries += [DatasetEntry(name, source.what, _where(name)) for name, source in SOURCES.items()]
    return tuple(sorted(entries, key=lambda entry: entry.name))


def path(name: str) -> Path:
    """The folder (or the .npz file) where `name` is found; raise DataError where it is not here or has no files."""
    if _is_npz(name):
        file = expanded(name)
        if file.is_file():
            return file
        raise DataError(f"data file {file}", got="no such file", expected="a file", remedy="Correct the path.")
    source = SOURCES[_with_files(name)]
    place = locate.find(source)
    if place is None:
        remedy = f"Run `circuitsim data fetch {name}`, or set {locate.VARIABLE} to a folder that holds {name}/."
        raise DataError(f"data set '{name}'", got="no files here", expected="its files", remedy=remedy)
    return place.folder


def missing(name: str) -> DataError | None:
    """Return the error for missing files of `name`, with the way to get them; None if nothing is missing."""
    if name in _FILELESS:
        return None
    if not _is_npz(name) and locate.find(SOURCES[_known(name)]) is not None:
        return None
    try:
        path(name)
    except DataError as error:
        return error
    return None


def fetch(name: str) -> Path:
    """Download `name` into the cache folder, replacing damaged files there, and return its folder.

    Raises
    ------
    DataError : the name is unknown, there is nothing to fetch, or no address answered with the published file.
    """
    return download(SOURCES[_with_files(name)])


def _where(name: str) -> str:
    try:
        place = locate.find(SOURCES[name])
    except DataError as error:  # the list shows what is wrong with one data set and goes on
        return f"unusable: {error.what}: {error.got}"
    return f"not here: `circuitsim data fetch {name}`" if place is None else str(place.folder)


def _is_npz(name: object) -> bool:
    return str(name).endswith(".npz")


def _with_files(name: str) -> str:
    """`name`, if it is a data set of files."""
    if name in _FILELESS:
        got = f"a data set that is {_FILELESS[name].where} and has no files"
        expected = "one of " + ", ".join(sorted(SOURCES))
        raise DataError(f"data set '{name}'", got=got, expected=expected, remedy="It needs no fetching: just use it.")
    return _known(name)


def _known(name: str) -> str:
    """`name`, if it is a name of `SOURCES`."""
    if name in SOURCES:
        return name
    known = sorted([*SOURCES, *_FILELESS])
    close = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
    remedy = f"Did you mean '{close[0]}'?" if close else "Run `circuitsim data list` to see them."
    expected = f"one of {', '.join(known)}, or a path that ends in .npz"
    raise DataError("name of a data set", got=repr(name), expected=expected, remedy=remedy)
