"""A layered classifier that learns with backpropagation, or with other feedback than transposed weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import delta_alignment, weight_alignment
from circuitsim.analysis.classification import batch_loss, classification_errors, errors_by_class
from circuitsim.analysis.filters import kernel_distances
from circuitsim.analysis.saturation import saturated_fractions
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Masks, Mirror, Noise
from circuitsim.circuit.weights import Copied
from circuitsim.circuits.classifier import KNOWN, PRIMITIVES, layered_classifier
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.classifier.settings import NEVER, ClassifierSettings
from circuitsim.scenarios.networks import (
    QUICK,
    UPDATES,
    Parameters,
    check_classes,
    layer_rates,
    layered_shapes,
    which_are_read,
)
from circuitsim.scenarios.reporting import finish
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

# the order in which reports have them
FIGURES = ("angle", "norm_ratio", "correlation", "angle_spread", "saturated", "kernel_distance")
RULES = {"self": "self_alignment"}  # primitives whose rule has another name


def design(settings: ClassifierSettings) -> Design:
    """Return the circuit, protocol and parameters of settings, and the projections whose rates decay."""
    circuit, protocol = described(settings)
    top = f"layer{settings.top}"
    stepped = settings.feedback_step is not None
    return Design(
        circuit,
        replace(protocol, readouts=((top, "O", 0), (top, "S", 0))),
        which_are_read(circuit, parameters(settings, circuit)),
        decaying=tuple(q for q in circuit.rules if q.startswith("W") or stepped),
        passes_before=settings.mirror["passes_before"] if circuit.mirrors else 0,
    )


def described(settings: ClassifierSettings) -> tuple[Circuit, Protocol]:
    """Return the circuit and one presentation of it."""
    mirror = settings.mirror
    noise = Noise.GIVEN if settings.noise else Noise(mirror["noise"])
    return layered_classifier(
        settings.row,
        _feedback(settings),
        loss=settings.loss,
        hidden=settings.fires("hidden"),
        output=settings.fires("output"),
        bias=settings.bias,
        delay=settings.delay,
        feedback_delay=settings.feedback_delay,
        primitives=_chosen(settings) or None,
        reads=(settings.primitives or {}).get("reads", "input"),
        mirror=Mirror("", noise, mirror["block_bias"], mirror["centre"]),
        normalise=mirror["normalise"],
        passes=mirror["passes_per_update"],
        bounded=settings.max_norm is not None,
        masked=settings.density < 1,
        masks=Masks(settings.masks),
        redrawn=settings.ss_kind == "batch",
        copied=bool(settings.copy_interval),
        deferred=settings.update_probability < 1,
        updates=UPDATES[settings.updates],
        window=settings.window,
        real_targets=settings.REAL_TARGETS,
    )


def _feedback(settings: ClassifierSettings) -> str:
    """Return the circuit's kind of feedback: `fa` where nothing changes it, `urfb` where `fa` is given steps."""
    if settings.feedback in PRIMITIVES and not _chosen(settings):
        return "fa"
    return "urfb" if settings.feedback == "fa" and settings.feedback_step else settings.feedback


def _chosen(settings: ClassifierSettings) -> list[str]:
    """Return the primitives that have a coefficient."""
    return [name for name in KNOWN if settings.feedback in PRIMITIVES and (settings.primitives or {})[name]]


def parameters(settings: ClassifierSettings, circuit: Circuit) -> Parameters:
    """Return the parameters of a circuit's parts."""
    found: Parameters = {}
    for h in range(1, settings.top + 1):
        found |= layer_rates(settings, f"W{h}", h)
        found[f"W{h}", "momentum"] = settings.momentum
        found[f"W{h}", "weight_decay"] = settings.weight_decay if h in settings.row.plain else 0.0  # not of gains
        if f"B{h}" in circuit.rules:
            found |= _of_feedback(settings, h)
    if settings.update_probability < 1:
        found |= {
            (q.name, "update_probability"): settings.update_probability for q in circuit.projections if q.deferred
        }
    if settings.copy_interval:
        interval = np.inf if settings.copy_interval == NEVER else float(settings.copy_interval)
        found |= {(q.name, "copy_interval"): interval for q in circuit.projections if isinstance(q.weights, Copied)}
    if settings.max_norm is not None:
        found |= {(p.name, "max_norm"): settings.max_norm for p in circuit.populations if p.bounded}
    if settings.loss == "hinge":
        others = max(settings.sizes[-1] - 1, 1)
        found[f"error{settings.top}", "margin"] = 1.0 if settings.hinge_margin == "one" else 1 / others
    if settings.density < 1:
        found |= {(q.name, "density"): settings.density for q in circuit.projections if q.masked}
    return found


