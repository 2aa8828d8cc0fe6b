"""Carries out a run in a folder: trains, measures, writes checkpoints, and stops as the interface says."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from rich.console import Console

from circuitsim import data, runfolder
from circuitsim.config import Settings, build, replicas
from circuitsim.errors import Diverged, Interrupted, RunFolderError, TensorError
from circuitsim.progress import RunProgress
from circuitsim.scenario import Scenario, load_scenario
from circuitsim.study import Study


@dataclass(frozen=True)
class Request:
    """What the user asked for: a scenario, values for its keys, and where to put the run."""

    scenario: Scenario
    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]]
    backend: str
    out: Path
    init: Path | None = None
    overwrite: bool = False


def run(request: Request, console: Console) -> Study:
    """Check all of a request, then start a run folder and carry the run out."""
    runfolder.check_free(request.out, request.overwrite)
    settings = replicas(request.scenario.settings, request.values, request.vary)
    study = make_study(request.scenario, settings, request.backend)
    if request.init is not None:
        _initialise(study, request.scenario, request.init)
    config = runfolder.describe(request.scenario.name, settings, request.vary, request.backend, study)
    runfolder.start(request.out, study, config)
    return carry_out(request.out, study, config, console)


def resume(folder: Path, console: Console) -> Study:
    """Go on where the run in a folder stopped; nothing is left to do for one that is complete but its report."""
    config = runfolder.read_config(folder)
    scenario = load_scenario(str(config["scenario"]))
    try:
        settings = [build(scenario.settings, one) for one in config["given"]["settings"]]
        _ = settings[0], [getattr(settings[0], key) for key in config["vary"]]
    except (TypeError, LookupError, AttributeError) as error:
        raise RunFolderError(
            f"run folder {folder}",
            got=f"settings that cannot be read ({error})",
            expected="config.json as the run wrote it",
            remedy="Start the run again.",
        ) from None
    study = make_study(scenario, settings, str(config["backend"]))
    for refused in runfolder.restore(folder, study):
        console.print(f"refused: {refused}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(f"resuming at epoch {study.epoch}, batch {study.batch}", highlight=False)
    return carry_out(folder, study, config, console)


def make_study(scenario: Scenario, settings: Sequence[Settings], backend: str) -> Study:
    """Load the data, check the settings against it, and build the circuits."""
    first = settings[0]
    loaded = data.load(first.dataset, first.dtype, first.train_limit, first.test_limit)
    for one in settings:
        scenario.check(one, loaded)
    return Study(scenario, settings, loaded, backend)


def carry_out(folder: Path, study: Study, config: Mapping[str, Any], console: Console) -> Study:
    """Train to the last epoch; whatever ends the run, what was done is in the folder.

    Raises
    ------
    Diverged : after the final weights, metrics and report have been written. Interrupted : after a checkpoint.
    """
    diverged = None
    with _interruptible() as interrupted, RunProgress(study, console) as progress:
        try:
            _train(folder, study, config, progress, interrupted)
        except Diverged as error:
            diverged = error
    runfolder.write_metrics(folder, study, list(config["vary"]))
    runfolder.save_tensors(folder / runfolder.FINAL, study.tensors())
    study.scenario.finish(folder, study, config)
    if diverged:
        raise diverged
    return study


def _train(
    folder: Path, study: Study, config: Mapping[str, Any], progress: RunProgress, interrupted: list[int]
) -> None:
    every = study.common.checkpoint_every
    if not study.metrics:
        study.begin()
        progress.measured()
        runfolder.save_checkpoint(folder, study)
    while study.epoch < study.common.epochs:
        for batch in study.train_epoch():
            progress.presented()
            if interrupted:
                _stop(folder, study)
            if every and (study.epoch * study.batches + batch) % every == 0:
                runfolder.save_checkpoint(folder, study)
        study.end_epoch()
        runfolder.write_metrics(folder, study, list(config["vary"]))
        runfolder.save_checkpoint(folder, study)
        progress.measured()
        if interrupted and study.epoch < study.common.epochs:  # after the last epoch only writing is left
            _stop(folder, study)


def _stop(folder: Path, study: Study) -> None:
    runfolder.save_checkpoint(folder, study)
    raise Interrupted(
        f"interrupted in epoch {study.epoch + 1} after {study.batch} of {study.batches} batches; "
        f"go on with: circuitsim resume {folder}"
    )


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM for the loop to see between presentations; a second one acts at once."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
