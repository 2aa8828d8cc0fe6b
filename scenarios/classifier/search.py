"""Parts shared by searches for the best settings of classifiers: keys, data, replicas and the loop over trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from circuitsim.runs.config import Settings, replicas
from circuitsim.runs.tables import HELD_OUT
from circuitsim.scenarios.classifier.ended import fingerprint
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.fields import Count, Limit, Replicates, must
from circuitsim.scenarios.trials import Notebook, Search, Trial

if TYPE_CHECKING:
    from circuitsim.data import Dataset

Parameters = Mapping[str, float]
Ranges = Mapping[str, tuple[float, float]]
Range = Annotated[
    list[float],
    must(lambda value: len(value) == 2 and 0 < value[0] < value[1]),
    Field(description="a list of two numbers above 0, the lower first"),
]
_OF_CLASSIFIER = {
    "dataset", "downsample", "norm", "epochs", "batch", "momentum", "train_limit", "test_limit", "angle_examples",
}  # fmt: skip


class SearchSettings(Settings):
    """The keys that every search has."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    trials: Count = 24
    startup: Count = 8
    held_out: float = Field(0.2, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: Replicates = 5
    test_seeds: Replicates = 5
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1")
    epochs: Count = 5
    batch: Count = 20
    train_limit: int | None = Field(None, ge=2, description="none, or a whole number >= 2")
    test_limit: Limit = None
    angle_examples: Count = 200

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """A search has one value of every key."""
        cls.FIXED = tuple(cls.model_fields)


class SearchData:
    """The data of a search, the seeds of its trials and of its tests, and the settings of its classifiers.

    Parameters
    ----------
    settings : of the search. backend : the kernels.
    """

    def __init__(self, settings: SearchSettings, backend: str) -> None:
        from circuitsim.data import load

        self.backend, self._settings = backend, settings
        self.data = load(settings.located(settings.dataset), "float32", settings.train_limit, settings.test_limit)
        labels = [y.max() for y in (self.data.train_labels, self.data.test_labels) if y is not None]
        self.classes = 1 + int(max(labels, default=0))
        first = settings.seed + settings.seeds
        self.seeds, self.test_seeds = range(settings.seed, first), range(first, first + settings.test_seeds)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the result of a search: its settings and its data."""
        return fingerprint(self._settings, self.backend, self.data)

    @property
    def reduced(self) -> Dataset:
        """The training examples without those held out, and these in place of the test examples."""
        from circuitsim.data import holding_out

        return holding_out(self.data, self._settings.held_out)

    def check(self, trained: Sequence[ClassifierSettings]) -> None:
        """Refuse data that a classifier cannot learn, and too few examples to hold some out."""
        for settings in trained:
            CLASSIFIER.check(settings, self.data)
        _ = self.reduced

    def replicas(self, own: Mapping[str, Any], seeds: Sequence[int]) -> list[ClassifierSettings]:
        """Return the settings of classifiers that differ in their seeds."""
        shared = self._settings.model_dump(include=_OF_CLASSIFIER)
        fixed = {"data_seed": self._settings.seed, "on_divergence": "drop"}
        return replicas(ClassifierSettings, {**shared, **own, **fixed}, {"seed": list(seeds)})


def judged(rows: Iterable[Any]) -> tuple[float, list[Any]]:
    """Return the mean error on examples held out in percent, and the rows of these examples."""
    kept = [row._replace(split=HELD_OUT) for row in rows if row.split == "test"]
    return float(np.mean([row.value for row in kept if row.metric == "error"])), kept


def all_trials(
    search: Search,
    label: str,
    count: int,
    trial: Callable[[int, Parameters], tuple[float, Sequence[Any]]],
    show: Callable[[str], None],
) -> list[Trial]:
    """Return the trials of a search; those that its notebook has are not repeated."""
    while len(done := search.trials()) < count:
        parameters = search.propose(done)
        value, rows = trial(len(done), parameters)
        search.record(parameters, value, rows)
        lowest = min([value, *(one.value for one in done)])
        show(f"{label}: trial {len(done) + 1} of {count}: error {value:.4g} %, least {lowest:.4g} %")
    return done


def tested(
    notebook: Notebook, name: str, test: Callable[[], Sequence[Any]], told: str, show: Callable[[str], None]
) -> list[list[Any]]:
    """Return the rows of a test, from the notebook if it was made before."""
    rows = notebook.kept(name)
    if rows is None:
        notebook.keep(name, rows := [list(row) for row in test()])
        show(told)
    return rows


def least(trials: Sequence[Trial]) -> Trial:
    """Return the trial of least error, the first of equals."""
    return min(trials, key=lambda trial: trial.value)
