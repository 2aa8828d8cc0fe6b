"""Ranges of activation functions: an image can equal only what its function reaches."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from circuitsim.circuit.parts import Activates, Population
from circuitsim.errors import CircuitWarning

RANGES: Mapping[str, tuple[float, float]] = {
    "tanh": (-1, 1),
    "saturated": (-1, 1),
    "saturated-half": (-1, 1),
    "logistic": (0, 1),
    "softmax": (0, 1),
    "relu": (0, np.inf),
    "elu": (-1, np.inf),
}
"""Least and greatest value of each function but the identity."""


def warn_of_range(label: str, image: Population, fires: Activates) -> None:
    """Warn if the image of block `label` cannot reach the values that a source with the function `fires` has."""
    wanted, reached = (_range(name) for name in (fires, image.activation))
    if wanted is None or reached is None or (reached[0] <= wanted[0] and wanted[1] <= reached[1]):
        return
    text = (
        f"image {image.name} of block {label}: got {image.activation}, which fires from {reached[0]:g} to "
        f"{reached[1]:g}; expected a function that reaches {fires}, from {wanted[0]:g} to {wanted[1]:g}. "
        "The rest can never be reconstructed: let the image fire as its source does."
    )
    warnings.warn(text, CircuitWarning, stacklevel=3)


def _range(activation: Activates) -> tuple[float, float] | None:
    return RANGES.get(activation) if isinstance(activation, str) else None
