"""The classifiers that `feedback-search` trains, in each trial and with the settings that were found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitsim.scenarios.classifier.ended import ended
from circuitsim.scenarios.classifier.search import Parameters, SearchData, judged
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.feedback_search.settings import FeedbackSearchSettings

if TYPE_CHECKING:
    from circuitsim.data import Dataset

MIRROR: Mapping[str, Any] = {"noise": "gaussian", "scale": 0.5, "block_bias": True, "passes_per_update": 1}
UNIT: Mapping[str, Mapping[str, float]] = {"ia": {"amp": 1.0}, "sa": {"self": 1.0}, "aa": {"amp": 1.0}}
"""Coefficients that are not searched: the rate scales them."""


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
    return with_coefficients(method, rates, own)


def with_coefficients(method: str, lr: float | list[float], own: Parameters) -> dict[str, Any]:
    """Return the keys of `classifier` for a method, its rates and its own coefficients."""
    found: dict[str, Any] = {"feedback": method, "lr": lr}
    if method == "wm":
        return found | {"mirror": {**MIRROR, **own}}
    if method in UNIT:
        return found | {"primitives": {**UNIT[method], **own}}
    return {**found, **own}


class Runs(SearchData):
    """Trains classifiers on a search's data.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: FeedbackSearchSettings, backend: str) -> None:
        super().__init__(settings, backend)
        self.settings = settings
        self.sizes = [self.data.features, *settings.hidden, self.classes]

    def check_all(self) -> None:
        """Refuse data that a classifier cannot learn, and too few examples to hold some out."""
        self.check(self.settings_of("bp", {"top": 0.1, "below": 0.1}, [0]))

    def trial(self, method: str, number: int, parameters: Parameters) -> tuple[float, list[TrialRow]]:
        """Train without the examples held out; return the mean error on these in percent, and the rows."""
        return judged(self._rows("search", method, number, parameters, self.seeds, self.reduced))

    def test(self, method: str, parameters: Parameters) -> list[TrialRow]:
        """Train on all training examples with seeds that no trial had; the test split is used here alone."""
        return self._rows("test", method, -1, parameters, self.test_seeds, self.data)

    def _rows(
        self, stage: str, method: str, number: int, parameters: Parameters, seeds: Sequence[int], dataset: Dataset
    ) -> list[TrialRow]:
        """Train a method with each seed, all in step; return a row for each metric at the end."""
        spelt = json.dumps(dict(sorted(parameters.items())))
        found = ended(self.settings_of(method, parameters, seeds), dataset, self.backend)
        return [
            TrialRow(self.settings.epochs, split, metric, value, stage, method, number, seeds[replica], spelt)
            for replica, split, metric, value in found
        ]

    def settings_of(self, method: str, parameters: Parameters, seeds: Sequence[int]) -> list[ClassifierSettings]:
        own = own_keys(method, parameters, len(self.sizes) - 1)
        return self.replicas({"sizes": self.sizes, **own}, seeds)
