"""Random feedback whose matrices rotate at a given speed, beside recirculation.

Recirculation is random backpropagation with matrices that change slowly (Baldi & Sadowski 2018, sections 4.1 and 6.1).
This experiment measures their speed, and the speed at which learning suffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.loop import Maps, angles, error_maps, forward_pass
from circuitsim.errors import Diverged
from circuitsim.randomness import generator
from circuitsim.runs.config import Settings, build
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios import autoencoder
from circuitsim.scenarios.fields import FEATURES, Count, Limit, NonNegative, Seed, Sizes, among, must

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.engine.simulator import Simulator
    from circuitsim.runs.study import Study

RULES = ("rec", "arbp", "bp", "top")
_FEEDBACK = f"{', '.join(RULES)}, or a number of degrees an epoch >= 0 by which random matrices rotate"
BACKEND = "numba"
COLUMNS = ["epoch", "split", "metric", "value"]


class DriftSettings(Settings):
    """The settings of `drifting-feedback`."""

    feedback: Annotated[
        Literal["rec", "arbp", "bp", "top"] | float, must(lambda value: isinstance(value, str) or value >= 0)
    ] = Field(0.0, description=_FEEDBACK)
    dataset: Annotated[str, among(FEATURES)] = Field("mnist", description=f"one of {', '.join(FEATURES)}")
    hidden: Sizes = Field([100, 20, 100], description="a list of at least one whole number >= 1, units by layer")
    lr: NonNegative = 0.001
    batch: Count = 100
    epochs: Count = 5
    train_limit: Limit = None
    test_limit: Limit = None
    map_examples: Count = 100
    seed: Seed = 0

    FIXED = ("dataset", "hidden", "batch", "epochs", "train_limit", "test_limit", "map_examples")


def circuit_settings(settings: DriftSettings) -> autoencoder.AutoencoderSettings:
    """Return the settings of the circuit: tanh below a logistic output, one order of examples for all seeds."""
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
    """Feedback matrices that rotate: B(phi) = cos(phi) B(0) + sin(phi) C.

    C is drawn as B(0) is, then made orthogonal to it and given its norm, so that phi is the angle from B(0) to B(phi).

    Parameters
    ----------
    simulator : of one replica. degrees : rotation in an epoch. seed : of C.
    """

    def __init__(self, simulator: Simulator, degrees: float, seed: int) -> None:
        self._simulator, self._speed = simulator, np.radians(degrees)
        tensors = simulator.tensors()
        self._start = {k: v[0].astype(np.float64) for k, v in tensors.items() if k.startswith("B")}
        self._orthogonal = {name: _orthogonal(b, seed, name) for name, b in self._start.items()}

    def turn_to(self, epochs: float) -> None:
        """Load the matrices as they are after so many epochs."""
        phi = self._speed * epochs
        for name, b in self._start.items() if phi else ():
            self._simulator.load(name, np.cos(phi) * b + np.sin(phi) * self._orthogonal[name])


def _orthogonal(b: np.ndarray, seed: int, name: str) -> np.ndarray:
    """Return a random matrix, orthogonal to b and of its norm."""
    drawn = generator(seed, f"drift of {name}").uniform(-1.0, 1.0, b.shape)
    drawn -= b * (np.vdot(b, drawn) / np.vdot(b, b))
    return np.asarray(drawn * (np.linalg.norm(b) / np.linalg.norm(drawn)))


def check(settings: DriftSettings) -> None:
    """Refuse missing data, and settings that no circuit can have."""
    from circuitsim.data import missing

    lacking = missing(settings.located(settings.dataset))
    if lacking is not None:
        raise lacking
    circuit_settings(settings)


def compute(settings: DriftSettings) -> pd.DataFrame:
    """Return errors of both splits and angles of the maps that carry the error to each hidden layer h, by epoch.

    angle/map{h} : degrees to backpropagation's map. turn/map{h} : degrees to the map one epoch earlier.
    A circuit that diverges has no further rows.
    """
    import pandas as pd

    from circuitsim.runs.training import make_study

    study = make_study(autoencoder.SCENARIO, [circuit_settings(settings)], BACKEND)
    rows: list[tuple[int, str, str, float]] = []
    with suppress(Diverged):
        _train(study, settings, rows)
    errors = [(epoch, split, metric, value) for _, epoch, split, metric, value in study.metrics if metric != "seconds"]
    return pd.DataFrame(errors + rows, columns=COLUMNS)


def _train(study: Study, settings: DriftSettings, rows: list[tuple[int, str, str, float]]) -> None:
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
    """Add rows for the angles of the maps as they are; return the maps."""
    carried, backward = error_maps(simulator, forward_pass(simulator, x))
    for what, others in (("angle", backward), ("turn", before)):
        found = angles(carried, others)
        rows += [(epoch, "train", f"{what}/map{h}", float(found[h][0])) for h in sorted(found)]
    return carried


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    from circuitsim.scenarios.drifting_feedback import report  # imports what draws

    report.finish(folder, metrics, config)


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
    description="random feedback that rotates at a given speed, beside recirculation: how fast may it change?",
    settings=DriftSettings,
    compute=compute,
    finish=finish,
    check=check,
    vary={"feedback": (*RULES, 0.0, 3.0, 10.0, 30.0, 90.0, 360.0, 3600.0), "seed": (0, 1, 2)},
    quick=QUICK,
)
