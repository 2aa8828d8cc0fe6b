"""The settings of `mirror-search`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from circuitsim.runs.config import Settings
from circuitsim.scenarios.fields import Count, Limit, NonNegative, Replicates, must

SEARCHED = ("rate", "decay", "scale")
Range = Annotated[
    list[float],
    must(lambda value: len(value) == 2 and 0 < value[0] < value[1]),
    Field(description="a list of two numbers above 0, the lower first"),
]


def _depths(hidden: list[list[int]]) -> bool:
    return len({tuple(one) for one in hidden}) >= max(2, len(hidden)) and all(one and min(one) >= 1 for one in hidden)


class MirrorSearchSettings(Settings):
    """The settings of `mirror-search`."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    hidden: Annotated[list[list[int]], must(_depths)] = Field(
        [[32], [32, 32, 32], [32, 32, 32, 32, 32]],
        description="a list of at least two lists of whole numbers >= 1, hidden units by layer, no list twice and none "
        "empty",
    )
    trials: Count = 30
    startup: Count = 10
    rate: Range = Field([1e-3, 1.0])
    decay: Range = Field([1e-3, 1.0])
    scale: Range = Field([0.03, 3.0])
    held_out: float = Field(0.2, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: Replicates = 5
    test_seeds: Replicates = 5
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1")
    epochs: Count = 5
    batch: Count = 20
    lr: NonNegative = 0.1
    train_limit: int | None = Field(None, ge=2, description="none, or a whole number >= 2")
    test_limit: Limit = None
    angle_examples: Count = 200

    FIXED: ClassVar[tuple[str, ...]] = (
        "dataset", "hidden", "trials", "startup", *SEARCHED, "held_out", "seeds", "test_seeds", "seed", "epochs",
        "batch", "lr", "train_limit", "test_limit", "angle_examples",
    )  # fmt: skip
