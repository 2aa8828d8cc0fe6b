"""Recurrent cells against feedforward networks of equal width and of equal numbers of weights, on cluttered digits.

Sources: Nayebi et al. 2018 (cells and controls); Spoerer, McClure & Kriegeskorte 2017 (digits among debris). Networks
and data are much smaller: see `docs/settings.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from circuitsim.circuits.cells import CELLS
from circuitsim.circuits.recurrent import recurrent_classifier, weights_of
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.fields import (
    CLASSES,
    IMAGES,
    CampaignSettings,
    Count,
    Limit,
    NonNegative,
    Rates,
    Replicates,
    among,
    check_rates,
    each_once,
    expected_each_once,
    must,
)
from circuitsim.scenarios.recurrence.report import CONTROL, PLAIN, STEPS, finish

FEEDBACK = ("bp", "fa", "kp", "ss")


class RecurrenceSettings(CampaignSettings):
    """The settings of `recurrence`."""

    dataset: Annotated[str, among(IMAGES)] = Field("cluttered-digits", description=f"one of {', '.join(IMAGES)}")
    cells: Annotated[list[str], each_once(CELLS)] = Field(
        ["decay", "simple", "gru", "reciprocal"], description=expected_each_once(CELLS)
    )
    feedback: Annotated[list[str], each_once(FEEDBACK)] = Field(["bp", "fa"], description=expected_each_once(FEEDBACK))
    channels: Annotated[list[int], must(lambda n: bool(n) and min(n) >= 1)] = Field(
        [8, 16], description="a list of at least one whole number >= 1, channels of each layer"
    )
    steps: Count = 4
    judged: Count = 2
    lr: NonNegative = 0.003
    momentum: float = Field(0.9, ge=0, lt=1, description="a number from 0 to below 1")
    rates: Rates = Field({}, description="a table of numbers >= 0 by network")
    threshold: float = Field(0.9, gt=0, description="a number above 0")
    seeds: Replicates = 2
    epochs: Count = 8
    batch: Count = 50
    train_limit: Limit = 3000
    test_limit: Limit = None

    def model_post_init(self, _: Any) -> None:
        """Judge no more steps than there are; refuse rates of networks that are not trained."""
        if self.judged > self.steps:
            object.__setattr__(self, "judged", self.steps)
        known = [PLAIN, STEPS, *(name for cell in self.cells for name in (cell, f"{CONTROL}{cell}"))]
        check_rates(self.rates, known)


def members(settings: RecurrenceSettings) -> list[Member]:
    """Return the feedforward network with one step and with all, then each cell with one of as many weights."""
    made = [_member(settings, name, "none", settings.channels, ["bp"]) for name in (PLAIN, STEPS)]
    for cell in settings.cells:
        made.append(_member(settings, cell, cell, settings.channels, settings.feedback))
        made.append(_member(settings, f"{CONTROL}{cell}", "none", matched(settings, cell), ["bp"]))
    return made


def matched(settings: RecurrenceSettings, cell: str) -> list[int]:
    """Return the channels of a feedforward network whose weights are as many as those of a cell's, as near as may be.

    All layers become wider by one factor.
    """
    wanted = _weights(settings, cell, settings.channels)
    widths = [[round(n * k / 20) for n in settings.channels] for k in range(20, 400)]
    distances = [abs(_weights(settings, "none", wider) - wanted) for wider in _until(settings, widths, wanted)]
    return widths[distances.index(min(distances))]


def _until(settings: RecurrenceSettings, widths: list[list[int]], wanted: int) -> Iterator[list[int]]:
    """Yield widths up to the first with more weights than wanted."""
    for wider in widths:
        yield wider
        if _weights(settings, "none", wider) > wanted:
            return


def _weights(settings: RecurrenceSettings, cell: str, channels: list[int]) -> int:
    from circuitsim.data import shape_of

    return weights_of(recurrent_classifier(shape_of(settings.dataset), channels, CLASSES, cell)[0])


def _member(settings: RecurrenceSettings, name: str, cell: str, channels: list[int], feedback: list[str]) -> Member:
    repeated = cell != "none" or name == STEPS
    values: Mapping[str, Any] = settings.shared("dataset", "momentum", "threshold") | {
        "lr": settings.rates.get(name, settings.lr),
        "cell": cell,
        "channels": channels,
        "steps": settings.steps if repeated else 1,
        "judged": settings.judged if repeated else 1,
        "readout": "confident",
    }
    return settings.member(name, "recurrent-classifier", values, {"feedback": feedback})


SCENARIO = Campaign(
    name="recurrence",
    description="recurrent cells against feedforward networks of equal weights, on cluttered digits",
    settings=RecurrenceSettings,
    members=members,
    finish=finish,
    quick={"cells": ["simple"], "epochs": 1, "train_limit": 200, "test_limit": 100, "channels": [4, 4], "steps": 3},
)
