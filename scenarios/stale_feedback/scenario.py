"""Backpropagation through old copies of the weights, and with updates applied at random times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.classifier.settings import NEVER
from circuitsim.scenarios.fields import (
    CLASSES,
    IMAGES,
    CampaignSettings,
    Count,
    NonNegative,
    Sizes,
    TwoOrMore,
    among,
    must,
)
from circuitsim.scenarios.stale_feedback.report import COPIES, DEFERRED, RANDOM, finish


def _intervals(values: list[int]) -> bool:
    return values[:1] == [1] and values == sorted(set(values)) and values[-1] <= 2**24


def _probabilities(values: list[float]) -> bool:
    return values[:1] == [1] and values == sorted(set(values), reverse=True) and values[-1] > 0


class StaleFeedbackSettings(CampaignSettings):
    """The settings of `stale-feedback`."""

    dataset: Annotated[str, among(IMAGES)] = Field("mnist", description=f"one of {', '.join(IMAGES)}")
    hidden: Sizes = Field([256, 64], description="a list of at least one whole number >= 1, hidden units by layer")
    copy_intervals: Annotated[list[int], must(_intervals)] = Field(
        [2**k for k in range(11)],
        description="a list of whole numbers of presentations from 1 to 2^24, ascending, the first of them 1",
    )
    update_probabilities: Annotated[list[float], must(_probabilities)] = Field(
        [1.0, 0.5, 0.1, 0.02], description="a list of numbers above 0, descending, the first of them 1"
    )
    seeds: TwoOrMore = 3
    epochs: Count = 1
    batch: Count = 20
    lr: NonNegative = 0.1
    angle_examples: Count = 1000


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
