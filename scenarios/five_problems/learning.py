"""Test errors of the methods that `five-problems` compares, on digits, each at the best of the same rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import half_width
from circuitsim.runs.config import build
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.classifier.ended import WORST, trained
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.five_problems.settings import ProblemSettings
from circuitsim.scenarios.tourbillon import SCENARIO as TOURBILLON

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.runs.study import Study

LEVEL = 25.0  # percent: labelled presentations are counted until the error is below
HELD_OUT = 0.2  # fraction of the training examples that choose the rate
BATCH = 20
CLASSES = 10


def learned(settings: ProblemSettings, blocks: int) -> dict[str, float]:
    """Train circuits of so many hidden layers with each rate; return the figures of the best one.

    error : percent of the test split, a mean over seeds. error_half : half of its 95 % interval. rate : that of the
    least error on the training examples held out. labelled : labelled presentations until that error is below 25 %.
    """
    from circuitsim.data import holding_out, load

    data = load("digits")
    kept = holding_out(data, HELD_OUT)
    scenario, values = _run(settings, [data.features, *[settings.width] * blocks, CLASSES])
    made = [
        build(scenario.settings, {**values, **_rates(scenario, rate), "seed": settings.seed + k})
        for rate in settings.rates
        for k in range(settings.seeds)
    ]
    study = trained(scenario, made, kept, "numba")
    curves = _curves(study, len(made)).reshape(-1, len(settings.rates), settings.seeds).mean(axis=2)
    best = int(np.argmin(curves[-1]))
    errors = _tested(study, data, len(made)).reshape(len(settings.rates), settings.seeds)[best]
    below = np.flatnonzero(curves[-settings.epochs - 1 :, best] < LEVEL)
    return {
        "error": float(errors.mean()),
        "error_half": half_width(errors),
        "rate": settings.rates[best],
        "labelled": float(below[0] * len(kept.train)) if below.size else np.nan,
    }


def _run(settings: ProblemSettings, sizes: Sequence[int]) -> tuple[Scenario, Mapping[str, Any]]:
    """Return what is trained: as many epochs with labels for every method, the last ones."""
    epochs = settings.epochs
    shared = {"sizes": list(sizes), "batch": BATCH, "data_seed": settings.seed, "on_divergence": "drop"}
    if settings.method in ("bp", "fa"):
        layered = {"feedback": settings.method, "output": "logistic", "epochs": epochs, "angle_examples": 1}
        return CLASSIFIER, shared | layered
    alone = settings.method == "tourbillon"
    own: dict[str, Any] = {
        "top": "logistic",
        "schedule": "asynchronous",
        "epochs": epochs,
        "bounds": 0.0,
        "lr_decay": 1.0,
    }
    own |= {"top_epochs": epochs if alone else 0, "tuning_epochs": 0 if alone else epochs}
    return TOURBILLON, shared | own | {"channel": "none" if alone else "decoders"}


def _rates(scenario: Scenario, rate: float) -> dict[str, float]:
    keys = ("lr", "decoder_lr", "tuning_lr") if scenario is TOURBILLON else ("lr",)
    return dict.fromkeys(keys, rate)


def _curves(study: Study, count: int) -> np.ndarray:
    """Return the error on examples held out, (epoch, replica), the worst there is after a divergence."""
    found = np.full((study.epochs + 1, count), WORST)
    for replica, epoch, split, metric, value in study.metrics:
        if (split, metric) == ("test", "error"):
            found[epoch, replica] = value
    return found


def _tested(study: Study, data: Dataset, count: int) -> np.ndarray:
    """Return the error on the test split at the end, (replica,)."""
    found, left = np.full(count, WORST), set(study.alive())
    for group in study.groups:
        errors = study.scenario.evaluate(group.simulator, data.test, data.test_labels)["error"]
        for index, replica in enumerate(group.members):
            if replica in left:
                found[replica] = errors[index]
    return found
