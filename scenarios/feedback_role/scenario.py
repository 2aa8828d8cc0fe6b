"""The same long-range feedback edges used for inference, for learning, for both and for neither.

The edges lead from the last of two layers to the first. For inference they bring its activity to the next step; for
learning they bring its errors. In these four networks the edges have the same random weights, which do not change, and
no other way leads errors to the first layer: without edges for learning it stays random.

Source: Nayebi 2020, "The role of feedback" (slides), which asks the question. Its networks learn ImageNet.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from circuitsim.circuits.long_range import errors_by
from circuitsim.circuits.recurrent import recurrent_classifier, weights_of
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.feedback_role.report import finish
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
    must,
)


class Role(NamedTuple):
    """A use of the edges: whether they bring activity, and by what route errors reach the first layer."""

    inference: bool
    errors: str


ROLES: Mapping[str, Role] = {
    "neither": Role(False, "last"),
    "inference": Role(True, "last"),
    "learning": Role(False, "edges"),
    "both": Role(True, "edges"),
}
OTHERS: Mapping[str, Role] = {
    "both-plastic": Role(True, "plastic-edges"),
    "layers": Role(False, "layers"),
    "layers-inference": Role(True, "layers"),
}
"""Edges that learn from what they bring; errors back through every layer, by feedback synapses of their own."""

WIDER = {"neither-wider": ("neither", "both"), "layers-wider": ("layers", "layers-inference")}
"""Controls: a network without edges, and the one that has as many weights."""


class FeedbackRoleSettings(CampaignSettings):
    """The settings of `feedback-role`."""

    dataset: Annotated[str, among(IMAGES)] = Field("cluttered-digits", description=f"one of {', '.join(IMAGES)}")
    feedback: Annotated[str, among(("bp", "fa", "kp", "ss"))] = Field("bp", description="one of bp, fa, kp, ss")
    channels: Annotated[list[int], must(lambda n: len(n) == 2 and min(n) >= 1)] = Field(
        [8, 16], description="a list of two whole numbers >= 1, channels of each layer"
    )
    steps: Count = 4
    judged: Count = 2
    lr: NonNegative = 0.03
    momentum: float = Field(0.9, ge=0, lt=1, description="a number from 0 to below 1")
    rates: Rates = Field({}, description="a table of numbers >= 0 by network")
    seeds: Replicates = 5
    epochs: Count = 10
    batch: Count = 50
    train_limit: Limit = 3000
    test_limit: Limit = None

    def model_post_init(self, _: Any) -> None:
        """Judge no more steps than there are; refuse rates of networks that are not trained."""
        if self.judged > self.steps:
            object.__setattr__(self, "judged", self.steps)
        check_rates(self.rates, [*ROLES, *OTHERS, *WIDER])


def members(settings: FeedbackRoleSettings) -> list[Member]:
    """Return the four roles, edges that learn, errors through the layers, and wider networks as controls.

    The networks of the other three roles have the same weights. The control of `neither` has as many as they, that of
    `layers` as many as `layers-inference`.
    """
    roles = {**ROLES, **OTHERS}
    made = [_member(settings, name, role, settings.channels) for name, role in roles.items()]
    for wider, (name, like) in WIDER.items():
        made.append(_member(settings, wider, roles[name], matched(settings, roles[name], roles[like])))
    return made


def matched(settings: FeedbackRoleSettings, role: Role, like: Role) -> list[int]:
    """Return the channels with which a network without edges has as many weights as another, as near as may be."""
    wanted = weights(settings, like, settings.channels)
    wider = itertools.product(*(range(n, n + 3 + n // 4) for n in settings.channels))
    return min(map(list, wider), key=lambda channels: abs(weights(settings, role, channels) - wanted))


def weights(settings: FeedbackRoleSettings, role: Role, channels: list[int]) -> int:
    """Return the number of weights and biases of a network, feedback synapses included."""
    from circuitsim.data import shape_of

    forward, _ = recurrent_classifier(shape_of(settings.dataset), channels, CLASSES, "none", top_down=role.inference)
    return weights_of(errors_by(forward, role.errors, settings.feedback))


def _member(settings: FeedbackRoleSettings, name: str, role: Role, channels: list[int]) -> Member:
    values = settings.shared("dataset", "feedback", "momentum", "steps", "judged") | {
        "lr": settings.rates.get(name, settings.lr),
        "cell": "none",
        "channels": channels,
        "top_down": role.inference,
        "errors": role.errors,
    }
    return settings.member(name, "recurrent-classifier", values)


SCENARIO = Campaign(
    name="feedback-role",
    description="long-range feedback edges used for inference, for learning, for both and for neither",
    settings=FeedbackRoleSettings,
    members=members,
    finish=finish,
    quick={"seeds": 2, "epochs": 6, "train_limit": 1000, "test_limit": 400, "steps": 3},
)
