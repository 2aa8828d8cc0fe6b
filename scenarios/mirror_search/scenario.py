"""A search for a weight mirror's rate, decay and noise at each of several depths, and a test of their transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.kernels import BACKENDS
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.classifier.search import all_trials, least, tested
from circuitsim.scenarios.mirror_search.runs import Runs, TrialRow
from circuitsim.scenarios.mirror_search.settings import SEARCHED, MirrorSearchSettings
from circuitsim.scenarios.trials import FILE, Notebook, Search, Trial, require_optuna

if TYPE_CHECKING:
    import pandas as pd


def check(settings: MirrorSearchSettings) -> None:
    """Refuse a search without optuna, or with data that do not fit."""
    require_optuna("scenario mirror-search")
    Runs(settings, "numba").check_all()


def compute(settings: MirrorSearchSettings, kept: Path, backend: str, show: Callable[[str], None]) -> pd.DataFrame:
    """Return the trials' errors on held-out examples, then those of each depth's best settings at every depth.

    Columns beside epoch, split, metric and value: stage (search or transfer), depth, trial (-1: none), source (the
    depth at which the settings were found), feedback, seed, rate, decay, scale.
    """
    import pandas as pd

    runs = Runs(settings, backend)
    with Notebook(kept / FILE, runs.fingerprint) as notebook:
        found = {name: _searched(runs, notebook, name, show) for name in runs.depths}
        best = {name: least(trials).parameters for name, trials in found.items()}
        told = "settings of all depths evaluated on test examples"
        transfer = [
            TrialRow(*row)
            for name in runs.depths
            for row in tested(notebook, name, partial(runs.transfer, name, best), f"{name}: {told}", show)
        ]
    searched = [TrialRow(*row) for trials in found.values() for trial in trials for row in trial.rows]
    return pd.DataFrame([*searched, *transfer], columns=list(TrialRow._fields))


def _searched(runs: Runs, notebook: Notebook, name: str, show: Callable[[str], None]) -> list[Trial]:
    """Return all trials at a depth."""
    settings = runs.settings
    ranges = {key: (float(getattr(settings, key)[0]), float(getattr(settings, key)[1])) for key in SEARCHED}
    search = Search(notebook, name, ranges, settings.startup, settings.seed)
    return all_trials(search, name, settings.trials, partial(runs.trial, name), show)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.mirror_search import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {
    "hidden": [[16], [16, 16, 16]],
    "trials": 8,
    "startup": 4,
    "seeds": 2,
    "test_seeds": 2,
    "epochs": 4,
    "train_limit": 600,
    "test_limit": 200,
}

SCENARIO = Computation(
    name="mirror-search",
    description="weight mirrors: the best rate, decay and noise at each of several depths (TPE), and how they transfer",
    settings=MirrorSearchSettings,
    compute=compute,
    finish=finish,
    check=check,
    keeps=True,
    backends=tuple(BACKENDS),
    quick=QUICK,
)
