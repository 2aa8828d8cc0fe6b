"""Periods of a development: epochs in which some parts of a circuit learn, marked on curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from circuitsim.analysis.reports.plots import INK
from circuitsim.runs.design import Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = 0.17  # inches above the axes for names
CHARACTER = 0.062  # inches of a letter of a label
SHADE = "#f1f1f1"


@dataclass(frozen=True)
class Period:
    """Training from the end of one epoch (0: the start) to the end of another, and what learns in it."""

    begin: int
    end: int
    name: str

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


def mark(ax: Axes, periods: Sequence[Period]) -> None:
    """Shade every other period of curves against the epoch, and write the names above: upright and below if narrow."""
    if len(periods) < 2:
        return
    low, high = ax.get_xlim()
    inches = ax.get_position().width * ax.figure.get_figwidth() / (high - low)  # type: ignore[union-attr]
    for number, one in enumerate(periods):
        if number % 2:
            ax.axvspan(one.begin, one.end, color=SHADE, linewidth=0, zorder=0)
        upright = len(one.name) * CHARACTER > (one.end - one.begin) * inches
        if not upright or (one.end - one.begin) * inches > 2 * CHARACTER:
            y, va, angle = (0.97, "top", 90) if upright else (1.01, "bottom", 0)
            ax.text((one.begin + one.end) / 2, y, one.name, transform=ax.get_xaxis_transform(), ha="center", va=va,
                    fontsize=7.5, color=INK, rotation=angle, zorder=1)  # fmt: skip
