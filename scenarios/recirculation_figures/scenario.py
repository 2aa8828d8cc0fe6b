"""The experiments of "recirculation is random backpropagation", figure by figure, and what goes beyond its figures.

`figures=[5]` draws one, all are the default; as a campaign one command carries out the whole set, and `resume` goes on
after an interruption. Source: Baldi & Sadowski 2018, section 7, which says in words everything but how many epochs: ten
are the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Campaign
from circuitsim.scenarios.recirculation_figures.members import FEATURES, PARTS, members
from circuitsim.scenarios.recirculation_figures.report import finish

_PARTS = f"a list of at least one of {', '.join(map(str, PARTS))}, each once"
_LAYERS = "a list of at least one of 1, 3, each once"
_BOUNDS = "a list of at least one of none and numbers above 0, each once"
_GRID = "a list of numbers from 0 to below 1, ascending, 0 and lam among them"
_FACTORS = "a list of at least one number above 0, each once"


class FiguresKeys(Settings):
    """The keys of `recirculation-figures`."""

    figures: list[int | str] = Field(list(PARTS), description=_PARTS)
    dataset: str = Field("mnist", description=f"one of {', '.join(FEATURES)}: for all figures but 4 and 6")
    narrow: int = Field(20, ge=1, description="a whole number >= 1, units of the narrowest layer")
    wide: int = Field(100, ge=1, description="a whole number >= 1, units of the other hidden layers")
    hidden_layers: list[int] = Field([1, 3], description=_LAYERS)
    depth: int = Field(10, ge=1, le=100, description="a whole number from 1 to 100, hidden layers of figure 8")
    seeds: int = Field(5, ge=2, le=1000, description="a whole number from 2 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first of the seeds")
    epochs: int = Field(10, ge=1, description="a whole number >= 1")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    lr: float = Field(0.01, gt=0, description="a number above 0: of figures with one hidden layer, and of figure 8")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    max_norm: float | None = Field(2.0, gt=0, description="none, or a number above 0, of linear circuits")
    output_bias: str = Field("data", description="data or zero")
    lam: float = Field(0.5, ge=0, lt=1, description="a number from 0 to below 1")
    compensate: bool = Field(True, description="true or false: whether rates are divided by what mixing takes off")
    mixing: list[float] = Field([0.0, 0.25, 0.5, 0.75], description=_GRID)
    cycles: int = Field(5, ge=2, le=100, description="a whole number from 2 to 100")
    bounds: list[float | str] = Field(["none", 2.0, 1.0], description=_BOUNDS)
    rates: list[float] = Field([0.5, 1.0, 2.0], description=f"{_FACTORS}, times the rate of three hidden layers")
    stretch: int = Field(60, ge=1, description="a whole number >= 1, presentations between two looks at the loop")
    stretches: int = Field(40, ge=1, description="a whole number >= 1")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        for key, fits in (
            ("figures", _chosen(self.figures, PARTS)),
            ("dataset", self.dataset in FEATURES),
            ("hidden_layers", _chosen(self.hidden_layers, (1, 3))),
            ("output_bias", self.output_bias in ("data", "zero")),
            ("bounds", _distinct(self.bounds) and all(b == "none" or _positive(b) for b in self.bounds)),
            ("rates", _distinct(self.rates) and min(self.rates) > 0),
            ("mixing", self._is_grid()),
        ):
            if not fits:
                expected = str(type(self).model_fields[key].description)
                refuse(key, getattr(self, key), expected, f"Correct the value of {key}.")

    def _is_grid(self) -> bool:
        grid = self.mixing
        return grid == sorted(set(grid)) and {0.0, self.lam} <= set(grid) and grid[0] >= 0 and grid[-1] < 1


def _distinct(values: list[Any]) -> bool:
    return bool(values) and len(set(values)) == len(values)


def _chosen(values: list[Any], known: tuple[Any, ...]) -> bool:
    return _distinct(values) and set(values) <= set(known)


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "narrow": 8,
    "wide": 16,
    "depth": 5,
    "seeds": 2,
    "epochs": 4,
    "batch": 20,
    "lr": 0.02,
    "train_limit": 800,
    "test_limit": 200,
    "mixing": [0.0, 0.5],
    "cycles": 3,
    "bounds": ["none", 1.0],
    "rates": [10.0, 20.0],
    "stretch": 40,
    "stretches": 12,
}

SCENARIO = Campaign(
    name="recirculation-figures",
    description="Baldi & Sadowski 2018, figures 4 to 10; all mixtures, pairs of cycles, and when the loop runs away",
    settings=FiguresKeys,
    members=members,
    finish=finish,
    quick=QUICK,
)
