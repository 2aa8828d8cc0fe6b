"""Table 5 of Baldi & Sadowski 2018 row by row, beside backpropagation, the top layer alone and circular layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from circuitsim.circuits.channels import ROWS
from circuitsim.runs.scenario import Campaign, Member, MemberRun
from circuitsim.scenarios.fields import IMAGES, CampaignSettings, Positive, each_once, expected_each_once
from circuitsim.scenarios.layouts import BIDIRECTIONAL, CONJOINED, REFERENCES

GROUPS: Mapping[str, tuple[str, ...]] = {
    "references": REFERENCES,
    "circular": (*BIDIRECTIONAL, *CONJOINED),
    "outputs": tuple(row for row in ROWS if row.startswith(("row1", "row2", "row3"))),
    "errors": tuple(row for row in ROWS if row.startswith(("row4", "row5", "row6"))),
    "mixed": tuple(row for row in ROWS if row.startswith(("row7", "row8"))),
}


class LearningChannelsSettings(CampaignSettings):
    """The settings of `learning-channels`."""

    datasets: Annotated[list[str], each_once(IMAGES)] = Field(["mnist"], description=expected_each_once(IMAGES))
    units: int = Field(20, ge=1, le=10**6, description="a whole number from 1 to 10^6, of the hidden layer")
    lr: Positive = 0.01


def members(settings: LearningChannelsSettings) -> list[Member]:
    """Return, for each data set, a run of each group of layouts."""
    shared = settings.shared("lr")
    return [
        settings.member(
            f"{dataset}-{group}",
            "layouts",
            shared | {"dataset": dataset, "sizes": [IMAGES[dataset], settings.units, IMAGES[dataset]]},
            {"layout": list(layouts)},
        )
        for dataset in settings.datasets
        for group, layouts in GROUPS.items()
    ]


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.learning_channels import report  # imports what draws

    report.finish(folder, runs, config)


QUICK: Mapping[str, Any] = {"datasets": ["digits"], "units": 16, "seeds": 2, "epochs": 20, "batch": 10}

SCENARIO = Campaign(
    name="learning-channels",
    description="Table 5: the learning channels that a standard autoencoder needs, beside circular layouts",
    settings=LearningChannelsSettings,
    members=members,
    finish=finish,
    quick=QUICK,
)
