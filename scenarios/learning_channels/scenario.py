"""Which learning channels must a standard autoencoder have? Table 5 row by row, beside BP, TOP and circular layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from circuitsim.circuits.channels import ROWS
from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.layouts import BIDIRECTIONAL, CONJOINED, REFERENCES
from circuitsim.scenarios.learning_channels.report import finish
from circuitsim.scenarios.weight_transport.scenario import FEATURES

GROUPS: Mapping[str, tuple[str, ...]] = {
    "references": REFERENCES,
    "circular": (*BIDIRECTIONAL, *CONJOINED),
    "outputs": tuple(row for row in ROWS if row.startswith(("row1", "row2", "row3"))),
    "errors": tuple(row for row in ROWS if row.startswith(("row4", "row5", "row6"))),
    "mixed": tuple(row for row in ROWS if row.startswith(("row7", "row8"))),
}


class LearningChannelsKeys(Settings):
    """The keys of `learning-channels`."""

    datasets: list[str] = Field(["mnist"], description=f"a list of at least one of {', '.join(FEATURES)}, each once")
    units: int = Field(20, ge=1, le=10**6, description="a whole number from 1 to 10^6, of the hidden layer")
    seeds: int = Field(5, ge=2, le=1000, description="a whole number from 2 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first of the seeds")
    epochs: int = Field(5, ge=1, description="a whole number >= 1")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    lr: float = Field(0.01, gt=0, description="a number above 0")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        got = self.datasets
        if not got or set(got) - set(FEATURES) or len(set(got)) < len(got):
            expected = str(type(self).model_fields["datasets"].description)
            refuse("datasets", got, expected, "Correct the value of datasets.")


def members(settings: LearningChannelsKeys) -> list[Member]:
    """For each data set a run of each group of Table 5, one of the circular layouts and one of BP, RBP and TOP.

    Data sets that need files are left out where these are missing.
    """
    shared = settings.model_dump(include={"epochs", "batch", "lr", "train_limit", "test_limit"})
    shared |= {"data_seed": settings.seed, "on_divergence": "drop"}
    seeds = list(range(settings.seed, settings.seed + settings.seeds))
    return [
        Member(
            f"{dataset}-{group}",
            "layouts",
            shared | {"dataset": dataset, "sizes": [FEATURES[dataset], settings.units, FEATURES[dataset]]},
            {"layout": list(layouts), "seed": seeds},
            optional=dataset != "digits",
        )
        for dataset in settings.datasets
        for group, layouts in GROUPS.items()
    ]


QUICK: Mapping[str, Any] = {"datasets": ["digits"], "units": 16, "seeds": 2, "epochs": 20, "batch": 10}

SCENARIO = Campaign(
    name="learning-channels",
    description="Table 5: which learning channels does a standard autoencoder need? And circular layouts beside it",
    settings=LearningChannelsKeys,
    members=members,
    finish=finish,
    quick=QUICK,
)
