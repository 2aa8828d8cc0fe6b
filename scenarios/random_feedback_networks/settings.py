"""The settings of `random-feedback-networks`, and the rules that it compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from circuitsim.runs.config import build, refuse
from circuitsim.scenarios.fields import (
    IMAGES,
    CampaignSettings,
    Count,
    CountOrZero,
    NonNegative,
    Replicates,
    distinct,
    each_once,
    expected_each_once,
    must,
)

RULES: Mapping[str, Mapping[str, Any]] = {
    "bp": {"feedback": "bp", "loss": "error", "output": "softmax"},
    "bp-h": {"feedback": "bp"},
    "urfb": {"feedback": "urfb"},
    "frfb": {"feedback": "fa"},
}
"""Backpropagation with softmax; all others with the hinge loss: backpropagation, updated and fixed random feedback."""
NAMES: Mapping[str, str] = {"bp": "BP", "bp-h": "BP-H", "urfb": "URFB", "frfb": "FRFB"}
STANDARD: Mapping[str, Mapping[str, Any]] = {
    "simpnet": {"lr": 0.1, "images": 10_000, "batch": 100, "epochs": 5},
    "deepnet": {"lr": 0.03, "images": 5000, "batch": 50, "epochs": 5},
    "deepernet": {"lr": 0.03, "images": 5000, "batch": 50, "epochs": 4},
    "deepnet_s": {"lr": 0.03, "images": 5000, "batch": 50, "epochs": 6},
}
"""Settings for two cores: rates at which most rules do not saturate."""
_NETWORKS = f"a list of {', '.join(STANDARD)}, each once; it may be empty"
_TABLE = f"a table of {', '.join(STANDARD)}, each a table of lr, images, batch and epochs"
Networks = Annotated[list[str], must(lambda names: len(set(names)) == len(names) and set(names) <= set(STANDARD))]


class Training(BaseModel):
    """The training of one network."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    lr: NonNegative = 0.03
    images: Count = 5000
    batch: Count = 50
    epochs: Count = 5


PAPER: Mapping[str, Mapping[str, Any]] = {
    name: {"lr": 0.1, "images": 45_000, "batch": 500, "epochs": 1000} for name in STANDARD
}
"""The settings of the source, section 4."""


class NetworkSettings(CampaignSettings):
    """The settings of `random-feedback-networks`."""

    level: Literal["standard", "full"] = Field("standard", description="standard or full")
    dataset: Annotated[str, must(lambda name: name in IMAGES)] = Field("cifar10", description=f"one of {[*IMAGES]}")
    networks: Annotated[list[str], each_once(STANDARD)] = Field(
        list(STANDARD), description=expected_each_once(STANDARD)
    )
    rules: Annotated[list[str], each_once(RULES)] = Field(list(RULES), description=expected_each_once(RULES))
    halved: Networks = Field(["simpnet"], description=_NETWORKS)
    untied: Networks = Field(["simpnet"], description=_NETWORKS)
    frozen: Networks = Field(["deepnet_s"], description=_NETWORKS)
    steps: Annotated[list[float], must(lambda q: not q or (distinct(q) and min(q) > 0 and max(q) < 1))] = Field(
        [0.1, 0.3], description="a list of numbers between 0 and 1, each once; it may be empty"
    )
    density: float = Field(0.5, gt=0, lt=1, description="a number between 0 and 1")
    desynchronised: Networks = Field([], description=_NETWORKS)
    update_probability: float = Field(0.1, gt=0, lt=1, description="a number between 0 and 1")
    in_turn: Networks = Field([], description=_NETWORKS)
    revisited: Annotated[list[float], must(lambda q: distinct(q) and min(q) >= 0 and max(q) < 1)] = Field(
        [0.0, 0.2], description="a list of at least one number from 0 to below 1, each once"
    )
    turn_images: Count = 2000
    turns: Count = 2
    hidden: Literal["saturated", "saturated-half"] = Field("saturated", description="saturated or saturated-half")
    hinge_margin: Literal["one", "mu"] = Field("mu", description="one or mu")
    seeds: Replicates = 5
    test_limit: CountOrZero = Field(2000, description="a whole number >= 0; 0: all")
    training: dict[str, Any] = Field(default_factory=dict, description=_TABLE)
    angle_examples: Count = 200

    def model_post_init(self, _: Any) -> None:
        """Fill in the training of each network."""
        unknown = [name for name in self.training if name not in STANDARD]
        if unknown:
            refuse(f"training.{unknown[0]}", self.training[unknown[0]], _TABLE, "Correct the network's name.")
        first = PAPER if self.level == "full" else STANDARD
        filled = {
            name: build(Training, {**first[name], **self.training.get(name, {})}, f"training.{name}.").model_dump()
            for name in STANDARD
        }
        object.__setattr__(self, "training", filled)
