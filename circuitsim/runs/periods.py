"""Periods of a development: epochs in which some parts of a circuit learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from pydantic import ConfigDict, StrictInt

if TYPE_CHECKING:
    from circuitsim.runs.design import Stage


@dataclass(frozen=True)
class Period:
    """Training from the end of one epoch (0: the start) to the end of another, and what learns in it."""

    begin: StrictInt
    end: StrictInt
    name: str

    __pydantic_config__ = ConfigDict(extra="forbid")  # where they are read from config.json

    def __str__(self) -> str:
        """Return the period in words."""
        epochs = f"epoch {self.end}" if self.end == self.begin + 1 else f"epochs {self.begin + 1} to {self.end}"
        return f"{self.name} ({epochs})"


def periods_of(stages: Iterable[Stage]) -> tuple[Period, ...]:
    """Return the periods of a development: neighbouring stages of one name together."""
    found: list[Period] = []
    for name, same in groupby((stage for stage in stages if stage.epochs), key=lambda stage: stage.name):
        begin = found[-1].end if found else 0
        found.append(Period(begin, begin + sum(stage.epochs for stage in same), name))
    return tuple(found)


def shared_periods(each: Iterable[tuple[Period, ...]]) -> tuple[Period, ...]:
    """Return the periods of developments that all have the same, otherwise none."""
    distinct = set(each)
    return distinct.pop() if len(distinct) == 1 else ()


def periods_until(periods: Sequence[Period], epoch: int) -> tuple[Period, ...]:
    """Return the periods that have begun before the end of an epoch, the last one cut there."""
    return tuple(replace(one, end=min(one.end, epoch)) for one in periods if one.begin < epoch)
