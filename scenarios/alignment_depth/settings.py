"""The settings of `alignment-depth`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from circuitsim.circuits.networks import NETWORKS
from circuitsim.scenarios.classifier.search import Range, SearchSettings
from circuitsim.scenarios.feedback_search.settings import COEFFICIENTS
from circuitsim.scenarios.fields import Count, Limit, NonNegative, Replicates, each_once, expected_each_once, must

METHODS = ("bp", "fa", "ss", "kp", "wm", "ia", "sa", "aa", "frozen")
"""Kinds of feedback, and backpropagation whose lower layers stay random: only the last block and the top learn."""
OF_BLOCKS = tuple(name for name in NETWORKS if name.startswith(("resnet", "chain")))
_NETWORK = f"one of {', '.join(OF_BLOCKS)}"
Network = Annotated[str, must(lambda name: name in OF_BLOCKS), Field(description=_NETWORK)]


class AlignmentDepthSettings(SearchSettings):
    """The settings of `alignment-depth`."""

    dataset: str = Field("cifar10", description="a data set's name or the path of an .npz file")
    downsample: Count = 2
    network: Network = Field("resnet8", description=_NETWORK)
    carried: Annotated[list[str], each_once(OF_BLOCKS)] = Field(
        ["resnet20", "chain20"], description=expected_each_once(OF_BLOCKS)
    )
    norm: Literal["none", "online", "batch", "divisive"] = Field("batch", description="none, online, batch or divisive")
    methods: Annotated[list[str], each_once(METHODS)] = Field(list(METHODS), description=expected_each_once(METHODS))
    trials: Count = 16
    startup: Count = 6
    rate: Range = Field([0.003, 1.0])
    noise: Annotated[list[float], must(lambda levels: all(level > 0 for level in levels))] = Field(
        [0.01, 0.1, 1.0], description="a list of numbers above 0, which may be empty"
    )
    held_out: float = Field(1 / 6, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: Replicates = 1
    epochs: Count = 5
    batch: Count = 50
    momentum: NonNegative = 0.9
    train_limit: int | None = Field(10_000, ge=2, description="none, or a whole number >= 2")
    test_limit: Limit = 2000
    angle_examples: Count = 100

    def ranges(self, method: str) -> Mapping[str, tuple[float, float]]:
        """Return the range of each parameter that is searched for a method."""
        return {"lr": (self.rate[0], self.rate[1]), **COEFFICIENTS.get(method, {})}
