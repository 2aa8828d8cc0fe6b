"""A search for a weight mirror's rate, decay and noise at each of several depths, and a test of their transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.kernels import BACKENDS
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.mirror_search.runs import Runs, TrialRow
from circuitsim.scenarios.mirror_search.settings import SEARCHED, MirrorSearchSettings
from circuitsim.scenarios.trials import FILE, Notebook, Search, Trial, require_optuna

if TYPE_CHECKING:
    import pandas as pd


def check(settings: MirrorSearchSettings) -> None:
    """Refuse a search without optuna, or with data that do not fit."""
    require_optuna("mirror-search")
    Runs(settings, "numba").check()


def compute(settings: MirrorSearchSettings, kept: Path, backend: str, show: Callable[[str], None]) -> pd.DataFrame:
    """Return the trials' errors on held-out examples, then those of each depth's best settings at every depth.

    Columns beside epoch, split, metric and value: stage (search or transfer), depth, trial (-1: none), source (the
    depth at which the settings were found), feedback, seed, rate, decay, scale.
    """
    import pandas as pd

    runs = Runs(settings, backend)
    with Notebook(kept / FILE, runs.fingerprint) as notebook:
        found = {name: _searched(settings, runs, notebook, name, show) for name in runs.depths}
        best = {name: min(trials, key=lambda trial: trial.value) for name, trials in found.items()}
        transfer = [row for name in runs.depths for row in _transferred(runs, notebook, name, best, show)]
    searched = [TrialRow(*row) for trials in found.values() for trial in trials for row in trial.rows]
    return pd.DataFrame([*searched, *transfer], columns=list(TrialRow._fields))


def _searched(
    settings: MirrorSearchSettings, runs: Runs, notebook: Notebook, name: str, show: Callable[[str], None]
) -> list[Trial]:
    """Return all trials at a depth; those in the notebook are not repeated."""
    ranges = {key: (float(getattr(settings, key)[0]), float(getattr(settings, key)[1])) for key in SEARCHED}
    search = Search(notebook, name, ranges, settings.startup, settings.seed)
    while len(done := search.trials()) < settings.trials:
        parameters = search.propose(done)
        value, rows = runs.trial(name, len(done), parameters)
        search.record(parameters, value, rows)
        least = min([value, *(trial.value for trial in done)])
        show(f"{name}: trial {len(done) + 1} of {settings.trials}: error {value:.4g} %, least {least:.4g} %")
    return done


def _transferred(
    runs: Runs, notebook: Notebook, name: str, best: Mapping[str, Trial], show: Callable[[str], None]
) -> list[TrialRow]:
    """Return the results of each depth's best settings, bp and fa at one depth."""
    rows = notebook.kept(name)
    if rows is None:
        made = runs.transfer(name, {source: trial.parameters for source, trial in best.items()})
        notebook.keep(name, rows := [list(row) for row in made])
        show(f"{name}: settings of all depths evaluated on test examples")
    return [TrialRow(*row) for row in rows]


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
