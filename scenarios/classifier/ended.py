"""Circuits trained in step, for searches, and their final metrics."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from circuitsim.errors import Diverged
from circuitsim.runs.base import LearningScenario
from circuitsim.runs.config import Settings, TrainingSettings
from circuitsim.scenarios.classifier.scenario import SCENARIO as CLASSIFIER
from circuitsim.scenarios.classifier.settings import ClassifierSettings

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.runs.study import Study

WORST = 100.0  # percent, of a circuit that diverged
_LEFT_OUT = ("seconds", "running_loss")


def fingerprint(settings: Settings, backend: str, dataset: Dataset) -> str:
    """Hash all that decides the result of a search: its settings, the backend and its data."""
    found = hashlib.sha256(f"{json.dumps(settings.model_dump())} {backend}".encode())
    for x in (dataset.train, dataset.test, dataset.train_labels, dataset.test_labels):
        found.update(b"" if x is None else zlib.crc32(x.data).to_bytes(4, "big"))
    return found.hexdigest()


def ended(
    settings: Sequence[ClassifierSettings], dataset: Dataset, backend: str, scenario: LearningScenario = CLASSIFIER
) -> list[tuple[int, str, str, float]]:
    """Train; return the final metrics (replica, split, metric, value), the worst error of a replica that diverged."""
    study = trained(scenario, settings, dataset, backend)
    left = set(study.alive())
    last = [(r, s, m, v) for r, e, s, m, v in study.metrics if e == study.epochs and m not in _LEFT_OUT]
    lost = [(r, *row) for r in range(len(settings)) if r not in left for row in _LOST]
    return [row for row in last if row[0] in left] + lost


_LOST = (("test", "error", WORST), ("test", "diverged", 1.0))


def trained(scenario: LearningScenario, settings: Sequence[TrainingSettings], dataset: Dataset, backend: str) -> Study:
    """Train circuits in step to the end, or until all have diverged; nothing is written."""
    from circuitsim.runs.study import Study  # imports the engine

    study = Study(scenario, settings, dataset, backend)
    with suppress(Diverged):  # all have
        study.begin()
        while study.epoch < study.epochs:
            for _ in study.train_epoch(float("inf")):
                pass
            study.end_epoch()
    return study
