"""Backpropagation through old copies of the weights, and with updates applied at random times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.runs.scenario import Campaign, Member, MemberRun
from circuitsim.scenarios.classifier.settings import NEVER
from circuitsim.scenarios.fields import CLASSES, IMAGES
from circuitsim.scenarios.stale_feedback.settings import COPIES, DEFERRED, RANDOM, StaleFeedbackSettings


def members(settings: StaleFeedbackSettings) -> list[Member]:
    """Return a run of all copy intervals, one of all update probabilities, and one of fixed random feedback."""
    shared = settings.shared("dataset", "lr", "angle_examples")
    shared |= {"sizes": [IMAGES[settings.dataset], *settings.hidden, CLASSES]}
    seeds = {"seed": settings.seeds_of()}
    return [
        Member(COPIES, "classifier", shared, {"copy_interval": [*settings.copy_intervals, NEVER], **seeds}),
        Member(DEFERRED, "classifier", shared, {"update_probability": settings.update_probabilities, **seeds}),
        Member(RANDOM, "classifier", shared | {"feedback": "fa"}, seeds),
    ]


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    from circuitsim.scenarios.stale_feedback import report  # imports what draws

    report.finish(folder, runs, config)


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "hidden": [32, 16],
    "copy_intervals": [1, 8, 64],
    "update_probabilities": [1.0, 0.1],
    "seeds": 2,
    "epochs": 2,
    "batch": 10,
    "train_limit": 1000,
    "test_limit": 200,
    "angle_examples": 100,
}

SCENARIO = Campaign(
    name="stale-feedback",
    description="backpropagation through old copies of the weights, or with deferred updates: how stale may they be?",
    settings=StaleFeedbackSettings,
    members=members,
    finish=finish,
    quick=QUICK,
)
