"""Checks of examples, classes, row numbers and seeds before a circuit sees them."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from circuitsim.arrays import Misfit, as_array, misfit_of_mask, misfit_of_numbers, misfit_of_whole, private
from circuitsim.circuit.circuit import Circuit
from circuitsim.errors import CircuitError

MOST_SEEDS = 2**64  # seeds are keys of 64 bits


def taken_data(
    circuit: Circuit, x: Any, y: Any, dtype: np.dtype[Any], *, labelled: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return examples and, where labels are used, their classes or targets as private arrays in native order.

    Raises
    ------
    CircuitError : examples, classes or targets that do not fit, or are no finite numbers.
    """
    examples, size = as_array(x), circuit.population(circuit.inputs).size
    what = f"data for circuit {circuit.name}"
    if examples.ndim != 2 or examples.shape[1] != size or not len(examples):
        raise CircuitError(
            what,
            got=f"an array of shape {examples.shape}",
            expected=f"(examples, {size})",
            remedy="Match the data's features to the input population.",
        )
    _refuse(what, misfit_of_numbers(examples, dtype))
    if not labelled:
        return private(examples, dtype), None
    known = _targets(circuit, len(examples), y, dtype) if circuit.real_targets else _classes(circuit, len(examples), y)
    return private(examples, dtype), known


def _targets(circuit: Circuit, examples: int, y: Any, dtype: np.dtype[Any]) -> np.ndarray:
    what, size = f"targets for circuit {circuit.name}", circuit.population(circuit.labels).size
    found = as_array(y)
    if size == 1 and found.ndim == 1:
        found = found[:, None]
    if y is None or found.shape != (examples, size):
        raise CircuitError(
            what,
            got="none" if y is None else f"an array of shape {np.shape(y)}",
            expected=f"real numbers of shape ({examples}, {size})",
            remedy="Give one target for each example and label neuron.",
        )
    _refuse(what, misfit_of_numbers(found, dtype))
    return private(found, dtype)


def _classes(circuit: Circuit, examples: int, y: Any) -> np.ndarray:
    what, classes = f"labels for circuit {circuit.name}", circuit.population(circuit.labels).size
    found = as_array(y)
    fits = found.shape == (examples,) and misfit_of_whole(found) is None
    if not fits or found.min() < 0 or found.max() >= classes:
        if y is not None:
            _refuse(what, misfit_of_mask(found))
        raise CircuitError(
            what,
            got="none"
            if y is None
            else f"an array of {found.dtype} of shape {found.shape}" + (", out of range" * fits),
            expected=f"{examples} whole numbers from 0 to {classes - 1}",
            remedy="Give the class of each example, and as many label neurons as classes.",
        )
    return private(found, np.int64)


def _refuse(what: str, misfit: Misfit | None) -> None:
    if misfit is not None:
        remedy = misfit.remedy or "Correct the values."
        raise CircuitError(what, got=misfit.got, expected=misfit.expected, remedy=remedy)


def taken_seeds(circuit: Circuit, seeds: Any) -> tuple[int, ...]:
    """Return the seeds as Python's whole numbers, one for each replica.

    Raises
    ------
    CircuitError : no seed, one that is no whole number, or one outside of 64 bits, of which only the lower would count.
    """
    given = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, (str, bytes)) else None
    try:
        found = tuple(operator.index(seed) for seed in given or () if not isinstance(seed, (bool, np.bool_)))
    except TypeError:
        found = ()
    if not given or len(found) < len(given) or not all(0 <= seed < MOST_SEEDS for seed in found):
        raise CircuitError(
            f"seeds for circuit {circuit.name}",
            got=repr(seeds),
            expected="one whole number from 0 to 2^64 - 1 for each replica, at least one",
            remedy="Give a list, such as seeds=[0, 1, 2].",
        )
    return found


def taken_dtype(circuit: Circuit, dtype: Any) -> np.dtype[Any]:
    """Return the type of a circuit's numbers; CircuitError unless it is float32 or float64 in native order."""
    known: list[np.dtype[Any]] = [np.dtype("float32"), np.dtype("float64")]
    try:
        found: np.dtype[Any] | None = None if dtype is None else np.dtype(dtype)  # np.dtype(None) is float64
    except TypeError:
        found = None
    if found is None or found not in known:
        raise CircuitError(
            f"dtype of circuit {circuit.name}",
            got=repr(dtype),
            expected="float32 or float64",
            remedy="Choose one of these.",
        )
    return found


def whole(what: str, value: Any, least: int) -> int:
    """Return a whole number of Python's; CircuitError for anything else, or a smaller one than the least."""
    try:
        found = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least:
        raise CircuitError(what, got=repr(value), expected=f"a whole number >= {least}", remedy="Correct the number.")
    return found


def check_rows(
    circuit: Circuit, rows: np.ndarray, *, examples: int, most: int, sets: int, sequence: bool = False
) -> None:
    """Raise CircuitError for rows that are no indices of examples, too many, or not one set for each replica.

    Parameters
    ----------
    rows : (batch,) or (sets, batch); in a batch sequence with a leading axis of presentations.
    examples : number of examples. most : largest batch. sequence : whether rows are a batch sequence.
    """
    shape = rows.shape[1:] if sequence else rows.shape
    if isinstance(rows, np.ma.MaskedArray):
        _refuse(f"rows shown to circuit {circuit.name}", misfit_of_mask(rows))
    counted = rows.dtype.kind in "iu" and (len(shape) == 1 or (len(shape) == 2 and shape[0] == sets))
    if not counted or not rows.size or shape[-1] > most or rows.min() < 0 or rows.max() >= examples:
        raise CircuitError(
            f"rows shown to circuit {circuit.name}",
            got=f"{shape[-1]} rows, of {examples} examples in use"
            if counted
            else f"an array of {rows.dtype} of shape {rows.shape}",
            expected=f"1 to {most} indices of existing examples" + (", for each presentation" if sequence else ""),
            remedy="Call use() with the examples first, and make the Simulator with a large enough batch.",
        )
