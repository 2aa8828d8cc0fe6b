"""A layered classifier learns with backpropagation, or with what may take the place of its transposed weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.alignment import delta_alignment, weight_alignment
from circuitsim.analysis.classification import batch_loss, classification_errors
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Mirror, Noise
from circuitsim.circuit.weights import Copied
from circuitsim.circuits.classifier import KNOWN, PRIMITIVES, layered_classifier
from circuitsim.data import Dataset
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.classifier.settings import NEVER, ClassifierSettings
from circuitsim.scenarios.layered import LayeredSettings
from circuitsim.scenarios.reporting import finish
from circuitsim.timetable.protocol import Protocol, Updates

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

Given = dict[str | tuple[str, str], float]
FIGURES = ("angle", "norm_ratio", "correlation", "angle_spread")  # the order in which reports have them
UPDATES = {"last": Updates.LAST, "at-once": Updates.AT_ONCE, "either": Updates.EITHER}
RULES = {"self": "self_alignment"}  # primitives whose rule has another name


def design(settings: ClassifierSettings) -> Design:
    """Settings to circuit, protocol, parameters, and which of the rates are learning rates."""
    circuit, protocol = described(settings)
    top = f"layer{settings.top}"
    stepped = settings.feedback_step is not None
    return Design(
        circuit,
        replace(protocol, readouts=((top, "O", 0), (top, "S", 0))),
        parameters(settings, circuit),
        decaying=tuple(q for q in circuit.rules if q.startswith("W") or stepped),
        passes_before=settings.mirror["passes_before"] if circuit.mirrors else 0,
    )


def described(settings: ClassifierSettings) -> tuple[Circuit, Protocol]:
    """What exists, and one presentation of it."""
    mirror = settings.mirror
    return layered_classifier(
        settings.sizes,
        _feedback(settings),
        loss=settings.loss,
        hidden=settings.hidden,
        output=settings.output,
        delay=settings.delay,
        feedback_delay=settings.feedback_delay,
        primitives=_chosen(settings) or None,
        mirror=Mirror("", Noise(mirror["noise"]), mirror["block_bias"], mirror["centre"]),
        normalise=mirror["normalise"],
        passes=mirror["passes_per_update"],
        bounded=settings.max_norm is not None,
        masked=settings.density < 1,
        redrawn=settings.ss_kind == "batch",
        copied=bool(settings.feedback_refresh),
        deferred=settings.update_chance < 1,
        updates=UPDATES[settings.updates],
        window=settings.window,
    )


def _feedback(settings: ClassifierSettings) -> str:
    """The circuit's name for it: what never changes is fixed, and fixed weights that are given steps are not."""
    if settings.feedback in PRIMITIVES and not _chosen(settings):
        return "fa"
    return "urfb" if settings.feedback == "fa" and settings.feedback_step else settings.feedback


def _chosen(settings: ClassifierSettings) -> list[str]:
    """The primitives that have a coefficient."""
    return [name for name in KNOWN if settings.feedback in PRIMITIVES and (settings.primitives or {})[name]]


def parameters(settings: ClassifierSettings, circuit: Circuit) -> Given:
    """The numbers of a circuit's parts."""
    found: Given = {}
    for h in range(1, settings.top + 1):
        found[f"W{h}", "lr"] = settings.rate("lr", h)
        found[f"W{h}", "lr_bias"] = settings.rate("lr_bias", h)
        found[f"W{h}", "momentum"] = settings.momentum
        found[f"W{h}", "weight_decay"] = settings.weight_decay
        if f"B{h}" in circuit.rules:
            found |= _of_feedback(settings, h)
    if settings.update_chance < 1:
        found |= {(q.name, "update_probability"): settings.update_chance for q in circuit.projections if q.deferred}
    if settings.feedback_refresh:
        every = np.inf if settings.feedback_refresh == NEVER else float(settings.feedback_refresh)
        found |= {(q.name, "copy_interval"): every for q in circuit.projections if isinstance(q.weights, Copied)}
    if settings.max_norm is not None:
        found |= {(p.name, "max_norm"): settings.max_norm for p in circuit.populations if p.bounded}
    if settings.loss == "hinge":
        others = max(settings.sizes[-1] - 1, 1)
        found[f"error{settings.top}", "margin"] = 1.0 if settings.hinge_margin == "one" else 1 / others
    if settings.density < 1:
        found |= {(q.name, "density"): settings.density for q in circuit.projections if q.masked}
    return found


