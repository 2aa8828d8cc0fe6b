"""The classifiers that `mirror-search` trains, in each trial and with the settings that were found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from circuitsim.runs.config import refuse, replicas
from circuitsim.scenarios.classifier.ended import HELD_OUT, ended, fingerprint, held_out
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.mirror_search.settings import SEARCHED, MirrorSearchSettings

if TYPE_CHECKING:
    from circuitsim.data import Dataset

MIRROR: Mapping[str, Any] = {"noise": "gaussian", "block_bias": True, "passes_per_update": 1}
COMPARED = ("bp", "fa")

Parameters = Mapping[str, float]


class TrialRow(NamedTuple):
    """A row of the table of numbers."""

    epoch: int
    split: str
    metric: str
    value: float
    stage: str
    depth: str
    trial: int
    source: str
    feedback: str
    seed: int
    rate: float
    decay: float
    scale: float


@dataclass(frozen=True)
class Case:
    """One kind of circuit to train: stage of the run, depth, and the depth at which its parameters were found."""

    stage: str
    depth: str
    trial: int
    source: str
    feedback: str
    parameters: Parameters

    def columns(self, seed: int) -> tuple[Any, ...]:
        """Return the columns of a row from `stage` on."""
        found = [self.parameters.get(key, math.nan) for key in SEARCHED]
        return (self.stage, self.depth, self.trial, self.source, self.feedback, seed, *found)


def depth_name(sizes: Sequence[int]) -> str:
    """Return the name of a depth.

    >>> depth_name([64, 32, 10])
    '64-32-10'
    """
    return "-".join(map(str, sizes))


class Runs:
    """Trains classifiers on a search's data.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: MirrorSearchSettings, backend: str) -> None:
        from circuitsim.data import load

        self.settings, self.backend = settings, backend
        self.data = load(settings.located(settings.dataset), "float32", settings.train_limit, settings.test_limit)
        sizes = [[self.data.features, *hidden, self._classes()] for hidden in settings.hidden]
        self.depths = {depth_name(one): one for one in sizes}

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the result of a search: its settings and its data."""
        return fingerprint(self.settings, self.backend, self.data)

    def check(self) -> None:
        """Refuse data without classes, and too few examples to hold some out."""
        for name in self.depths:
            case = Case("search", name, 0, name, "wm", {})
            CLASSIFIER.check(self._replicas(case, [0])[0], self.data)
        count, kept = len(self.data.train), self._kept
        if not 0 < kept < count:
            expected = "a fraction that leaves at least one example on either side"
            refuse("held_out", self.settings.held_out, expected, f"There are {count} training examples.")

    def trial(self, name: str, number: int, parameters: Parameters) -> tuple[float, list[TrialRow]]:
        """Train without the examples held out; return the mean error on these in percent, and the rows."""
        first = self.settings.seed
        case = Case("search", name, number, name, "wm", parameters)
        rows = self._rows([case], range(first, first + self.settings.seeds), held_out(self.data, self._kept))
        rows = [row._replace(split=HELD_OUT) for row in rows if row.split == "test"]
        return float(np.mean([row.value for row in rows if row.metric == "error"])), rows

    def transfer(self, name: str, found: Mapping[str, Parameters]) -> list[TrialRow]:
        """Train at a depth with the parameters found at every depth, and with bp and fa, on all training examples.

        No seed was used in the search.
        """
        first = self.settings.seed + self.settings.seeds
        cases = [Case("transfer", name, -1, source, "wm", parameters) for source, parameters in found.items()]
        cases += [Case("transfer", name, -1, "", feedback, {}) for feedback in COMPARED]
        return self._rows(cases, range(first, first + self.settings.test_seeds), self.data)

    @property
    def _kept(self) -> int:
        return len(self.data.train) - round(self.settings.held_out * len(self.data.train))

    def _classes(self) -> int:
        labels = [y.max() for y in (self.data.train_labels, self.data.test_labels) if y is not None]
        return 1 + int(max(labels, default=0))

    def _rows(self, cases: Sequence[Case], seeds: Sequence[int], dataset: Dataset) -> list[TrialRow]:
        """Train each case with each seed, all in step; return a row for each metric at the end."""
        settings = [one for case in cases for one in self._replicas(case, seeds)]
        found = []
        for replica, split, metric, value in ended(settings, dataset, self.backend):
            case, seed = cases[replica // len(seeds)], seeds[replica % len(seeds)]
            found.append(TrialRow(self.settings.epochs, split, metric, value, *case.columns(seed)))
        return found

    def _replicas(self, case: Case, seeds: Sequence[int]) -> list[ClassifierSettings]:
        """Return the settings of classifiers that differ in their seeds."""
        shared = self.settings.model_dump(
            include={"dataset", "epochs", "batch", "lr", "train_limit", "test_limit", "angle_examples"}
        )
        own = {"sizes": self.depths[case.depth], "feedback": case.feedback, "mirror": {**MIRROR, **case.parameters}}
        fixed = {"data_seed": self.settings.seed, "on_divergence": "drop"}
        return replicas(ClassifierSettings, shared | own | fixed, {"seed": list(seeds)})
