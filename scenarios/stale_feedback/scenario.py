"""How old may the weights be that errors come down, and how long may updates wait, before learning breaks?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.classifier.settings import NEVER
from circuitsim.scenarios.stale_feedback.report import COPIES, RANDOM, WAITING, finish
from circuitsim.scenarios.weight_transport.scenario import CLASSES, FEATURES

_REFRESH = "a list of whole numbers of presentations from 1 to 2^24, ascending, the first of them 1"
_CHANCES = "a list of numbers above 0, descending, the first of them 1"


class StaleFeedbackKeys(Settings):
    """The keys of `stale-feedback`."""

    dataset: str = Field("mnist", description=f"one of {', '.join(FEATURES)}")
    hidden: list[int] = Field([256, 64], description="a list of at least one whole number >= 1, hidden units by layer")
    refresh: list[int] = Field([2**k for k in range(11)], description=_REFRESH)
    chances: list[float] = Field([1.0, 0.5, 0.1, 0.02], description=_CHANCES)
    seeds: int = Field(3, ge=2, le=1000, description="a whole number from 2 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first of the seeds")
    epochs: int = Field(1, ge=1, description="a whole number >= 1")
    batch: int = Field(20, ge=1, description="a whole number >= 1")
    lr: float = Field(0.1, ge=0, description="a number >= 0")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    angle_examples: int = Field(1000, ge=1, description="a whole number >= 1")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        ages, chances = self.refresh, self.chances
        for key, fits in (
            ("dataset", self.dataset in FEATURES),
            ("hidden", bool(self.hidden) and min(self.hidden) >= 1),
            ("refresh", ages[:1] == [1] and ages == sorted(set(ages)) and ages[-1] <= 2**24),
            ("chances", chances[:1] == [1] and chances == sorted(set(chances), reverse=True) and chances[-1] > 0),
        ):
            if not fits:
                expected = str(type(self).model_fields[key].description)
                refuse(key, getattr(self, key), expected, f"Correct the value of {key}.")


def members(settings: StaleFeedbackKeys) -> list[Member]:
    """Copies of all ages, updates of all chances, and fixed random feedback: a run each."""
    shared = settings.model_dump(
        include={"dataset", "epochs", "batch", "lr", "train_limit", "test_limit", "angle_examples"}
    )
    shared |= {"sizes": [FEATURES[settings.dataset], *settings.hidden, CLASSES]}
    shared |= {"on_divergence": "drop", "data_seed": settings.seed}
    seeds = {"seed": list(range(settings.seed, settings.seed + settings.seeds))}
    return [
        Member(COPIES, "classifier", shared, {"feedback_refresh": [*settings.refresh, NEVER], **seeds}),
        Member(WAITING, "classifier", shared, {"update_chance": settings.chances, **seeds}),
        Member(RANDOM, "classifier", shared | {"feedback": "fa"}, seeds),
    ]


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "hidden": [32, 16],
    "refresh": [1, 8, 64],
    "chances": [1.0, 0.1],
    "seeds": 2,
    "epochs": 2,
    "batch": 10,
    "train_limit": 1000,
    "test_limit": 200,
    "angle_examples": 100,
}

SCENARIO = Campaign(
    name="stale-feedback",
    description="backpropagation with weights of the past, or updates that wait: how stale may they be?",
    settings=StaleFeedbackKeys,
    members=members,
    finish=finish,
    quick=QUICK,
)
