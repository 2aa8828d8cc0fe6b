"""Shared against untied weights, with training images translated by more and more, and with missing connections.

Source: Ott, Linstead, LaHaye & Baldi 2020; their layers and optimiser are larger: see `docs/settings.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from circuitsim.circuits.networks import untied
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.fields import (
    CLASSES,
    IMAGES,
    CampaignSettings,
    Count,
    Limit,
    Positive,
    Replicates,
    distinct,
    each_once,
    expected_each_once,
    must,
)
from circuitsim.scenarios.share.report import finish

KINDS = ("shared", "untied")
MASKS = ("synapse", "location", "source")
_SHIFTS = "a list of at least one number from 0 to below 1, each once"
PAPER: Mapping[str, Any] = {
    "channels": [64, 128, 256], "units": 1024, "epochs": 250, "batch": 128, "train_limit": None, "test_limit": None,
}  # fmt: skip
"""The sizes of the source's networks for CIFAR-10, on images of half the side."""


class ShareSettings(CampaignSettings):
    """The settings of `share`."""

    level: Literal["standard", "full"] = Field("standard", description="standard or full")
    datasets: Annotated[list[str], each_once(IMAGES)] = Field(
        ["mnist", "cifar10"], description=expected_each_once(IMAGES)
    )
    shifts: Annotated[list[float], must(lambda all_: distinct(all_) and min(all_) >= 0 and max(all_) < 1)] = Field(
        [0.0, 0.1, 0.2, 0.3], description=_SHIFTS
    )
    channels: Annotated[list[int], must(lambda n: len(n) == 3 and min(n) >= 1)] = Field(
        [8, 16, 32], description="a list of three whole numbers >= 1, maps of each layer of windows"
    )
    units: Count = 128
    density: float = Field(0.75, gt=0, lt=1, description="a number between 0 and 1")
    masks: Annotated[list[str], must(lambda names: len({*names}) == len(names) and {*names} <= {*MASKS})] = Field(
        list(MASKS), description=f"a list of {', '.join(MASKS)}, each once; it may be empty"
    )
    translated: float = Field(0.25, gt=0, lt=1, description="a number between 0 and 1")
    lr: Positive = 0.05
    momentum: float = Field(0.8, ge=0, lt=1, description="a number from 0 to below 1")
    seeds: Replicates = 5
    epochs: Count = 10
    train_limit: Limit = 10_000
    test_limit: Limit = 2000

    def model_post_init(self, _: Any) -> None:
        """Take the source's sizes for level `full`, where they are not given."""
        for key, value in PAPER.items() if self.level == "full" else ():
            if key not in self.model_fields_set:
                object.__setattr__(self, key, value)


def members(settings: ShareSettings) -> list[Member]:
    """Return, for each data set, both kinds of weights with each translation, then with missing connections."""
    made = []
    for dataset in settings.datasets:
        made += [_member(settings, dataset, kind, shift) for kind in KINDS for shift in settings.shifts]
        made += [_masked(settings, dataset, kind) for kind in KINDS if settings.masks]
    return made


def _member(settings: ShareSettings, dataset: str, kind: str, shift: float) -> Member:
    return settings.member(f"{dataset}-{kind}-{shift:g}", "classifier", _values(settings, dataset, kind, shift))


def _masked(settings: ShareSettings, dataset: str, kind: str) -> Member:
    """Return a run without translations; shared weights have one pattern for all locations, whatever is drawn."""
    masks = settings.masks if kind == "untied" else ["location"]
    values = _values(settings, dataset, kind, 0.0) | {"density": settings.density}
    return settings.member(f"{dataset}-{kind}-masked", "classifier", values, {"masks": masks})


def _values(settings: ShareSettings, dataset: str, kind: str, shift: float) -> dict[str, Any]:
    first, second, third = settings.channels
    texts = [f"conv {first} 3/2", f"conv {second} 3/2", f"conv {third} 3", f"dense {settings.units}"]
    texts.append(f"dense {CLASSES}")
    return settings.shared("lr", "momentum") | {
        "dataset": dataset,
        "downsample": 2 if dataset == "cifar10" else 1,
        "layers": untied(texts) if kind == "untied" else texts,
        "hidden": "relu",
        "augment_shift": shift,
        "shifted_test": settings.translated,
        "angle_examples": 1,
    }


QUICK: Mapping[str, Any] = {
    "datasets": ["digits"],
    "seeds": 2,
    "shifts": [0.0, 0.2],
    "channels": [4, 8, 8],
    "units": 32,
    "epochs": 4,
    "batch": 20,
    "train_limit": 600,
    "test_limit": 200,
}

SCENARIO = Campaign(
    name="share",
    description="shared against untied weights, images translated, connections missing: error, distances of kernels",
    settings=ShareSettings,
    members=members,
    finish=finish,
    estimated=lambda settings: settings.level == "full",
    quick=QUICK,
)
