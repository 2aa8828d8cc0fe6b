"""Figures of several panels under one legend: curves with bands over replicas; a label keeps its style everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.groups import spread
from circuitsim.analysis.reports.page import Image, number, plural
from circuitsim.analysis.reports.periods import head_for, mark
from circuitsim.analysis.reports.plots import (
    LOGARITHMIC,
    drawing,
    inline,
    keep_labels,
    label_decades,
    label_integers,
    panel_axes,
    room,
    style,
)
from circuitsim.runs.periods import Period
from circuitsim.runs.themes import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.45, 2.65  # inches of a panel with its labels, at least
WIDEST, RISE = 6.8, 0.4  # inches of a panel at most, and how much its height grows with its width
MARGINS = 0.72, 0.12, 0.5, 0.32  # inches around its axes: left, right, bottom, top
LINE = 0.2  # inches of a line of the legend
MARKED = 7  # markers on a curve
NARROW = 5.0  # figures whose values span no greater ratio have linear axes
WIDE = 20.0  # numbers on the x axis that span a greater ratio are placed by their logarithms
FAINT, FEW = 0.08, 4  # opacity of bands; twice that for so few curves


@dataclass(frozen=True)
class Panel:
    """Curves over one quantity.

    Parameters
    ----------
    title, xlabel, ylabel : with units. x : (points,). curves : values by label, (points, replicas), NaN where missing.
    logarithmic : scale of the y axis. limits : its range; None: as the values need. whole : axes that count something:
        "", "x" or "xy". ticks : places on the x axis and their labels; none: matplotlib's choice.
    wide : whether the x axis is logarithmic above the least positive x, since the numbers span several decades.
    periods : of a development, marked on an axis of epochs. stairs : whether a point stands for an interval around it.
    """

    title: str
    xlabel: str
    ylabel: str
    x: np.ndarray
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    logarithmic: bool = False
    limits: tuple[float, float] | None = None
    whole: str = ""
    ticks: Mapping[float, str] = field(default_factory=dict)
    wide: bool = False
    periods: Sequence[Period] = ()
    stairs: bool = False


@dataclass(frozen=True)
class Grid:
    """Columns of panels, the width of a panel in inches, the labels of the legend below them.

    `head` : inches above the axes of each panel for the names of periods.
    """

    columns: int
    width: float
    labels: Sequence[str]
    head: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches of a panel."""
        return self.width, HEIGHT + self.head + RISE * max(0.0, self.width - WIDTH)

    def extent(self, panels: int) -> tuple[float, float]:
        """Return the width and height in inches of so many panels and the legend."""
        lines = math.ceil(len(self.labels) / self.per_line)
        return self.columns * self.width, math.ceil(panels / self.columns) * self.size[1] + LINE * lines + 0.1

    @property
    def per_line(self) -> int:
        """Number of labels side by side."""
        longest = max(map(len, self.labels))
        return max(1, min(len(self.labels), int((self.columns * self.width - 0.2) / (0.7 + 0.07 * longest))))


def draw_panels(panels: Sequence[Panel], labels: Sequence[str], *, columns: int = 0, what: str = "") -> Image:
    """Draw panels row by row above one legend; bands reach from the least to the greatest replica.

    Parameters
    ----------
    labels : of all curves, in the order of the legend; its place decides a label's style.
    columns : panels side by side, if the theme has so many; 0: as many as it has. what : the figure in words.
    """
    columns = min(theme().columns, columns or (len(panels) if len(panels) != 4 else 2))
    head = max(head_for(panel.periods) for panel in panels)
    grid = Grid(columns, min(room() / columns, WIDEST), labels, head)
    with drawing(*grid.extent(len(panels))) as figure:
        draw_on(figure, panels, grid)
        return inline(figure, f"{what}: {plural(len(panels), 'panel')}. {' '.join(map(_ends, panels))}")


