"""The classifiers that `mirror-search` trains, in each trial and with the settings that were found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitsim.scenarios.classifier.ended import ended
from circuitsim.scenarios.classifier.search import Parameters, SearchData, judged
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.mirror_search.settings import SEARCHED, MirrorSearchSettings

if TYPE_CHECKING:
    from circuitsim.data import Dataset

MIRROR: Mapping[str, Any] = {"noise": "gaussian", "block_bias": True, "passes_per_update": 1}
COMPARED = ("bp", "fa")


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


class Runs(SearchData):
    """Trains classifiers on a search's data.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: MirrorSearchSettings, backend: str) -> None:
        super().__init__(settings, backend)
        self.settings = settings
        sizes = [[self.data.features, *hidden, self.classes] for hidden in settings.hidden]
        self.depths = {depth_name(one): one for one in sizes}

    def check_all(self) -> None:
        """Refuse data that a classifier of some depth cannot learn, and too few examples to hold some out."""
        self.check([self.settings_of(Case("search", name, 0, name, "wm", {}), [0])[0] for name in self.depths])

    def trial(self, name: str, number: int, parameters: Parameters) -> tuple[float, list[TrialRow]]:
        """Train without the examples held out; return the mean error on these in percent, and the rows."""
        case = Case("search", name, number, name, "wm", parameters)
        return judged(self._rows([case], self.seeds, self.reduced))

    def transfer(self, name: str, found: Mapping[str, Parameters]) -> list[TrialRow]:
        """Train at a depth with the parameters found at every depth, and with bp and fa, on all training examples.

        No seed was used in the search.
        """
        cases = [Case("transfer", name, -1, source, "wm", parameters) for source, parameters in found.items()]
        cases += [Case("transfer", name, -1, "", feedback, {}) for feedback in COMPARED]
        return self._rows(cases, self.test_seeds, self.data)

    def _rows(self, cases: Sequence[Case], seeds: Sequence[int], dataset: Dataset) -> list[TrialRow]:
        """Train each case with each seed, all in step; return a row for each metric at the end."""
        settings = [one for case in cases for one in self.settings_of(case, seeds)]
        found = []
        for replica, split, metric, value in ended(settings, dataset, self.backend):
            case, seed = cases[replica // len(seeds)], seeds[replica % len(seeds)]
            found.append(TrialRow(self.settings.epochs, split, metric, value, *case.columns(seed)))
        return found

    def settings_of(self, case: Case, seeds: Sequence[int]) -> list[ClassifierSettings]:
        mirror = {**MIRROR, **case.parameters}
        own = {"lr": self.settings.lr, "sizes": self.depths[case.depth], "feedback": case.feedback, "mirror": mirror}
        return self.replicas(own, seeds)
