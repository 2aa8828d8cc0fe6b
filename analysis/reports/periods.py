"""Periods of a development, marked on curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuitsim.analysis.reports.plots import INK
from circuitsim.runs.periods import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = 0.17  # inches above the axes for names
CHARACTER = 0.062  # inches of a letter of a label
SHADE = "#f1f1f1"


def head_for(periods: Sequence[Period]) -> float:
    """Return the inches above the axes that the names of periods need."""
    return HEAD if len(periods) > 1 else 0.0


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
