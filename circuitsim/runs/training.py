"""Carries out a study in a folder: trains, measures, writes checkpoints, and stops as the interface says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from circuitsim import data
from circuitsim.errors import Diverged, Interrupted, TensorError
from circuitsim.runs import runfolder, signals
from circuitsim.runs.config import Settings, replicas
from circuitsim.runs.progress import RunProgress
from circuitsim.runs.request import Conclusion, Request
from circuitsim.runs.scenario import Scenario
from circuitsim.runs.study import Study

STRETCH = 0.05  # seconds: a bar that moves, and a hand on Ctrl-C, notice nothing of it


def run(scenario: Scenario, request: Request, console: Console, interrupted: list[int] | None = None) -> Conclusion:
    """Check all of a request, then start a run folder and carry the run out.

    Parameters
    ----------
    interrupted : signals received, where the caller notes them; None: they are noted here.
    """
    runfolder.check_free(request.out, request.overwrite)
    settings = replicas(scenario.settings, request.values, request.vary)
    study = make_study(scenario, settings, request.backend)
    if request.init is not None:
        _initialise(study, scenario, request.init)
    config = runfolder.describe_study(study, request.vary)
    runfolder.start(request.out, study, config)
    return carry_out(request.out, study, config, console, interrupted)


def resume(
    scenario: Scenario,
    folder: Path,
    config: Mapping[str, Any],
    console: Console,
    interrupted: list[int] | None = None,
) -> Conclusion:
    """Go on where a study stopped; nothing is left to do for one that is complete but its report."""
    settings = runfolder.read_settings(folder, config, scenario.settings)
    study = make_study(scenario, settings, str(config["backend"]))
    for refused in runfolder.restore(folder, study):
        console.print(f"refused: {refused}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(f"resuming at epoch {study.epoch}, batch {study.batch}", highlight=False)
    return carry_out(folder, study, config, console, interrupted)


def make_study(scenario: Scenario, settings: Sequence[Settings], backend: str) -> Study:
    """Load the data, check the settings against it, and build the circuits."""
    first = settings[0]
    loaded = data.load(first.dataset, first.dtype, first.train_limit, first.test_limit)
    for one in settings:
        scenario.check(one, loaded)
    return Study(scenario, settings, loaded, backend)


def carry_out(
    folder: Path, study: Study, config: Mapping[str, Any], console: Console, interrupted: list[int] | None = None
) -> Conclusion:
    """Train to the last epoch; whatever ends the run, what was done is in the folder.

    Raises
    ------
    Diverged : after the final weights, metrics and report have been written. Interrupted : after a checkpoint.
    """
    diverged = None
    noting = signals.noted() if interrupted is None else nullcontext(interrupted)
    with noting as received, RunProgress(study, console) as progress:
        try:
            _train(folder, study, config, progress, received)
        except Diverged as error:
            diverged = error
    runfolder.write_metrics(folder, study, list(config["vary"]))
    runfolder.save_tensors(folder / runfolder.FINAL, study.tensors())
    study.scenario.finish(folder, study, config)
    if diverged:
        raise diverged
    return _concluded(folder, study, list(config["vary"]))


def _concluded(folder: Path, study: Study, vary: Sequence[str]) -> Conclusion:
    """How each group of replicas ended on the test split, and which replicas were lost."""
    lost = sorted(set(range(len(study.settings))) - set(study.alive()))
    notes = (f"diverged and dropped: replica {', '.join(map(str, lost))}",) if lost else ()
    return Conclusion(folder, notes, tuple(study.summary(vary)))


def _train(
    folder: Path, study: Study, config: Mapping[str, Any], progress: RunProgress, interrupted: list[int]
) -> None:
    every = study.common.checkpoint_every
    if not study.metrics:
        study.begin()
        progress.measured()
        runfolder.save_checkpoint(folder, study)
    while study.epoch < study.epochs:
        for batch in study.train_epoch(STRETCH):
            progress.presented()
            if interrupted:
                _stop(folder, study)
            if every and (study.epoch * study.batches + batch) % every == 0:
                runfolder.save_checkpoint(folder, study)
        study.end_epoch()
        runfolder.write_metrics(folder, study, list(config["vary"]))
        runfolder.save_checkpoint(folder, study)
        progress.measured()
        if interrupted and study.epoch < study.epochs:  # after the last epoch only writing is left
            _stop(folder, study)


def _stop(folder: Path, study: Study) -> None:
    runfolder.save_checkpoint(folder, study)
    raise Interrupted(f"interrupted in epoch {study.epoch + 1} after {study.batch} of {study.batches} batches", folder)


def _initialise(study: Study, scenario: Scenario, path: Path) -> None:
    """Load `--init`: any subset of the scenario's tensor names, each in the shape that the sizes give."""
    shapes = scenario.tensor_shapes(study.common)
    tensors = runfolder.read_tensors(path)
    for name, values in tensors.items():
        what = f"tensor {name} of {path}"
        if name not in shapes:
            known = ", ".join(sorted(shapes))
            raise TensorError(what, got="an unknown name", expected=f"one of {known}", remedy="Remove or rename it.")
        if values.shape != shapes[name]:
            raise TensorError(
                what,
                got=f"shape {values.shape}",
                expected=f"{shapes[name]}, as sizes = {study.common.sizes} has",
                remedy="Match the sizes; tensors of several replicas must be split, --init serves every replica.",
            )
        if values.dtype not in ("float32", "float64") or not _fits(values, study.common.dtype):
            raise TensorError(
                what,
                got=f"{values.dtype}, or values that are not finite in {study.common.dtype}",
                expected="finite float32 or float64",
                remedy="Correct the values.",
            )
    for name, values in tensors.items():
        study.load(name, values)


def _fits(values: np.ndarray, dtype: str) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(values.astype(dtype)).all())
