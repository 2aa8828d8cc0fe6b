"""Checks of what is put into a state: tensors that are loaded, and arrays that nobody may exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from circuitsim.arrays import as_array, misfit_of_numbers
from circuitsim.errors import CircuitError, TensorError
from circuitsim.locality import Key


def taken_tensor(name: str, values: Any, tensors: Mapping[str, np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    """Return the values of a tensor to load; TensorError for an unknown name, a wrong shape or wrong numbers."""
    taken: np.ndarray = as_array(values)
    if name not in tensors:
        _refuse_tensor(name, "a name that the circuit lacks", f"one of {', '.join(sorted(tensors))}")
    shape = tensors[name].shape
    if taken.shape not in (shape, shape[1:]):
        _refuse_tensor(name, f"shape {tuple(taken.shape)}", f"{shape[1:]}, or {shape} with replicas")
    if taken.dtype.kind != "f" or misfit_of_numbers(taken, dtype) is not None:
        _refuse_tensor(name, f"{taken.dtype} with values that are not finite floats", "finite floats")
    return taken


def _refuse_tensor(name: str, got: str, expected: str) -> NoReturn:
    raise TensorError(f"tensor {name}", got=got, expected=expected, remedy="Correct the weights that are given.")


def refuse_exchanged(circuit: str, arrays: Mapping[Key, np.ndarray], made: Mapping[Key, np.ndarray]) -> NoReturn:
    """Raise CircuitError for the first array of a state that is not the one that was made."""
    key = next(k for k in dict.fromkeys([*made, *arrays]) if arrays.get(k) is not made.get(k))
    raise CircuitError(
        f"array {key[0]}.{key[1]} of circuit {circuit}",
        got="another array in its place" if key in arrays else "no array",
        expected="the array that the simulator made, to which its steps are bound",
        remedy="Change weights with load(), and rates with set_parameters() or set_rates().",
    )
