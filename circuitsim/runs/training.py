"""Runs that train circuits: measure, write checkpoints, stop as the interface says, and resume to the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim import data
from circuitsim.errors import Diverged, Interrupted, RunFolderError, TensorError
from circuitsim.runs import checkpoint, noise, runfolder, signals, tables
from circuitsim.runs.base import LearningScenario
from circuitsim.runs.config import TrainingSettings, refuse, spell
from circuitsim.runs.metrics_log import MetricsLog
from circuitsim.runs.orders import check_order
from circuitsim.runs.periods import periods_of, shared_periods
from circuitsim.runs.products import check_products
from circuitsim.runs.progress import RunProgress
from circuitsim.runs.run import Run
from circuitsim.runs.scenario import Scenario
from circuitsim.runs.study import Study
from circuitsim.runs.tools import load_tool
from circuitsim.runs.translations import check_translations

GROWTH = 1.1  # metrics.parquet is written anew when it has grown by this factor: in all, that takes linear time
CHECK_INTERVAL = 0.05  # seconds between looks at progress and signals: too short to notice
_METRICS = "metrics"  # the part of a checkpoint that says which of the log's rows belong to it


def make_study(scenario: LearningScenario, settings: Sequence[TrainingSettings], backend: str) -> Study:
    """Load the data, check the settings against it, and build the circuits."""
    first = settings[0]
    stored = data.load(first.located(first.dataset), first.dtype, first.train_limit, first.test_limit)
    stored = data.holding_out(stored, first.held_out)
    scale = None if first.scale is None else (first.scale[0], first.scale[1])
    loaded = data.preprocessed(stored, downsample=first.downsample, scale=scale, standardise=first.standardise)
    if (first.train_measured or 0) > len(loaded.train):
        expected = f"at most the {len(loaded.train)} training examples"
        refuse("train_measured", first.train_measured, expected, "Lower it, or leave it out to measure all.")
    check_translations(settings, loaded)
    check_order(settings, loaded)
    for one in settings:
        scenario.check(one, loaded)
    study = Study(scenario, settings, loaded, backend)
    noise.take_noise(study)
    return study


class TrainingRun(Run[Scenario]):
    """A run that trains the replicas of a study."""

    study: Study
    _tabled = 0  # rows that metrics.parquet has

    @cached_property
    def _log(self) -> MetricsLog:
        return MetricsLog(self.folder / runfolder.LOG, self.folder / runfolder.METRICS)

    @classmethod
    def check_options(
        cls, scenario: Scenario, vary: Mapping[str, Sequence[Any]], backend: str, init: Path | None
    ) -> None:
        """Accept all options."""

    def check(self, init: Path | None) -> None:
        """Build the study, and load the first weights if a file has them."""
        self.study = make_study(self.scenario, self.settings, self.backend)
        if self.study.data.note:
            self.show(self.study.data.note, "yellow")
        if not self.settings[0].shuffle and data.sorted_by_class(self.study.data.train_labels):
            self.show("shuffle is false, and the examples are sorted by class: most batches have one class", "yellow")
        if init is not None:
            load_initial(self.study, init)

    def describe(self) -> dict[str, Any]:
        """Return the content of config.json, with the window of each replica's schedule and periods that all share."""
        windows = {index: group.simulator.schedule.window for group in self.study.groups for index in group.members}
        used = [{"window": windows[index]} for index in range(len(self.settings))]
        found = runfolder.describe(self.scenario.reference, self.settings, self.vary, self.backend, used)
        if told := noise.described(self.settings[0]):
            found["given"]["noise"] = told
        periods = shared_periods(periods_of(group.design.stages) for group in self.study.groups)
        if periods:
            found["given"]["periods"] = [asdict(one) for one in periods]
        return found

    def write_first(self) -> None:
        """Write the tensors before training."""
        runfolder.save_tensors(self.folder / runfolder.INITIAL, self.study.tensors())

    def restore(self) -> None:
        """Restore the newest whole checkpoint, or the tensors before training."""
        self.check(None)
        noise.check_same(self.folder, self.settings[0], self.config["given"].get("noise", {}))
        if not any(self._restored(*one) for one in checkpoint.newest(self.folder / runfolder.CHECKPOINTS)):
            for name, values in runfolder.read_tensors(self.folder / runfolder.INITIAL).items():
                self.study.load(name, values, by_replica=len(self.settings) > 1)
        if self.study.epoch < self.study.epochs:
            check_products(self.folder, self.config)
        self.console.print(f"resuming at epoch {self.study.epoch}, batch {self.study.batch}", highlight=False)
        before, now = self.config.get("threads"), runfolder.threads_of(self.backend)
        if before not in (None, now) and self.study.epoch < self.study.epochs:
            said = f"the run began with {before} threads and goes on with {now}: last bits of its numbers may differ"
            self.show(f"{said}; NUMBA_NUM_THREADS={before} keeps them", "yellow")

    def _restored(self, path: Path, content: dict[str, np.ndarray] | RunFolderError) -> bool:
        """Restore one checkpoint, or show why it is refused."""
        if isinstance(content, RunFolderError):
            self.show(f"refused: {content}", "yellow")
            return False
        try:
            self.study.restore(content)
            self.study.metrics = self._log.restore(content[_METRICS])
        except (KeyError, ValueError) as error:
            raise runfolder.refused(
                path,
                f"another run's content ({error})",
                f"that of {runfolder.CONFIG}",
                runfolder.ANEW,
            ) from None
        return True

    def carry_out(self) -> None:
        """Train to the last epoch, and write the final weights, metrics and report.

        Raises
        ------
        Diverged : after all files have been written. Interrupted : after a checkpoint.
        """
        study, diverged = self.study, None
        if study.metrics:  # of a run that is resumed
            self._log.append(study.metrics)
        audit, ended = load_tool("audit-run")(study), study.epoch == study.epochs
        noting = signals.noted() if self.interrupted is None else nullcontext(self.interrupted)
        with noting as interrupted, RunProgress(study, self.console) as progress:
            try:
                self._train(progress, interrupted, audit)
            except Diverged as error:
                diverged = error
        self.write_metrics()
        runfolder.save_tensors(self.folder / runfolder.FINAL, study.tensors())
        found = self._written(audit) if ended else audit.end(tuple(self.vary))
        runfolder.write_json(self.folder / runfolder.AUDIT, found)
        self.finish(self.scenario.finish, study)
        runfolder.write_json(self.folder / runfolder.AUDIT, found)  # the run's, whatever a scenario writes there
        if diverged:
            raise diverged
        lost = sorted(set(range(len(self.settings))) - set(study.alive()))
        self.notes = [f"diverged and dropped: replica {', '.join(map(str, lost))}"] if lost else []
        self.summary = study.summary(list(self.vary))

    def _written(self, audit: Any) -> dict[str, Any]:
        """Return audit.json of a run that had ended before, or audit it again where the file is of something else."""
        try:
            found: Any = runfolder.read_json(self.folder / runfolder.AUDIT)
        except RunFolderError:
            found = None
        known = isinstance(found, dict) and found.get("hash") == audit.hash
        kept: dict[str, Any] = found if known else audit.end(tuple(self.vary))
        return kept

    def _train(self, progress: RunProgress, interrupted: list[int], audit: Any) -> None:
        study, every = self.study, self.study.common.checkpoint_every
        audit.begin()
        if not study.metrics:
            study.begin()
            progress.measured()
            self.save_checkpoint()
        while study.epoch < study.epochs:
            for batch in study.train_epoch(CHECK_INTERVAL):
                progress.presented()
                if interrupted:
                    self._stop()
                if every and (study.epoch * study.batches + batch) % every == 0:
                    self.save_checkpoint()
            seconds = study.seconds
            study.end_epoch()
            audit.after_epoch(seconds)
            self.save_checkpoint()
            if len(study.metrics) >= GROWTH * self._tabled:
                self.write_metrics()
            progress.measured()
            if interrupted and study.epoch < study.epochs:  # after the last epoch only writing is left
                self._stop()

    def _stop(self) -> None:
        study = self.study
        self.save_checkpoint()
        self.write_metrics()
        where = f"interrupted in epoch {study.epoch + 1} after {study.batch} of {study.batches} batches"
        raise Interrupted(where, self.folder)

    def save_checkpoint(self) -> None:
        """Write all from which the run can go on, and the metrics so far."""
        study = self.study
        self._log.append(study.metrics)
        number = study.epoch * study.batches + study.batch
        content = study.snapshot() | {_METRICS: self._log.mark()}
        checkpoint.write(self.folder / runfolder.CHECKPOINTS, number, content)

    def write_metrics(self) -> None:
        """Write the table of all metrics so far."""
        tables.write_frame(self.folder / runfolder.METRICS, self.study.metrics_frame(list(self.vary)))
        self._tabled = len(self.study.metrics)


