"""Lowers an activation of a user's own to loops over the neurons: its traced function, and its derivative."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from circuitsim.kernels.steps import Step, in_turn
from circuitsim.lowering.compiler import LANGUAGES
from circuitsim.rules.activation import Activation


def lower_activation(
    activation: Activation,
    arriving: np.ndarray,
    biases: list[np.ndarray],
    out: np.ndarray,
    slope: np.ndarray | None,
    kernels: ModuleType,
) -> Step:
    """Bind S += b; slope = f'(S); out = f(S), as the backend's `activate` does for the functions that it has.

    Parameters
    ----------
    arriving, out, slope : (replica, batch, neuron); `out` may be S itself. biases : (replica, neuron) each.
    """
    steps: list[Step] = [kernels.activate("identity", arriving, biases, arriving, None)] if biases else []
    if not kernels.COMPILED:
        return in_turn([*steps, mapped(activation, arriving, out, slope)])
    written = LANGUAGES[kernels.NAME]
    for expression, target in ((activation.derivative, slope), (activation.expression, out)):
        if target is not None:
            read = [(activation.symbol, "[b, i]", arriving)] if expression.free_symbols else []
            steps.append(written.bound(kernels, "factor", expression, read, target))
    return in_turn(steps)


def mapped(activation: Activation, arriving: np.ndarray, out: np.ndarray, slope: np.ndarray | None) -> Step:
    """Bind the function itself and its derivative, mapped over the neurons: the specification."""

    def fire() -> None:
        if slope is not None:
            slope[...] = activation.slope(arriving)
        with np.errstate(all="ignore"):
            out[...] = activation(arriving)

    return fire
