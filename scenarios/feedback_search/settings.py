"""The settings of `feedback-search`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.runs.config import Settings
from circuitsim.scenarios.fields import (
    Count,
    Limit,
    NonNegative,
    Replicates,
    Sizes,
    each_once,
    expected_each_once,
    must,
)

Range = Annotated[
    list[float],
    must(lambda value: len(value) == 2 and 0 < value[0] < value[1]),
    Field(description="a list of two numbers above 0, the lower first"),
]
COEFFICIENTS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "kp": {"weight_decay": (1e-6, 1e-3)},
    "wm": {"rate": (1e-3, 1.0), "decay": (1e-3, 1.0)},
    "ia": {"rate": (1e-3, 1.0), "decay": (1e-2, 10.0), "null": (1e-2, 10.0)},
    "sa": {"rate": (1e-3, 1.0), "decay": (1e-1, 10.0)},
    "aa": {"rate": (1e-3, 1.0), "sparse": (1e-1, 10.0)},
}
"""What is searched beside the two learning rates, logarithmically; amp (ia, aa) and self (sa) stay 1."""


class FeedbackSearchSettings(Settings):
    """The settings of `feedback-search`."""

    dataset: str = Field("mnist", description="a data set's name or the path of an .npz file")
    hidden: Sizes = Field([256, 64], description="a list of whole numbers >= 1, hidden units by layer")
    methods: Annotated[list[str], each_once(FEEDBACK)] = Field(list(FEEDBACK), description=expected_each_once(FEEDBACK))
    trials: Count = 24
    startup: Count = 8
    rates: Literal["two", "each"] = Field("two", description="two or each")
    top: Range = Field([0.01, 1.0])
    below: Range = Field([0.01, 3.0])
    held_out: float = Field(1 / 6, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: Replicates = 2
    test_seeds: Replicates = 5
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1")
    epochs: Count = 1
    batch: Count = 100
    momentum: NonNegative = 0.0
    train_limit: int | None = Field(None, ge=2, description="none, or a whole number >= 2")
    test_limit: Limit = None
    angle_examples: Count = 1000

    FIXED: ClassVar[tuple[str, ...]] = (
        "dataset", "hidden", "methods", "trials", "startup", "rates", "top", "below", "held_out", "seeds", "test_seeds",
        "seed", "epochs", "batch", "momentum", "train_limit", "test_limit", "angle_examples",
    )  # fmt: skip

    def ranges(self, method: str) -> dict[str, tuple[float, float]]:
        """Return the range of each parameter that is searched for a method."""
        below = ["below"] if self.rates == "two" else [f"layer{h}" for h in range(1, len(self.hidden) + 1)]
        rates = {"top": (self.top[0], self.top[1])} | dict.fromkeys(below, (self.below[0], self.below[1]))
        return {**rates, **COEFFICIENTS.get(method, {})}
