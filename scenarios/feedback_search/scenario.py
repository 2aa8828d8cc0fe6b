"""Kinds of feedback, each at the best setting that the same number of trials found for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.kernels import BACKENDS
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.classifier.search import all_trials, least, tested
from circuitsim.scenarios.feedback_search.runs import Runs, TrialRow
from circuitsim.scenarios.feedback_search.settings import FeedbackSearchSettings
from circuitsim.scenarios.trials import FILE, Notebook, Search, require_optuna

if TYPE_CHECKING:
    import pandas as pd


def check(settings: FeedbackSearchSettings) -> None:
    """Refuse a search without optuna, or with data that do not fit."""
    require_optuna("scenario feedback-search")
    Runs(settings, "numba").check_all()


def compute(settings: FeedbackSearchSettings, kept: Path, backend: str, show: Callable[[str], None]) -> pd.DataFrame:
    """Return the trials' errors on held-out examples, then each method's test errors at its best setting.

    Columns beside epoch, split, metric and value: stage (search or test), feedback, trial (-1: none), seed, parameters
    (JSON).
    """
    import pandas as pd

    runs, found = Runs(settings, backend), []
    with Notebook(kept / FILE, runs.fingerprint) as notebook:
        for method in settings.methods:
            search = Search(notebook, f"trials of {method}", settings.ranges(method), settings.startup, settings.seed)
            trials = all_trials(search, method, settings.trials, partial(runs.trial, method), show)
            test = partial(runs.test, method, least(trials).parameters)
            found += [row for trial in trials for row in trial.rows]
            found += tested(notebook, method, test, f"{method}: evaluated on test examples", show)
    return pd.DataFrame([TrialRow(*row) for row in found], columns=list(TrialRow._fields))


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.feedback_search import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "hidden": [32, 16],
    "trials": 6,
    "startup": 3,
    "test_seeds": 5,
    "epochs": 4,
    "batch": 20,
    "train_limit": 600,
    "test_limit": 200,
    "angle_examples": 100,
}

SCENARIO = Computation(
    name="feedback-search",
    description="kinds of feedback of `classifier`, each at rates and coefficients found with the same budget (TPE)",
    settings=FeedbackSearchSettings,
    compute=compute,
    finish=finish,
    check=check,
    keeps=True,
    backends=tuple(BACKENDS),
    quick=QUICK,
)
