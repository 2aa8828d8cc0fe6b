"""Feedback rules tuned on a small residual network, with equally many trials each, and carried to deeper ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.kernels import BACKENDS
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.alignment_depth.runs import Runs, TrialRow
from circuitsim.scenarios.alignment_depth.settings import AlignmentDepthSettings
from circuitsim.scenarios.classifier.search import all_trials, least, tested
from circuitsim.scenarios.trials import FILE, Notebook, Search, require_optuna

if TYPE_CHECKING:
    import pandas as pd


def check(settings: AlignmentDepthSettings) -> None:
    """Refuse a search without optuna, or with data that do not fit."""
    require_optuna("scenario alignment-depth")
    Runs(settings, "numba").check_all()


def compute(settings: AlignmentDepthSettings, kept: Path, backend: str, show: Callable[[str], None]) -> pd.DataFrame:
    """Return errors of trials on held-out examples, then each rule at its best setting on each network and with noise.

    Columns beside epoch, split, metric and value: stage (search, test or noise), network, feedback, trial (-1: none),
    noise (standard deviation over the rate, after each update), seed, parameters (JSON).
    """
    import pandas as pd

    runs, found = Runs(settings, backend), list[Any]()
    cases = [(network, 0.0) for network in (settings.network, *settings.carried)]
    cases += [(settings.network, noise) for noise in settings.noise]
    with Notebook(kept / FILE, runs.fingerprint) as notebook:
        for method in settings.methods:
            search = Search(notebook, f"trials of {method}", settings.ranges(method), settings.startup, settings.seed)
            trials = all_trials(search, method, settings.trials, partial(runs.trial, method), show)
            found += [row for trial in trials for row in trial.rows]
            for network, noise in cases:
                name = f"{method} on {network}{f' with noise {noise:g}' if noise else ''}"
                test = partial(runs.test, network, method, least(trials).parameters, noise)
                found += tested(notebook, name, test, f"{name}: evaluated on test examples", show)
    return pd.DataFrame([TrialRow(*row) for row in found], columns=list(TrialRow._fields))


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.alignment_depth import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {
    "downsample": 4,
    "carried": ["chain20"],
    "methods": ["bp", "fa", "kp", "wm", "frozen"],
    "trials": 3,
    "startup": 2,
    "noise": [1.0],
    "test_seeds": 2,
    "epochs": 1,
    "train_limit": 200,
    "test_limit": 100,
    "angle_examples": 20,
}

SCENARIO = Computation(
    name="alignment-depth",
    description="feedback rules tuned on ResNet-8 (TPE, equal budgets), carried to ResNet-20 and to a chain",
    settings=AlignmentDepthSettings,
    compute=compute,
    finish=finish,
    check=check,
    keeps=True,
    backends=tuple(BACKENDS),
    quick=QUICK,
)
