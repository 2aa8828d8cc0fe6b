"""Checks of examples, classes and row numbers before they are shown to a circuit."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.errors import CircuitError


def check_data(circuit: Circuit, x: np.ndarray, y: np.ndarray | None, *, labelled: bool) -> None:
    """Raise CircuitError for examples that do not fit the inputs or, where labels are used, classes that do not."""
    size = circuit.population(circuit.inputs).size
    if x.ndim != 2 or x.shape[1] != size or not len(x):
        raise CircuitError(
            f"data for circuit {circuit.name}",
            got=f"an array of shape {x.shape}",
            expected=f"(examples, {size})",
            remedy="Match the data's features to the input population.",
        )
    if labelled:
        _check_labels(circuit, len(x), y)


def _check_labels(circuit: Circuit, examples: int, y: np.ndarray | None) -> None:
    classes = circuit.population(circuit.labels).size
    fits = y is not None and y.shape == (examples,) and y.dtype.kind in "iu"
    if y is None or not fits or y.min() < 0 or y.max() >= classes:
        raise CircuitError(
            f"labels for circuit {circuit.name}",
            got="none" if y is None else f"an array of {y.dtype} of shape {y.shape}" + (", out of range" * fits),
            expected=f"{examples} whole numbers from 0 to {classes - 1}",
            remedy="Give the class of each example, and as many label neurons as classes.",
        )


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
