"""Arrays of callers: what is refused, and that what is taken is nobody else's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuitsim.arrays import as_array, freeze, is_frozen, misfit_of_numbers, misfit_of_whole, private

SINGLE = np.dtype("float32")


@pytest.mark.parametrize(
    ("values", "got", "expected"),
    [
        ([1.0, np.nan], "a value in row 1 that is infinite or not a number", "finite values"),
        ([[1.0], [2.0], [-np.inf]], "a value in row 2 that is infinite or not a number", "finite values"),
        (np.inf, "a value that is infinite or not a number", "finite values"),
        ([1.0, -1e300], "a value of size 1e+300", "values that float32 can hold"),
        ([1j], "the type complex128", "real numbers"),
        (["1"], "the type <U1", "real numbers"),
        (None, "the type object", "real numbers"),
        ([[1.0], [1.0, 2.0]], "the type object", "real numbers"),
        (np.array(["2026-01-01"], "M8[D]"), "the type datetime64[D]", "real numbers"),
        (np.array([1], "m8[s]"), "the type timedelta64[s]", "real numbers"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "masked values", "an array without a mask"),
    ],
)
def test_what_is_no_real_numbers(values: Any, got: str, expected: str) -> None:
    found = misfit_of_numbers(as_array(values), SINGLE)
    assert found is not None and (found.got, found.expected) == (got, expected)


@pytest.mark.parametrize("kind", ["?", "i1", "u8", "<f4", ">f4", "<f8", ">f8", "f2", "g"])
def test_real_numbers_of_all_kinds(kind: str) -> None:
    given = np.array([0, 1, 1], kind)
    assert misfit_of_numbers(given, SINGLE) is None
    taken = private(given, SINGLE)
    assert taken.dtype == SINGLE and taken.dtype.isnative and taken.tolist() == [0, 1, 1]
    assert misfit_of_numbers(given[:0], SINGLE) is None
    assert misfit_of_numbers(np.ma.array(given, mask=False), SINGLE) is None  # a mask that hides nothing


@pytest.mark.parametrize(("kind", "fits"), [("<i8", True), (">i8", True), ("u1", True), ("?", False), ("f8", False)])
def test_whole_numbers(kind: str, fits: bool) -> None:
    found = misfit_of_whole(np.array([0, 1], kind))
    assert (found is None) == fits
    if found is not None:
        assert found == (f"the type {np.dtype(kind)}", "whole numbers", "")
    hidden = misfit_of_whole(np.ma.array([0, 1], mask=[True, False]))
    assert hidden == ("masked values", "an array without a mask", "Fill the masked values, or leave their rows out.")


def test_what_is_taken_is_nobody_else_s() -> None:
    given = np.arange(6.0)
    for part in (given, given[1:], given[::2], given.view(np.matrix), np.ma.array(given)):
        taken = private(part, "float64")
        assert type(taken) is np.ndarray and not np.shares_memory(taken, given) and taken.flags.c_contiguous


def test_what_nobody_can_change_is_not_copied() -> None:
    given = freeze(np.arange(12.0).reshape(3, 4))
    assert private(given, "float64") is given
    assert private(given[1:], "float64").base is given.base  # a part of it that lies in one piece
    assert not np.shares_memory(private(given.T, "float64"), given)
    assert private(given, "float32").dtype == SINGLE
    view = np.arange(3.0)[1:]
    view.flags.writeable = False
    assert not is_frozen(view) and not np.shares_memory(private(view, "float64"), view)  # its owner can write
    assert is_frozen(freeze(view)) and private(view, "float64") is view