def _of_feedback(settings: ClassifierSettings, h: int) -> Given:
    """The numbers of the feedback synapses from layer h to layer h - 1, which learn."""
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
        found: Given = {(name, f"{RULES.get(key, key)}.c"): float(table[key]) for key in _chosen(settings)}
        found[name, "lr"] = table["rate"]
        return found
    return {
        (name, "lr"): (settings.feedback_step or 0.0) * settings.rate("lr", h),
        (name, "momentum"): settings.momentum,
        (name, "weight_decay"): settings.weight_decay if settings.feedback == "kp" else 0.0,
    }


def check(settings: LayeredSettings, data: Dataset) -> None:
    """Refuse data without classes, and sizes that do not fit the data."""
    if data.train_labels is None or data.test_labels is None:
        refuse("dataset", settings.dataset, "a data set with classes", "Choose another, or add 'y' to the .npz file.")
        return
    n, classes = settings.sizes, 1 + int(max(data.train_labels.max(), data.test_labels.max()))
    if n[0] != data.features:
        expected = f"{data.features} units in layer 0, as {data.name} has features"
        refuse("sizes", n, expected, f"Set sizes=[{data.features},...,{n[-1]}].")
    limited = settings.train_limit is not None or settings.test_limit is not None  # then there may be more classes
    if n[-1] < classes or (n[-1] > classes and not limited):
        expected = f"{'at least ' * limited}{classes} units in layer {len(n) - 1}, a class of {data.name} each"
        refuse("sizes", n, expected, f"Set sizes=[{data.features},...,{classes}].")


def prepare(settings: ClassifierSettings, data: Dataset) -> dict[str, np.ndarray]:
    """The magnitudes of feedback weights that have only signs of their own: the standard deviation of those drawn."""
    if settings.feedback != "ss" or settings.ss_kind != "uniform":
        return {}
    n = settings.sizes
    return {
        f"B{h}.weight": np.full((n[h - 1], n[h]), np.sqrt(2 / (n[h - 1] + n[h]))) for h in range(2, settings.top + 1)
    }


def tensor_shapes(settings: ClassifierSettings) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors that a classifier of these sizes can have."""
    n, top = settings.sizes, settings.top
    shapes: dict[str, tuple[int, ...]] = {}
    for h in range(1, top + 1):
        shapes |= {f"W{h}.weight": (n[h], n[h - 1]), f"W{h}.bias": (n[h],)}
        shapes |= {f"B{h}.weight": (n[h - 1], n[h])} if h > 1 else {}
        shapes |= {f"D{h}.weight": (n[h], n[top])} if h < top else {}
    return shapes


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """`error` and `loss`."""
    return {} if y is None else classification_errors(simulator, x, y)


def inspect(simulator: Simulator, settings: ClassifierSettings, data: Dataset) -> Figures:
    """Angles of weights and of errors, norms and correlations."""
    if data.train_labels is None:
        return {}
    first = slice(settings.angle_examples)
    found = weight_alignment(simulator) | delta_alignment(simulator, data.train[first], data.train_labels[first])
    return dict(sorted(found.items(), key=lambda item: FIGURES.index(item[0].partition("/")[0])))


def presented(simulator: Simulator, data: Dataset, rows: np.ndarray) -> Figures:
    """`running_loss`: the batch's mean loss, before its update."""
    return {} if data.train_labels is None else {"running_loss": batch_loss(simulator, data.train_labels[rows])}


QUICK: Mapping[str, Any] = {"epochs": 2, "train_limit": 1000, "test_limit": 200}

SCENARIO = Scenario(
    name="classifier",
    description="a layered classifier learns with backpropagation or with other feedback (ten kinds)",
    settings=ClassifierSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=inspect,
    presented=presented,
    finish=finish,
    quick=QUICK,
)
