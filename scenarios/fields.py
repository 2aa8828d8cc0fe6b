"""Kinds of settings that several scenarios share, and the base of all campaigns' settings.

A kind's description is the "expected" text of the error message that refuses a value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Member

IMAGES: Mapping[str, int] = {"digits": 64, "cluttered-digits": 144, "mnist": 784, "fashion-mnist": 784, "cifar10": 3072}
"""Number of features of each data set that has classes."""
FEATURES: Mapping[str, int] = {**IMAGES, "lowrank": 100}
CLASSES = 10
WITHOUT_FILES = ("digits", "cluttered-digits", "lowrank")

Flag = Annotated[bool, Field(description="true or false")]
Count = Annotated[int, Field(ge=1, description="a whole number >= 1")]
CountOrZero = Annotated[int, Field(ge=0, description="a whole number >= 0")]
Limit = Annotated[int | None, Field(ge=1, description="none, or a whole number >= 1")]
Ticks = Annotated[int, Field(ge=1, le=1000, description="a whole number of ticks from 1 to 1000")]
Positive = Annotated[float, Field(gt=0, description="a number above 0")]
NonNegative = Annotated[float, Field(ge=0, description="a number >= 0")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")]
FirstSeed = Annotated[int, Field(ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first seed")]
Replicates = Annotated[int, Field(ge=1, le=1000, description="a whole number from 1 to 1000")]
TwoOrMore = Annotated[int, Field(ge=2, le=1000, description="a whole number from 2 to 1000")]


def must(test: Callable[[Any], bool]) -> AfterValidator:
    """Return a validator that refuses the values of which a test is false, with the field's description."""

    def check(value: Any) -> Any:
        if not test(value):
            raise ValueError("refused")  # `build` writes the message
        return value

    return AfterValidator(check)


def among(known: Collection[Any]) -> AfterValidator:
    """Refuse a value that is none of those known."""
    return must(lambda value: value in known)


def each_once(known: Collection[Any]) -> AfterValidator:
    """Refuse a list that is empty, has a value twice, or has one that is not known."""
    return must(lambda values: distinct(values) and set(values) <= set(known))


def numbers(count: int) -> AfterValidator:
    """Refuse a list of another length, and negative numbers."""
    return must(lambda values: len(values) == count and min(values) >= 0)


def distinct(values: Sequence[Any]) -> bool:
    """Return whether a list has a value, and none twice."""
    return bool(values) and len(set(values)) == len(values)


def expected_each_once(known: Iterable[Any]) -> str:
    """Describe a list that `each_once` accepts."""
    return f"a list of at least one of {', '.join(map(str, known))}, each once"


Rates = dict[str, NonNegative]
"""Learning rates of single members of a campaign, by their names."""


def check_rates(rates: Mapping[str, float], known: Sequence[str]) -> None:
    """Refuse a rate of a network that a campaign does not train."""
    if unknown := [name for name in rates if name not in known]:
        expected = f"a table of numbers >= 0 by network: {', '.join(known)}"
        refuse("rates", dict(rates), expected, f"Leave out {', '.join(unknown)}.")


Sizes = Annotated[list[int], must(lambda sizes: bool(sizes) and min(sizes) >= 1)]
"""At least one layer, with at least one unit in each."""


class CampaignSettings(Settings):
    """The settings of all campaigns; each has defaults of its own."""

    seeds: TwoOrMore = 5
    seed: FirstSeed = 0
    epochs: Count = 5
    batch: Count = 100
    train_limit: Limit = None
    test_limit: Limit = None

    def shared(self, *keys: str) -> dict[str, Any]:
        """Return the settings that all members have, with the values of further keys."""
        own = self.model_dump(include={"epochs", "batch", "train_limit", "test_limit", *keys})
        return own | {"data_seed": self.seed, "on_divergence": "drop"}

    def seeds_of(self, count: int = 0) -> list[int]:
        """Return the seeds of a member's replicas, as many as `seeds` says or as asked for."""
        return list(range(self.seed, self.seed + (count or self.seeds)))

    def member(
        self,
        name: str,
        scenario: str,
        values: Mapping[str, Any],
        vary: Mapping[str, Sequence[Any]] | None = None,
        seeds: int = 0,
    ) -> Member:
        """Return a member whose seeds run fastest; where its data set needs files, it may be skipped."""
        optional = values["dataset"] not in WITHOUT_FILES
        return Member(name, scenario, values, {**(vary or {}), "seed": self.seeds_of(seeds)}, optional)
