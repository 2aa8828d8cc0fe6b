"""The settings of `stale-feedback`, and the names of its members."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from circuitsim.scenarios.fields import IMAGES, CampaignSettings, Count, NonNegative, Sizes, TwoOrMore, among, must

COPIES, DEFERRED, RANDOM = "copies", "deferred", "random"  # the members


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
    seeds: TwoOrMore = 5
    epochs: Count = 1
    batch: Count = 20
    lr: NonNegative = 0.1
    angle_examples: Count = 1000
