"""Helpers of the circuits' tests: tensors as bytes, tensors loaded by name, the logistic function."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from circuitsim.engine.simulator import Simulator


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def loaded(made: Simulator, weights: Mapping[str, np.ndarray]) -> Simulator:
    """Load those of the weights that the simulator has."""
    for name, values in weights.items():
        if name in made.tensors():
            made.load(name, values.copy())
    return made


def logistic(s: np.ndarray) -> np.ndarray:
    made: np.ndarray = 1 / (1 + np.exp(-s))
    return made