def load_initial(study: Study, path: Path) -> None:
    """Load `--init`: any subset of the scenario's tensors, each in the shape that the settings give."""
    shapes = _shapes(study)
    tensors = runfolder.read_tensors(path)
    for name, values in tensors.items():
        for got, expected, remedy in _faults(study, shapes, name, values):
            raise TensorError(f"tensor {name} of {path}", got=got, expected=expected, remedy=remedy)
    for name, values in tensors.items():
        study.load(name, values)


def _shapes(study: Study) -> Mapping[str, tuple[int, ...]]:
    """Return names and shapes of all tensors that a scenario's circuits may have."""
    if study.scenario.tensor_shapes is not None:
        return study.scenario.tensor_shapes(study.common)
    each = [group.simulator.tensors() for group in study.groups]
    return {name: values.shape[1:] for tensors in each for name, values in tensors.items()}


def _faults(
    study: Study, shapes: Mapping[str, tuple[int, ...]], name: str, values: np.ndarray
) -> Iterator[tuple[str, str, str]]:
    """Find what is wrong with a tensor: the value, the expected value, the remedy."""
    dtype = study.common.dtype
    if name not in shapes:
        yield "an unknown name", f"one of {', '.join(sorted(shapes))}", "Remove or rename it."
    elif values.shape != shapes[name]:
        keys = study.common.SHAPING
        given = " and ".join(f"{key} = {spell(getattr(study.common, key))}" for key in keys)
        yield (
            f"shape {values.shape}",
            f"{shapes[name]}, as {given} has" if keys else str(shapes[name]),
            f"Match the {' and '.join(keys) or 'shape'}; tensors of several replicas must be split, --init serves "
            "every replica.",
        )
    elif values.dtype not in ("float32", "float64") or not _fits(values, dtype):
        got = f"{values.dtype}, or values that are not finite in {dtype}"
        yield got, "finite float32 or float64", "Correct the values."


def _fits(values: np.ndarray, dtype: str) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(values.astype(dtype)).all())