def draw_on(figure: Figure, panels: Sequence[Panel], grid: Grid) -> None:
    """Draw panels and their legend on an empty figure of their extent."""
    logarithmic = any(panel.logarithmic and _ratio(panel) > NARROW for panel in panels)
    for index, panel in enumerate(panels):
        ax = panel_axes(figure, index, grid.columns, grid.size, (*MARGINS[:3], MARGINS[3] + grid.head))
        _panel(ax, replace(panel, logarithmic=panel.logarithmic and logarithmic), grid.labels)
        mark(ax, panel.periods)
        ax.set_title(ax.get_title(loc="left"), pad=6 + 72 * grid.head)
    keep_labels(figure, [grid.width * (index % grid.columns) for index in range(len(panels))])
    _legend(figure, grid)


def by_number(x: np.ndarray) -> dict[str, Any]:
    """Return the options of a panel whose x axis has numbers at their places, far apart or not."""
    positive = x[x > 0]
    wide = bool(positive.size and positive.max() / positive.min() > WIDE)
    return {"x": x, "wide": wide, "ticks": {float(one): f"{one:g}" for one in x} if wide else {}}


def _ratio(panel: Panel) -> float:
    """Return the ratio of the ends of a panel's y axis."""
    low, high = panel.limits or _ends_of([values[np.isfinite(values)] for values in panel.curves.values()])
    return high / low if low > 0 else math.inf


def _ends_of(values: Sequence[np.ndarray]) -> tuple[float, float]:
    found = np.concatenate(values) if values else np.zeros(0)
    return (float(found.min()), float(found.max())) if found.size else (1.0, 1.0)


def _panel(ax: Axes, panel: Panel, labels: Sequence[str]) -> None:
    if panel.logarithmic:
        ax.set_yscale("log")
    for label, values in panel.curves.items():
        _curve(ax, panel, values, labels.index(label))
    if panel.limits:
        ax.set_ylim(*panel.limits)
    if panel.logarithmic:
        label_decades(ax.yaxis, *ax.get_ylim(), ticks=8)
    if panel.wide:
        least = float(panel.x[panel.x > 0].min())
        ax.set_xscale("symlog", linthresh=least, linscale=0.4)
        ax.minorticks_off()
    if panel.ticks:
        ax.set_xticks(list(panel.ticks), list(panel.ticks.values()))
    for axis in panel.whole:
        label_integers(ax.xaxis if axis == "x" else ax.yaxis)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.set(xlabel=panel.xlabel + (f" (logarithmic from {least:g})" if panel.wide else ""), ylabel=panel.ylabel)
    ax.set_title(panel.title + LOGARITHMIC * panel.logarithmic)


def _curve(ax: Axes, panel: Panel, values: np.ndarray, index: int) -> None:
    middle, low, high = spread(values)
    if (high > low).any():
        alpha = 2 * FAINT if len(panel.curves) <= FEW else FAINT
        ax.fill_between(panel.x, low, high, color=style(index)["color"], alpha=alpha, linewidth=0,
                        step="mid" if panel.stairs else None)  # fmt: skip
    step = max(1, len(panel.x) // MARKED)
    places = list(range(index * step // 8 % step, len(panel.x), step))
    ax.plot(panel.x, middle, markevery=places, markersize=4, linewidth=1.4,
            drawstyle="steps-mid" if panel.stairs else "default", **style(index))  # fmt: skip


def _legend(figure: Figure, grid: Grid) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], markersize=4, linewidth=1.4, **style(index)) for index in range(len(grid.labels))]
    figure.legend(lines, grid.labels, loc="lower left", ncols=grid.per_line, handlelength=3.2,
                  labelspacing=0.3, columnspacing=1.4, bbox_to_anchor=(0.02, 0.0), borderaxespad=0.2)  # fmt: skip


def _ends(panel: Panel) -> str:
    """Describe a panel by the last values of its curves."""
    ends = [f"{label} {number(_last(spread(values)[0]))}" for label, values in panel.curves.items()]
    return f"{panel.title}, {panel.ylabel}, at the end: {'; '.join(ends)}."


def _last(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan
