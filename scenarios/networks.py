"""Checks, rates, shapes and errors that the scenarios which train a network share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.metrics import reconstruction_errors
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuits.places import Layers
from circuitsim.runs.config import refuse
from circuitsim.scenarios.layered import LayeredSettings, Rates
from circuitsim.timetable.protocol import Updates

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

Parameters = dict[str | tuple[str, str], float]
Shapes = dict[str, tuple[int, ...]]
UPDATES = {"last": Updates.LAST, "at-once": Updates.AT_ONCE, "either": Updates.EITHER}
QUICK: Mapping[str, Any] = {"epochs": 2, "train_limit": 1000, "test_limit": 200}
QUICK_STAGES: Mapping[str, Any] = {**QUICK, "epochs": 1, "top_epochs": 1, "tuning_epochs": 1}


def element(value: Rates, place: int) -> float:
    """Return the value of a layer or block, counted from 1, of a list or of one number for all."""
    return float(value[place - 1] if isinstance(value, list) else value)


def fits(value: Rates, count: int) -> bool:
    """Return whether a value is one number for all or a list of so many, none of them negative."""
    rates = value if isinstance(value, list) else [value] * count
    return len(rates) == count and all(rate >= 0 for rate in rates)


def both_rates(projection: str, rate: float) -> dict[Any, float]:
    """Return one learning rate for a projection's weights and biases."""
    return {(projection, "lr"): rate, (projection, "lr_bias"): rate}


def layer_rates(settings: LayeredSettings, projection: str, h: int, factor: float = 1.0) -> dict[Any, float]:
    """Return the learning rates of a projection into layer h, times a factor."""
    return {(projection, key): settings.rate(key, h) * factor for key in ("lr", "lr_bias")}


def which_are_read(circuit: Circuit, parameters: Mapping[Any, float]) -> dict[Any, float]:
    """Leave out the parameters of parts that do not read them, such as the rates of biases that there are not."""
    from circuitsim.engine.parameters import readable

    reads = readable(circuit)
    return {key: value for key, value in parameters.items() if key[1] in reads[key[0]]}


def check_features(settings: LayeredSettings, data: Dataset) -> None:
    """Refuse an autoencoder whose input and output do not fit the data."""
    features = data.features
    if settings.sizes[0] != features:
        expected = f"{features} units in layers 0 and {len(settings.sizes) - 1}, one for each feature of {data.name}"
        refuse("sizes", settings.sizes, expected, f"Set sizes=[{features},...,{features}].")


def check_classes(settings: LayeredSettings, data: Dataset) -> None:
    """Refuse data without classes, and a classifier whose input or output does not fit the data."""
    if data.train_labels is None or data.test_labels is None:
        remedy = "Choose another, or add 'y' to the .npz file."
        if data.train_targets is not None:
            remedy = "Its 'y' are real numbers: save whole ones for classes, or choose the scenario regression."
        refuse("dataset", settings.dataset, "a data set with classes", remedy)
        return
    n, classes = settings.sizes, 1 + int(max(data.train_labels.max(), data.test_labels.max()))
    if n[0] != data.features:
        expected = f"{data.features} units in layer 0, one for each feature of {data.name}"
        refuse("sizes", n, expected, f"Set sizes=[{data.features},...,{n[-1]}].")
    limited = settings.train_limit is not None or settings.test_limit is not None  # then there may be more classes
    if n[-1] < classes or (n[-1] > classes and not limited):
        expected = f"{'at least ' * limited}{classes} units in layer {len(n) - 1}, a class of {data.name} each"
        refuse("sizes", n, expected, f"Set sizes=[{data.features},...,{classes}].")


def layered_shapes(row: Layers, forward: str) -> Shapes:
    """Return the shapes of all tensors of forward (A or W), backward (B) and direct (D) projections of layers."""
    shapes: Shapes = {}
    for h, place in row.weighted.items():
        pre, post, made = row.source(h).shape, place.shape, place.connectivity
        shapes |= {f"{forward}{h}.weight": made.tensor_shape(pre, post), f"{forward}{h}.bias": made.bias_shape(post)}
        shapes |= {f"B{h}.weight": made.transposed().tensor_shape(post, pre)} if h > 1 else {}
        shapes |= {f"D{h}.weight": (size_of(post), size_of(row.top.shape))} if place is not row.top else {}
    return shapes


def errors_of_output(simulator: Simulator, x: np.ndarray, _: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return `mse`, and `bce` where the output is logistic."""
    circuit = simulator.circuit
    logistic = circuit.population(circuit.outputs).activation == "logistic"
    return reconstruction_errors(simulator, x, logistic=logistic)
