"""The settings of `recirculation-figures`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from circuitsim.runs.config import refuse
from circuitsim.scenarios.fields import (
    FEATURES,
    CampaignSettings,
    Count,
    Flag,
    Positive,
    among,
    distinct,
    each_once,
    expected_each_once,
    must,
)

PARTS = (4, 5, 6, 7, 8, 9, 10, "mixing", "lambdas", "cycle-pairs", "error-recirculation", "divergence")
_GRID = "a list of numbers from 0 to below 1, ascending, 0 and lam among them"


def _bounds(bounds: list[float | str]) -> bool:
    return distinct(bounds) and all(bound == "none" if isinstance(bound, str) else bound > 0 for bound in bounds)


class RecirculationFiguresSettings(CampaignSettings):
    """The settings of `recirculation-figures`."""

    figures: Annotated[list[int | str], each_once(PARTS)] = Field(list(PARTS), description=expected_each_once(PARTS))
    dataset: Annotated[str, among(FEATURES)] = Field(
        "mnist", description=f"one of {', '.join(FEATURES)}: for all figures but 4 and 6"
    )
    narrow: Count = Field(20, description="a whole number >= 1, units of the narrowest layer")
    wide: Count = Field(100, description="a whole number >= 1, units of the other hidden layers")
    hidden_layers: Annotated[list[int], each_once((1, 3))] = Field([1, 3], description=expected_each_once((1, 3)))
    depth: int = Field(10, ge=1, le=100, description="a whole number from 1 to 100, hidden layers of figure 8")
    epochs: Count = 10
    lr: Positive = Field(0.01, description="a number above 0: of figures with one hidden layer, and of figure 8")
    max_norm: float | None = Field(2.0, gt=0, description="none, or a number above 0, of linear circuits")
    output_bias: Annotated[str, among(("data", "zero"))] = Field("data", description="data or zero")
    lam: float = Field(0.5, ge=0, lt=1, description="a number from 0 to below 1")
    compensate: Flag = Field(True, description="true or false: divide rates by the loss through mixing")
    mixing: list[float] = Field([0.0, 0.25, 0.5, 0.75], description=_GRID)
    cycles: int = Field(5, ge=2, le=100, description="a whole number from 2 to 100")
    bounds: Annotated[list[float | str], must(_bounds)] = Field(
        ["none", 2.0, 1.0], description="a list of at least one of none and numbers above 0, each once"
    )
    rates: Annotated[list[float], must(lambda rates: distinct(rates) and min(rates) > 0)] = Field(
        [0.5, 1.0, 2.0],
        description="a list of at least one number above 0, each once, times the rate of three hidden layers",
    )
    interval: Count = Field(60, description="a whole number >= 1, presentations between two measurements of the loop")
    intervals: Count = 40

    def model_post_init(self, _: Any) -> None:
        """Check that the grid of mixtures fits lam."""
        grid = self.mixing
        if not (grid == sorted(set(grid)) and {0.0, self.lam} <= set(grid) and grid[0] >= 0 and grid[-1] < 1):
            refuse("mixing", grid, _GRID, "Correct the value of mixing.")
