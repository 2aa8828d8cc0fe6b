"""The settings of `feedback-search`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.scenarios.classifier.search import Range, SearchSettings
from circuitsim.scenarios.fields import Count, NonNegative, Replicates, Sizes, each_once, expected_each_once

COEFFICIENTS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "kp": {"weight_decay": (1e-6, 1e-3)},
    "wm": {"rate": (1e-3, 1.0), "decay": (1e-3, 1.0)},
    "ia": {"rate": (1e-3, 1.0), "decay": (1e-2, 10.0), "null": (1e-2, 10.0)},
    "sa": {"rate": (1e-3, 1.0), "decay": (1e-1, 10.0)},
    "aa": {"rate": (1e-3, 1.0), "sparse": (1e-1, 10.0)},
}
"""What is searched beside the two learning rates, logarithmically; amp (ia, aa) and self (sa) stay 1."""


class FeedbackSearchSettings(SearchSettings):
    """The settings of `feedback-search`."""

    dataset: str = Field("mnist", description="a data set's name or the path of an .npz file")
    hidden: Sizes = Field([256, 64], description="a list of whole numbers >= 1, hidden units by layer")
    methods: Annotated[list[str], each_once(FEEDBACK)] = Field(list(FEEDBACK), description=expected_each_once(FEEDBACK))
    rates: Literal["two", "each"] = Field("two", description="two or each")
    top: Range = Field([0.01, 1.0])
    below: Range = Field([0.01, 3.0])
    held_out: float = Field(1 / 6, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: Replicates = 2
    epochs: Count = 1
    batch: Count = 100
    momentum: NonNegative = 0.0
    angle_examples: Count = 1000

    def ranges(self, method: str) -> dict[str, tuple[float, float]]:
        """Return the range of each parameter that is searched for a method."""
        below = ["below"] if self.rates == "two" else [f"layer{h}" for h in range(1, len(self.hidden) + 1)]
        rates = {"top": (self.top[0], self.top[1])} | dict.fromkeys(below, (self.below[0], self.below[1]))
        return {**rates, **COEFFICIENTS.get(method, {})}
