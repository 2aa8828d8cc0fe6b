"""Firing: the step in which neurons turn their summed input into an activity, by a function known or of one's own."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.parts import Activates
from circuitsim.lowering.activations import lower_activation
from circuitsim.phases.base import Binding, Step
from circuitsim.rules.activation import sealed_activation


def fire(
    b: Binding,
    activation: Activates,
    arriving: np.ndarray,
    bias: list[np.ndarray],
    out: np.ndarray,
    slope: np.ndarray | None = None,
) -> Step:
    """Bind S += b; slope = f'(S); out = f(S). `out` may be S itself."""
    if isinstance(activation, str):
        return b.kernels.activate(activation, arriving, bias, out, slope)  # type: ignore[no-any-return]
    return lower_activation(sealed_activation(activation), arriving, bias, out, slope, b.kernels)