def _of_feedback(settings: ClassifierSettings, h: int) -> Parameters:
    """Return the parameters of the learning feedback synapses from layer h to layer h - 1."""
    name = f"B{h}"
    if settings.feedback == "wm":
        mirror = settings.mirror
        return {
            (name, "lr"): mirror["rate"],
            (name, "weight_decay"): mirror["decay"],
            (f"W{h}", "noise_scale"): mirror["scale"],
        }
    if settings.feedback in PRIMITIVES:
        table = settings.primitives or {}
        found: Parameters = {(name, f"{RULES.get(key, key)}.c"): float(table[key]) for key in _chosen(settings)}
        found[name, "lr"] = table["rate"]
        return found
    return {
        (name, "lr"): (settings.feedback_step or 0.0) * settings.rate("lr", h),
        (name, "momentum"): settings.momentum,
        (name, "weight_decay"): settings.weight_decay if settings.feedback == "kp" else 0.0,
    }


def prepare(settings: ClassifierSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return the magnitudes of feedback weights that copy signs: the standard deviation of initial weights."""
    if settings.feedback != "ss" or settings.ss_kind != "uniform":
        return {}
    n = settings.sizes
    return {
        f"B{h}.weight": np.full((n[h - 1], n[h]), np.sqrt(2 / (n[h - 1] + n[h]))) for h in range(2, settings.top + 1)
    }


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss`."""
    return {} if y is None else classification_errors(simulator, x, y)


def examine(simulator: Simulator, settings: ClassifierSettings, data: Dataset) -> Figures:
    """Return `error_shifted`, of translated test images, the same ones at each measurement, and `error_class/c`."""
    from circuitsim.data import shifted

    y, found = data.test_labels, Figures()
    if y is not None and settings.class_errors:
        found |= errors_by_class(simulator, data.test, y)
    if y is not None and settings.shifted_test and data.image_shape is not None:
        x = shifted(data.test, data.image_shape, settings.shifted_test, settings.data_seed, 0)
        found["error_shifted"] = classification_errors(simulator, x, y)["error"]
    return found


def check(settings: ClassifierSettings, data: Dataset) -> None:
    """Refuse data without classes, data that do not fit, and translations of examples that are no images."""
    check_classes(settings, data)
    if settings.shifted_test and data.image_shape is None:
        refuse(
            "shifted_test",
            settings.shifted_test,
            f"0 with {data.name}, whose examples are no images",
            "Choose a data set of images, or set shifted_test=0.",
        )


def inspect(simulator: Simulator, settings: ClassifierSettings, data: Dataset) -> Figures:
    """Return angles of weights and of errors, norms, correlations, saturation, and distances of untied kernels."""
    known = data.answers(real=settings.REAL_TARGETS)[0]
    if known is None:
        return {}
    first = slice(settings.angle_examples)
    found = weight_alignment(simulator) | delta_alignment(simulator, data.train[first], known[first])
    found |= saturated_fractions(simulator, data.train[first]) | kernel_distances(simulator)
    return dict(sorted(found.items(), key=lambda item: FIGURES.index(item[0].partition("/")[0])))


def running_loss(simulator: Simulator, data: Dataset, rows: np.ndarray) -> Figures:
    """Return the batch's mean loss, before its update."""
    return {} if data.train_labels is None else {"running_loss": batch_loss(simulator, data.train_labels[rows])}


SCENARIO = Scenario(
    name="classifier",
    description="a layered classifier learns with backpropagation or with other feedback (ten kinds)",
    settings=ClassifierSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=lambda settings: layered_shapes(settings.row, "W"),
    evaluate=evaluate,
    examine=examine,
    inspect=inspect,
    presented=lambda settings: running_loss if settings.running_loss else None,
    finish=finish,
    quick=QUICK,
)
