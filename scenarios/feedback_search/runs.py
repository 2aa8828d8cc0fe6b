"""The classifiers that `feedback-search` trains, in each trial and with the settings that were found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from circuitsim.runs.config import refuse, replicas
from circuitsim.scenarios.classifier.ended import HELD_OUT, ended, fingerprint, held_out
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.feedback_search.settings import FeedbackSearchSettings

if TYPE_CHECKING:
    from circuitsim.data import Dataset

MIRROR: Mapping[str, Any] = {"noise": "gaussian", "scale": 0.5, "block_bias": True, "passes_per_update": 1}
UNIT: Mapping[str, Mapping[str, float]] = {"ia": {"amp": 1.0}, "sa": {"self": 1.0}, "aa": {"amp": 1.0}}
"""Coefficients that are not searched: the rate scales them."""
Parameters = Mapping[str, float]


class TrialRow(NamedTuple):
    """A row of the table of numbers."""

    epoch: int
    split: str
    metric: str
    value: float
    stage: str
    feedback: str
    trial: int
    seed: int
    parameters: str


def own_keys(method: str, parameters: Parameters, layers: int) -> dict[str, Any]:
    """Return the keys of `classifier` that a method's parameters stand for.

    >>> own_keys("kp", {"top": 0.1, "below": 0.2, "weight_decay": 1e-4}, 3)
    {'feedback': 'kp', 'lr': [0.2, 0.2, 0.1], 'weight_decay': 0.0001}
    >>> own_keys("bp", {"top": 0.1, "layer1": 0.3, "layer2": 0.2}, 3)
    {'feedback': 'bp', 'lr': [0.3, 0.2, 0.1]}
    """
    below = [parameters.get(f"layer{h}", parameters.get("below", math.nan)) for h in range(1, layers)]
    rates = [*below, parameters["top"]]
    own = {key: value for key, value in parameters.items() if key not in ("top", "below") and key[:5] != "layer"}
    found: dict[str, Any] = {"feedback": method, "lr": rates}
    if method == "wm":
        return found | {"mirror": {**MIRROR, **own}}
    if method in UNIT:
        return found | {"primitives": {**UNIT[method], **own}}
    return found | own


class Runs:
    """Trains classifiers on a search's data.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: FeedbackSearchSettings, backend: str) -> None:
        from circuitsim.data import load

        self.settings, self.backend = settings, backend
        self.data = load(settings.located(settings.dataset), "float32", settings.train_limit, settings.test_limit)
        labels = [y.max() for y in (self.data.train_labels, self.data.test_labels) if y is not None]
        self.sizes = [self.data.features, *settings.hidden, 1 + int(max(labels, default=0))]

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the result."""
        return fingerprint(self.settings, self.backend, self.data)

    def check(self) -> None:
        """Refuse data without classes, and too few examples to hold some out."""
        CLASSIFIER.check(self._replicas("bp", {"top": 0.1, "below": 0.1}, [0])[0], self.data)
        if not 0 < self._kept < len(self.data.train):
            expected = "a fraction that leaves at least one example on either side"
            remedy = f"There are {len(self.data.train)} training examples."
            refuse("held_out", self.settings.held_out, expected, remedy)

    def trial(self, method: str, number: int, parameters: Parameters) -> tuple[float, list[TrialRow]]:
        """Train without the examples held out; return the mean error on these in percent, and the rows."""
        seeds = range(self.settings.seed, self.settings.seed + self.settings.seeds)
        rows = self._rows("search", method, number, parameters, seeds, held_out(self.data, self._kept))
        rows = [row._replace(split=HELD_OUT) for row in rows if row.split == "test"]
        return float(np.mean([row.value for row in rows if row.metric == "error"])), rows

    def test(self, method: str, parameters: Parameters) -> list[TrialRow]:
        """Train on all training examples with seeds that no trial had; the test split is used here alone."""
        first = self.settings.seed + self.settings.seeds
        return self._rows("test", method, -1, parameters, range(first, first + self.settings.test_seeds), self.data)

    @property
    def _kept(self) -> int:
        return len(self.data.train) - round(self.settings.held_out * len(self.data.train))

    def _rows(
        self, stage: str, method: str, number: int, parameters: Parameters, seeds: Sequence[int], dataset: Dataset
    ) -> list[TrialRow]:
        """Train a method with each seed, all in step; return a row for each metric at the end."""
        spelt = json.dumps(dict(sorted(parameters.items())))
        return [
            TrialRow(self.settings.epochs, split, metric, value, stage, method, number, seeds[replica], spelt)
            for replica, split, metric, value in ended(self._replicas(method, parameters, seeds), dataset, self.backend)
        ]

    def _replicas(self, method: str, parameters: Parameters, seeds: Sequence[int]) -> list[ClassifierSettings]:
        """Return the settings of classifiers that differ in their seeds."""
        shared = self.settings.model_dump(
            include={"dataset", "epochs", "batch", "momentum", "train_limit", "test_limit", "angle_examples"}
        )
        own = {"sizes": self.sizes, **own_keys(method, parameters, len(self.sizes) - 1)}
        fixed = {"data_seed": self.settings.seed, "on_divergence": "drop"}
        return replicas(ClassifierSettings, shared | own | fixed, {"seed": list(seeds)})
