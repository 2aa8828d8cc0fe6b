"""A user's own data: a NumPy archive with `x`, and optionally `y`, `x_test` and `y_test`.

`x` is (examples, features...), flattened to rows: uint8 are pixels, divided by 255, other numbers are used as they are.
`y` is (examples,), whole numbers from 0: classes; or (examples,) or (examples, targets) of floating-point numbers:
real-valued targets. Without `x_test` the last fifth of the examples, rounded up, is the test. Rows
that are sorted by class are shuffled before that, and before a limit takes the first of them. An
`x` of three axes is taken for images of one channel (rows, columns); one of four axes, the second at most four long,
for images (channels, rows, columns).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.arrays import misfit_of_numbers, misfit_of_whole
from circuitsim.data.dataset import Array, ImageShape, Limits, Raw, Split, cut, sorted_by_class
from circuitsim.data.files import read_file
from circuitsim.environment import expanded, free_memory
from circuitsim.errors import DataError
from circuitsim.randomness import generator

_KEYS = ("x", "y", "x_test", "y_test")


def read(name: str, limits: Limits, dtype: np.dtype[Any]) -> Raw:
    """The data in the archive `name`, a path that ends in .npz."""
    path = expanded(name)
    arrays = _arrays(read_file(path, f"data file {path}"), path)
    _check_keys(arrays, path)
    for key, array in arrays.items():
        if key.startswith("x"):
            _check_rows(key, array, dtype, path)
        elif array.dtype.kind == "f":
            _check_targets(key, array, arrays["x" + key[1:]], dtype, path)
        else:
            _check_classes(key, array, arrays["x" + key[1:]], path)
    _check_alike(arrays, path)
    train, test, note = _splits(arrays, path, limits)
    train = cut(train, limits.train, f"train_limit of {path}")
    return Raw(train, cut(test, limits.test, f"test_limit of {path}"), _image_shape(arrays["x"]), note)


def _refused(path: Path, key: str, got: str, expected: str, remedy: str = "") -> DataError:
    what = f"data file {path}, array '{key}'" if key else f"data file {path}"
    return DataError(what, got=got, expected=expected, remedy=remedy or f"Correct '{key}' and save the file again.")


def _arrays(data: bytes, path: Path) -> dict[str, Array]:
    """Every member as an array.

    Members are read whole before they are parsed: only then does `zipfile` compare their checksums, and a header
    altered to promise fewer rows would otherwise pass.
    """
    remedy = "Save it again by numpy.savez(path, x=..., y=...)."
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > (room := free_memory()):
                got = f"{unpacked} bytes when unpacked"
                raise _refused(path, "", got, f"at most {room}, as memory is free", "Take fewer examples.")
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except DataError:
        raise
    # A damaged archive fails in as many ways as there are fields in its headers.
    except Exception as error:
        got = f"a file that cannot be read ({type(error).__name__}: {error})"
        raise _refused(path, "", got, "a NumPy .npz archive", remedy) from None
    arrays: dict[str, Array] = {}
    for member, raw in members:
        key = member.removesuffix(".npy")
        if key not in _KEYS or key in arrays or key == member:
            again = "twice " if key in arrays else ""
            raise _refused(path, "", f"{again}the member '{member}'", f"each at most once: {', '.join(_KEYS)}", remedy)
        arrays[key] = _parsed(key, raw, path)
    return arrays


def _parsed(key: str, raw: bytes, path: Path) -> Array:
    stream = io.BytesIO(raw)
    try:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # as above: the header is a Python literal, and may be any
        if "Object arrays" in str(error):
            raise _refused(path, key, "an array of Python objects", "an array of numbers") from None
        got = f"an array that cannot be read ({type(error).__name__}: {error})"
        raise _refused(path, key, got, "an array of numbers") from None
    if rest := len(raw) - stream.tell():
        raise _refused(path, key, f"{rest} bytes after its last value", "as many values as its shape says")
    return array


def _check_keys(arrays: dict[str, Array], path: Path) -> None:
    got = ", ".join(arrays) or "no arrays"
    if "x" not in arrays:
        raise _refused(path, "", got, "an array 'x' of examples", "Save the examples as 'x'.")
    if "x_test" not in arrays and "y_test" in arrays:
        raise _refused(path, "", got, "'x_test' beside 'y_test'", "Add 'x_test', or leave 'y_test' out.")
    if "x_test" in arrays and ("y" in arrays) != ("y_test" in arrays):
        raise _refused(path, "", got, "classes of both splits or of neither", "Add what is missing: 'y' or 'y_test'.")


def _check_rows(key: str, array: Array, dtype: np.dtype[Any], path: Path) -> None:
    if array.ndim < 2:
        raise _refused(path, key, f"{array.ndim} axes", "at least 2: examples, then features")
    if array.size == 0:
        raise _refused(path, key, f"the shape {array.shape}", "at least one example and one feature")
    if (misfit := misfit_of_numbers(array, dtype)) is not None:
        raise _refused(path, key, *misfit)


def _check_classes(key: str, array: Array, rows: Array, path: Path) -> None:
    if array.ndim != 1:
        raise _refused(path, key, f"{array.ndim} axes", "1: a class for each example")
    if (misfit := misfit_of_whole(array)) is not None:
        raise _refused(path, key, *misfit)
    if len(array) != len(rows):
        raise _refused(path, key, f"{len(array)} classes", f"{len(rows)}, one for each row of 'x{key[1:]}'")
    if array.min() < 0 or array.max() > np.iinfo(np.int64).max:
        raise _refused(path, key, f"classes from {array.min()} to {array.max()}", "classes that count from 0")


def _check_targets(key: str, array: Array, rows: Array, dtype: np.dtype[Any], path: Path) -> None:
    if array.ndim > 2 or array.ndim < 1:
        raise _refused(path, key, f"{array.ndim} axes", "1 or 2: targets of each example")
    if array.size == 0 or len(array) != len(rows):
        raise _refused(path, key, f"targets of shape {array.shape}", f"{len(rows)}, one for each row of 'x{key[1:]}'")
    if (misfit := misfit_of_numbers(array, dtype)) is not None:
        raise _refused(path, key, *misfit)


def _check_alike(arrays: dict[str, Array], path: Path) -> None:
    x, other = arrays["x"], arrays.get("x_test", arrays["x"])
    if x.shape[1:] != other.shape[1:]:
        raise _refused(path, "x_test", f"rows of the shape {other.shape[1:]}", f"{x.shape[1:]}, as in 'x'")
    # Only uint8 is divided by 255: one array of each kind would be on two scales.
    if (x.dtype == np.uint8) != (other.dtype == np.uint8):
        raise _refused(path, "x_test", f"the type {other.dtype}", f"the type of 'x', {x.dtype}")
    known = [arrays[key] for key in ("y", "y_test") if key in arrays]
    if len({(one.dtype.kind == "f", one.shape[1:]) for one in known}) > 1:
        got, expected = (f"{one.dtype} of shape (n, {', '.join(map(str, one.shape[1:]))})" for one in known[::-1])
        raise _refused(path, "y_test", got, f"what 'y' has, {expected}")


def _splits(arrays: dict[str, Array], path: Path, limits: Limits) -> tuple[Split, Split, str]:
    """The rows of both splits, and a note where they were shuffled.

    The last rows of a file that is sorted by class, and the first ones that a limit takes, have only some of the
    classes: such rows are shuffled first.
    """
    whole = _split(arrays["x"], arrays.get("y"))
    if "x_test" in arrays:
        test = _split(arrays["x_test"], arrays.get("y_test"))
        parts = [
            (whole, limits.train, f"the rows that train_limit={limits.train} takes"),
            (test, limits.test, f"the rows that test_limit={limits.test} takes"),
        ]
        shuffled = [_shuffled(part) if limit and sorted_by_class(part.labels) else part for part, limit, _ in parts]
        cause = [what for (part, _, what), now in zip(parts, shuffled, strict=True) if now is not part]
        return shuffled[0], shuffled[1], _note(path, " and ".join(cause))
    note = _note(path, "the last fifth, which is the test,") if sorted_by_class(whole.labels) else ""
    whole = _shuffled(whole) if note else whole
    x = whole.rows
    if len(x) < 2:
        raise _refused(path, "x", "1 example", "at least 2, as the last fifth is the test", "Add examples or 'x_test'.")
    cutoff = len(x) - (len(x) + 4) // 5
    return whole.part(slice(cutoff)), whole.part(slice(cutoff, None)), note


def _split(x: Array, y: Array | None) -> Split:
    """Return rows with their classes, or with their targets if `y` has floating-point numbers."""
    rows = x.reshape(len(x), -1)
    if y is None or y.dtype.kind != "f":
        return Split(rows, y)
    return Split(rows, None, y.reshape(len(y), -1))


def _shuffled(part: Split) -> Split:
    order = generator(0, "rows of a file that is sorted by class").permutation(len(part.rows))
    return part.part(order)


def _note(path: Path, part: str) -> str:
    if not part:
        return ""
    return f"{path} is sorted by class: its rows are shuffled, since {part} would have only some of the classes"


def _image_shape(x: Array) -> ImageShape | None:
    if x.ndim == 3:
        return (1, x.shape[1], x.shape[2])
    # Channels last would be read wrongly: a long second axis is rows, and what follows is not known.
    return (x.shape[1], x.shape[2], x.shape[3]) if x.ndim == 4 and x.shape[1] <= 4 else None
