"""First weights that follow from the data, or from each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import LocallyConnected, Shape, forwards, size_of
from circuitsim.circuit.parts import Activates, Projection
from circuitsim.circuit.weights import Own
from circuitsim.circuits.ranges import RANGES
from circuitsim.data import Dataset
from circuitsim.randomness import generator
from circuitsim.runs.config import refuse

MEAN_MARGIN = 1e-6  # a logistic output cannot equal 0 or 1: the training mean is taken this far inside
_INVERSE: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": np.log,
    "logistic": lambda p: np.log(p / (1 - p)),
    "tanh": np.arctanh,
    "saturated-half": lambda p: 2 * p,
}


def bias_at_mean(key: str, output: Activates, shape: Shape, data: Dataset) -> np.ndarray:
    """Return the bias, flat, at which silent neurons reconstruct the training mean: f(b) = mean.

    Where neurons of a channel share their bias, it is the channel's mean.

    Parameters
    ----------
    key : that asks for it, which is refused if neurons with the function `output` cannot fire the mean.
    shape : of the biases.
    """
    mean = data.train.mean(axis=0, dtype=np.float64)
    if size_of(shape) < mean.size:  # neurons of a channel share their bias
        mean = mean.reshape(shape[0], -1).mean(axis=1)
    if not isinstance(output, str):
        refuse(key, "data", f"zero with the output {output}, whose inverse is not known", f"Set {key}=zero.")
    low, high = RANGES.get(str(output), (-np.inf, np.inf))
    sums = output == "softmax" and not np.isclose(mean.sum(), 1, atol=1e-3)
    if sums or (mean < low).any() or (mean > high).any():
        expected = f"a training mean that {output} outputs can have"
        refuse(key, "data", expected, f"Set {key}=zero, or another output.")
    inside = np.clip(mean, low + MEAN_MARGIN, high - MEAN_MARGIN)
    found: np.ndarray = _INVERSE[str(output)](inside) if output in _INVERSE else mean
    return found


def images_at_mean(circuit: Circuit, data: Dataset) -> dict[str, np.ndarray]:
    """Return the biases with which neurons at the site of the input start at the training mean."""
    found = {}
    size = circuit.population(circuit.inputs).size
    for q in circuit.projections:
        target = circuit.population(q.target)
        if q.bias and target.size == size and circuit.colocated(q.target, circuit.inputs):
            shape = circuit.bias_shape(q.name)
            found[f"{q.name}.bias"] = bias_at_mean("image_bias", target.activation, shape, data).reshape(shape)
    return found


def alike(circuit: Circuit, spread: float, seed: int) -> dict[str, np.ndarray]:
    """Return first weights of untied projections: at each location one filter, drawn as in a convolution, plus noise.

    Parameters
    ----------
    spread : standard deviation of the noise over that of the filter's weights.
    """
    return {
        f"{q.name}.weight": _copies(circuit, q, spread, seed)
        for q in circuit.projections
        if isinstance(q.weights, Own) and untied(q)
    }


def untied(q: Projection) -> bool:
    """Return whether each location of a projection has weights of its own, read either way."""
    return isinstance(forwards(q.connectivity), LocallyConnected)


def _copies(circuit: Circuit, q: Projection, spread: float, seed: int) -> np.ndarray:
    shape, fan = circuit.tensor_shape(q.name), q.connectivity.fan(*circuit.ends(q.name))
    limit = np.sqrt(6.0 / sum(fan))
    filters = generator(seed, f"filter of {q.name}").uniform(-limit, limit, shape[2:])
    noise = generator(seed, f"locations of {q.name}").normal(0.0, spread * limit / np.sqrt(3.0), shape)
    found: np.ndarray = filters + noise
    return found
