"""Random feedback whose matrices turn at a given speed, beside recirculation, whose maps of the error turn too.

Baldi & Sadowski 2018, sections 4.1 and 6.1: recirculation is random backpropagation with matrices that change slowly.
How slowly is measured here, and how fast they may change before learning suffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.loop import Maps, angles, error_maps, forward_pass
from circuitsim.data import missing
from circuitsim.errors import Diverged
from circuitsim.randomness import generator
from circuitsim.runs.config import Settings, build, refuse
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios import autoencoder
from circuitsim.scenarios.drifting_feedback.report import finish
from circuitsim.scenarios.recirculation_figures.members import FEATURES

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.engine.simulator import Simulator
    from circuitsim.runs.study import Study

RULES = ("rec", "arbp", "bp", "top")
_FEEDBACK = f"{', '.join(RULES)}, or a number of degrees an epoch >= 0 by which random matrices turn"
BACKEND = "numba"
COLUMNS = ["epoch", "split", "metric", "value"]


class DriftKeys(Settings):
    """The keys of `drifting-feedback`."""

    feedback: Literal["rec", "arbp", "bp", "top"] | float = Field(0.0, description=_FEEDBACK)
    dataset: str = Field("mnist", description=f"one of {', '.join(FEATURES)}")
    hidden: list[int] = Field([100, 20, 100], description="a list of at least one whole number >= 1, units by layer")
    lr: float = Field(0.001, ge=0, description="a number >= 0")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    epochs: int = Field(5, ge=1, description="a whole number >= 1")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    map_examples: int = Field(100, ge=1, description="a whole number >= 1")
    seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")

    FIXED = ("dataset", "hidden", "batch", "epochs", "train_limit", "test_limit", "map_examples")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        for key, fits in (
            ("feedback", isinstance(self.feedback, str) or self.feedback >= 0),
            ("dataset", self.dataset in FEATURES),
            ("hidden", bool(self.hidden) and min(self.hidden) >= 1),
        ):
            if not fits:
                expected = str(type(self).model_fields[key].description)
                refuse(key, getattr(self, key), expected, f"Correct the value of {key}.")


def circuit_settings(settings: DriftKeys) -> autoencoder.AutoencoderSettings:
    """The circuit that is trained: tanh below a logistic output; of random matrices `rbp`. One order for all seeds."""
    n = FEATURES[settings.dataset]
    shared = settings.model_dump(include={"dataset", "lr", "batch", "epochs", "train_limit", "test_limit", "seed"})
    own = {
        "sizes": [n, *settings.hidden, n],
        "rule": settings.feedback if isinstance(settings.feedback, str) else "rbp",
        "output": "identity" if settings.dataset == "lowrank" else "logistic",
        "on_divergence": "drop",
    }
    return build(autoencoder.AutoencoderSettings, shared | own)


class Drift:
    """Feedback matrices on their way round a circle: B(phi) = cos(phi) B(0) + sin(phi) C.

    C is drawn as B(0) is, then made orthogonal to it and as long, so that phi is the angle between B(0) and B(phi).

    Parameters
    ----------
    simulator : of one replica. degrees : phi of an epoch. seed : of C.
    """

    def __init__(self, simulator: Simulator, degrees: float, seed: int) -> None:
        self._simulator, self._speed = simulator, np.radians(degrees)
        tensors = simulator.tensors()
        self._start = {k: v[0].astype(np.float64) for k, v in tensors.items() if k.startswith("B")}
        self._aside = {name: _aside(b, seed, name) for name, b in self._start.items()}

    def turn_to(self, epochs: float) -> None:
        """Put the matrices where they are after so many epochs."""
        phi = self._speed * epochs
        for name, b in self._start.items() if phi else ():
            self._simulator.load(name, np.cos(phi) * b + np.sin(phi) * self._aside[name])


def _aside(b: np.ndarray, seed: int, name: str) -> np.ndarray:
    """A random matrix, orthogonal to one and of its norm."""
    drawn = generator(seed, f"drift of {name}").uniform(-1.0, 1.0, b.shape)
    drawn -= b * (np.vdot(b, drawn) / np.vdot(b, b))
    return np.asarray(drawn * (np.linalg.norm(b) / np.linalg.norm(drawn)))


def check(settings: DriftKeys) -> None:
    """Refuse data that are not here before anything is written, and settings that no circuit can have."""
    lacking = missing(settings.dataset)
    if lacking is not None:
        raise lacking
    circuit_settings(settings)


def compute(settings: DriftKeys) -> pd.DataFrame:
    """Errors of both splits, and of the maps that carry the error to each hidden layer h, at the end of each epoch:

    angle/map{h} : degrees between it and backpropagation's. turn/map{h} : degrees since the end of the epoch before.
    A circuit that diverges has no more rows.
    """
    import pandas as pd

    from circuitsim.runs.training import make_study

    study = make_study(autoencoder.SCENARIO, [circuit_settings(settings)], BACKEND)
    rows: list[tuple[int, str, str, float]] = []
    with suppress(Diverged):
        _train(study, settings, rows)
    errors = [(epoch, split, metric, value) for _, epoch, split, metric, value in study.metrics if metric != "seconds"]
    return pd.DataFrame(errors + rows, columns=COLUMNS)


def _train(study: Study, settings: DriftKeys, rows: list[tuple[int, str, str, float]]) -> None:
    simulator, examples = study.groups[0].simulator, study.data.train[: settings.map_examples]
    drift = None
    if not isinstance(settings.feedback, str):
        drift = Drift(simulator, settings.feedback, settings.seed)
    study.begin()
    before = _measured(simulator, examples, {}, 0, rows)
    while study.epoch < settings.epochs:
        for batches in study.train_epoch():
            if drift:
                drift.turn_to(study.epoch + batches / study.batches)
        study.end_epoch()
        before = _measured(simulator, examples, before, study.epoch, rows)


def _measured(
    simulator: Simulator, x: np.ndarray, before: Maps, epoch: int, rows: list[tuple[int, str, str, float]]
) -> Maps:
    """Add the angles of the maps as they are; return the maps."""
    carried, backward = error_maps(simulator, forward_pass(simulator, x))
    for what, others in (("angle", backward), ("turn", before)):
        found = angles(carried, others)
        rows += [(epoch, "train", f"{what}/map{h}", float(found[h][0])) for h in sorted(found)]
    return carried


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "hidden": [16, 8],
    "lr": 0.05,
    "batch": 20,
    "epochs": 4,
    "train_limit": 800,
    "test_limit": 200,
    "map_examples": 50,
}

SCENARIO = Computation(
    name="drifting-feedback",
    description="random feedback that turns at a given speed, beside recirculation: how fast may it change?",
    settings=DriftKeys,
    compute=compute,
    finish=finish,
    check=check,
    vary={"feedback": (*RULES, 0.0, 3.0, 10.0, 30.0, 90.0, 360.0, 3600.0), "seed": (0, 1, 2)},
    quick=QUICK,
)
