"""The settings of `mirror-search`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from circuitsim.scenarios.classifier.search import Range, SearchSettings
from circuitsim.scenarios.fields import Count, NonNegative, must

SEARCHED = ("rate", "decay", "scale")


def _depths(hidden: list[list[int]]) -> bool:
    return len({tuple(one) for one in hidden}) >= max(2, len(hidden)) and all(one and min(one) >= 1 for one in hidden)


class MirrorSearchSettings(SearchSettings):
    """The settings of `mirror-search`."""

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
    lr: NonNegative = 0.1
