"""Arrays of any library, to NumPy and back, by the protocols that they offer; no library is imported."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from circuitsim.errors import StepError


def to_numpy(what: str, value: Any) -> np.ndarray:
    """Return a copy of an array as NumPy's.

    Parameters
    ----------
    what : name for messages. value : anything with `__array__` or DLPack, on the host or on a device.

    Raises
    ------
    StepError : if the value is no array of numbers.
    """
    for attribute in ("detach", "cpu"):  # tensors that record gradients or live on a device refuse a direct reading
        value = getattr(value, attribute)() if callable(getattr(value, attribute, None)) else value
    try:
        found = np.array(np.from_dlpack(value) if hasattr(value, "__dlpack__") else value)
    except Exception as fault:
        raise _refused(what, f"{type(value).__name__} ({fault})") from fault
    if found.dtype.kind not in "fiub":
        raise _refused(what, f"{type(value).__name__} of {found.dtype}")
    return found


def like(model: Any, value: np.ndarray) -> Any:
    """Return a copy of NumPy's array in the library, on the device and in the type of another array."""
    value = np.array(value, order="C")
    if isinstance(model, np.ndarray | np.generic | list | tuple | float | int):
        return value
    namespace = getattr(model, "__array_namespace__", None)
    library = namespace() if namespace else sys.modules[type(model).__module__.partition(".")[0]]
    made = library.asarray(value, dtype=model.dtype, device=getattr(model, "device", None))
    return made.requires_grad_() if getattr(model, "requires_grad", False) else made


def _refused(what: str, got: str) -> StepError:
    return StepError(
        what,
        got=got,
        expected="an array of floating-point numbers or integers",
        remedy="Give or return arrays that NumPy can read, for example float32 in place of bfloat16.",
    )
