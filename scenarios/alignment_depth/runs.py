"""The classifiers that `alignment-depth` trains: in trials, then with the settings that were found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from circuitsim.analysis.error_signals import error_signals
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.networks import RESIDUAL, normalised
from circuitsim.randomness import generator
from circuitsim.runs.base import Figures
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.alignment_depth.settings import AlignmentDepthSettings
from circuitsim.scenarios.classifier.ended import ended
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.classifier.search import Parameters, SearchData, judged
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.feedback_search.runs import with_coefficients

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

STANDARDISE = "channel"


class TrialRow(NamedTuple):
    """A row of the table of numbers."""

    epoch: int
    split: str
    metric: str
    value: float
    stage: str
    network: str
    feedback: str
    trial: int
    noise: float
    seed: int
    parameters: str


def inspect(simulator: Simulator, settings: ClassifierSettings, data: Dataset) -> Figures:
    """Return what `classifier` measures, and rank and size of the errors."""
    found = CLASSIFIER.inspect(simulator, settings, data)
    first = slice(settings.angle_examples)
    return found | error_signals(simulator, data.train[first], np.asarray(data.train_labels)[first])


def noisy(level: float, seed: int) -> Scenario:
    """Return `classifier` with noise after each update: weights and biases get lr times a normal number times a level.

    The same hook serves all replicas, which get different numbers.
    """
    from circuitsim.engine.hooks import Hook  # imports the engine

    made = replace(CLASSIFIER, inspect=inspect)
    if not level:
        return made
    rates: list[float] = []
    count = 0

    def disturb(tensors: Mapping[str, np.ndarray]) -> None:
        nonlocal count
        for name, array in tensors.items():
            drawn = generator(seed, f"noise of {name}", count).standard_normal(array.shape)
            array += (level * rates[0] * drawn).astype(array.dtype)
        count += 1

    hook = Hook(disturb)

    def design(settings: ClassifierSettings) -> Design:
        rates[:] = [settings.rate("lr", settings.top)]
        return replace(CLASSIFIER.design(settings), hooks=(hook,))

    return replace(made, design=design)


def own_keys(method: str, parameters: Parameters, rates: int, learning: int) -> dict[str, Any]:
    """Return the keys of `classifier` that a method's parameters stand for.

    Parameters
    ----------
    rates : number of layers with weights. learning : number of them, from the top, that learn in `frozen`.

    >>> own_keys("kp", {"lr": 0.1, "weight_decay": 1e-4}, 3, 1)
    {'feedback': 'kp', 'lr': 0.1, 'weight_decay': 0.0001}
    >>> own_keys("frozen", {"lr": 0.1}, 3, 1)
    {'feedback': 'bp', 'lr': [0.0, 0.0, 0.1]}
    """
    own = {key: value for key, value in parameters.items() if key != "lr"}
    if method == "frozen":
        return {"feedback": "bp", "lr": [0.0] * (rates - learning) + [parameters["lr"]] * learning}
    return with_coefficients(method, parameters["lr"], own)


class Runs(SearchData):
    """Trains residual networks on a search's data.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: AlignmentDepthSettings, backend: str) -> None:
        from circuitsim.data import preprocessed

        super().__init__(settings, backend)
        self.settings = settings
        self.data = preprocessed(self.data, downsample=settings.downsample, standardise=STANDARDISE)

    def check_all(self) -> None:
        """Refuse data that a classifier cannot learn, and too few examples to hold some out."""
        self.check(self.settings_of(self.settings.network, "bp", {"lr": 0.1}, [0]))

    def trial(self, method: str, number: int, parameters: Parameters) -> tuple[float, list[TrialRow]]:
        """Train without the examples held out; return the mean error on these in percent, and the rows."""
        where = "search", self.settings.network, method, number, 0.0
        return judged(self._rows(where, parameters, self.seeds, self.reduced))

    def test(self, network: str, method: str, parameters: Parameters, noise: float = 0.0) -> list[TrialRow]:
        """Train on all training examples with seeds that no trial had; the test split is used here alone."""
        where = "noise" if noise else "test", network, method, -1, noise
        return self._rows(where, parameters, self.test_seeds, self.data)

    def _rows(
        self, where: tuple[str, str, str, int, float], parameters: Parameters, seeds: Sequence[int], dataset: Dataset
    ) -> list[TrialRow]:
        """Train with each seed, all in step; return a row for each metric at the end."""
        _, network, method, _, noise = where
        spelt, scenario = json.dumps(dict(sorted(parameters.items()))), noisy(noise, self.settings.seed)
        found = ended(self.settings_of(network, method, parameters, seeds), dataset, self.backend, scenario)
        return [
            TrialRow(self.settings.epochs, split, metric, value, *where, seeds[replica], spelt)
            for replica, split, metric, value in found
        ]

    def settings_of(
        self, network: str, method: str, parameters: Parameters, seeds: Sequence[int]
    ) -> list[ClassifierSettings]:
        """Return the settings of classifiers that differ in their seeds."""
        texts = list(RESIDUAL[network])
        whole = texts if self.settings.norm == "none" else normalised(texts, self.settings.norm)
        rates = len(parse_layers(whole, (1, 64, 64)).weighted)  # the image's size changes no number of layers
        fixed = {"network": network, "norm": self.settings.norm, "hidden": "relu", "momentum": self.settings.momentum,
                 "downsample": self.settings.downsample, "standardise": STANDARDISE}  # fmt: skip
        return self.replicas({**fixed, **own_keys(method, parameters, rates, _last(rates, whole))}, seeds)


def _last(rates: int, texts: Sequence[str]) -> int:
    """Return the number of layers with weights in the last block and above it, of so many in all."""
    blocks = [k for k, text in enumerate(texts) if text.startswith(("residual", "chain", "conv"))]
    below = parse_layers([*texts[: blocks[-1]], "dense 1"], (1, 64, 64))
    return rates - len(below.weighted) + 1
