"""Arrays that callers give: checked for what no computation may take, and kept as private copies in native order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
REAL, WHOLE = "biuf", "iu"  # NumPy's kinds of numbers


class Misfit(NamedTuple):
    """Describe the fault of an array in the words of messages."""

    got: str
    expected: str
    remedy: str = ""


def as_array(values: Any) -> Array:
    """Return values as an array without a copy, a masked one with its mask; what is no array, as one of objects."""
    try:
        found: Array = np.asanyarray(values)
    except (TypeError, ValueError):  # rows of several lengths, for example
        return np.array(None, object)
    return found


def misfit_of_numbers(array: Array, dtype: np.dtype[Any]) -> Misfit | None:
    """Return the reason that an array cannot be used as real numbers of a type, or None.

    Complex numbers, dates, text and objects are no real numbers. Values must be finite after the conversion too.

    >>> misfit_of_numbers(np.array([1.0, 1e300]), np.dtype("float32")).got
    'a value of size 1e+300'
    >>> misfit_of_numbers(np.array([1, 2]), np.dtype("float32"))
    """
    if (masked := misfit_of_mask(array)) is not None:
        return masked
    if array.dtype.kind not in REAL:
        return Misfit(f"the type {array.dtype}", "real numbers")
    if array.dtype.kind != "f" or not array.size:
        return None
    with np.errstate(invalid="ignore"):
        low, high = array.min(), array.max()  # without a copy of the size of the data
    if not (np.isfinite(low) and np.isfinite(high)):
        row = f"a value in row {int(np.argwhere(~np.isfinite(array))[0, 0])}" if array.ndim else "a value"
        return Misfit(f"{row} that is infinite or not a number", "finite values")
    if (largest := max(-low, high)) > np.finfo(dtype).max:
        return Misfit(f"a value of size {largest:g}", f"values that {dtype} can hold", "Scale the values.")
    return None


def misfit_of_whole(array: Array) -> Misfit | None:
    """Return the reason that an array cannot be used as whole numbers, or None."""
    if (masked := misfit_of_mask(array)) is not None:
        return masked
    return None if array.dtype.kind in WHOLE else Misfit(f"the type {array.dtype}", "whole numbers")


def misfit_of_mask(array: Array) -> Misfit | None:
    """Return the reason that an array with masked values cannot be used: what the mask hides is no data."""
    if not np.ma.is_masked(array):
        return None
    return Misfit("masked values", "an array without a mask", "Fill the masked values, or leave their rows out.")


def private(array: Array, dtype: Any) -> Array:
    """Return an array's values in native order and contiguous, where nobody else can change them.

    A frozen array that is all this already is returned as it is, any other is copied.

    >>> frozen = freeze(np.arange(3))
    >>> private(frozen, "int64") is frozen
    True
    """
    kind = np.dtype(dtype).newbyteorder("=")
    if type(array) is np.ndarray and array.dtype == kind and array.flags.c_contiguous and is_frozen(array):
        return array
    return np.array(array, kind, order="C", subok=False)


def freeze(array: Array) -> Array:
    """Make an array read-only, and every array of whose memory it is a part."""
    part: Any = array
    while isinstance(part, np.ndarray):
        part.flags.writeable = False
        part = part.base
    return array


def is_frozen(array: Array) -> bool:
    """Return whether no array that shares this one's memory by construction can be written."""
    part: Any = array
    while isinstance(part, np.ndarray):
        if part.flags.writeable:
            return False
        part = part.base
    return part is None or isinstance(part, bytes)
