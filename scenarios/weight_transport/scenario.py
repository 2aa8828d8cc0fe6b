"""All kinds of feedback that may replace transposed weights, compared on several data sets and depths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.runs.scenario import Campaign, Member, MemberRun
from circuitsim.scenarios.fields import (
    CLASSES,
    IMAGES,
    CampaignSettings,
    Count,
    CountOrZero,
    NonNegative,
    Replicates,
    each_once,
    expected_each_once,
    must,
)

DECAYING = "kp"  # the method whose weights, forward and feedback, decay
MIRROR: Mapping[str, Any] = {
    "noise": "gaussian",
    "scale": 0.5,
    "rate": 0.1,
    "decay": 0.01,
    "block_bias": True,
    "passes_per_update": 1,
}


class WeightTransportSettings(CampaignSettings):
    """The settings of `weight-transport`."""

    datasets: Annotated[list[str], each_once(IMAGES)] = Field(
        ["digits", "mnist", "cifar10"], description=expected_each_once(IMAGES)
    )
    hidden: Annotated[list[list[int]], must(lambda all_: bool(all_) and all(n >= 1 for one in all_ for n in one))] = (
        Field(
            [[256, 64], [256, 128, 64, 32]], description="a list of lists of whole numbers >= 1, hidden units by layer"
        )
    )
    methods: Annotated[list[str], each_once(FEEDBACK)] = Field(list(FEEDBACK), description=expected_each_once(FEEDBACK))
    seeds: Replicates = 5
    epochs: CountOrZero = 5
    lr: NonNegative = 0.1
    weight_decay: NonNegative = Field(3e-4, description=f"a number >= 0, for {DECAYING} alone")
    angle_examples: Count = 1000


def members(settings: WeightTransportSettings) -> list[Member]:
    """Return, for each data set and depth, a run of the methods without weight decay and one of that with it."""
    return [
        _member(settings, dataset, sizes, part, suffix)
        for dataset in settings.datasets
        for sizes in ([IMAGES[dataset], *hidden, CLASSES] for hidden in settings.hidden)
        for part, suffix in _parts(settings)
    ]


def _parts(settings: WeightTransportSettings) -> list[tuple[list[str], str]]:
    """Return the methods whose settings agree, and the suffix of their member's name."""
    steady = [method for method in settings.methods if method != DECAYING]
    decaying = [method for method in settings.methods if method == DECAYING]
    return [(part, suffix) for part, suffix in ((steady, ""), (decaying, f"-{DECAYING}")) if part]


def _member(
    settings: WeightTransportSettings, dataset: str, sizes: list[int], methods: list[str], suffix: str
) -> Member:
    values = settings.shared("lr", "angle_examples") | {"dataset": dataset, "sizes": sizes, "mirror": dict(MIRROR)}
    values |= {"weight_decay": settings.weight_decay if suffix else 0.0}
    return settings.member(
        f"{dataset}-{'-'.join(map(str, sizes))}{suffix}", "classifier", values, {"feedback": methods}
    )


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.weight_transport import report  # imports what draws

    report.finish(folder, runs, config)


QUICK: Mapping[str, Any] = {
    "datasets": ["digits"],
    "hidden": [[32], [32, 16]],
    "seeds": 2,
    "epochs": 1,
    "batch": 20,
    "train_limit": 400,
    "test_limit": 100,
    "angle_examples": 100,
}

SCENARIO = Campaign(
    name="weight-transport",
    description="all kinds of feedback of `classifier` on several data sets and depths: errors, angles, windows",
    settings=WeightTransportSettings,
    members=members,
    finish=finish,
    quick=QUICK,
)
