"""Figures of several panels under one legend: curves with bands over replicas, one style for a label everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number, plural
from circuitsim.analysis.reports.plots import COLOURS, DASHES, MARKERS, drawing, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.45, 2.65  # inches of a panel with its labels
LEFT, RIGHT, BOTTOM, TOP = 0.72, 0.12, 0.5, 0.32  # inches around its axes
LINE = 0.2  # inches of a line of the legend
MARKED = 7  # markers on a curve
FAINT, FEW = 0.08, 4  # how strong bands are where there are more curves than a few


@dataclass(frozen=True)
class Panel:
    """Curves over one quantity.

    Parameters
    ----------
    title, xlabel, ylabel : with units. x : (points,). curves : a label's values, (points, replicas), NaN where missing.
    logarithmic : whether the axis of values is. limits : its range; None: what the values need. whole : the axes
        on which something is counted: "", "x" or "xy". ticks : places on the axis of x and what is written there; none:
        as matplotlib has them.
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


def draw_panels(panels: Sequence[Panel], labels: Sequence[str], *, columns: int = 2, what: str = "") -> Image:
    """Draw panels row by row, and below them which label has which style; bands reach from least to greatest replica.

    Parameters
    ----------
    labels : of all curves, in the order of the legend; a label's place decides its style. what : the figure in words.
    """
    rows, columns = math.ceil(len(panels) / columns), min(columns, len(panels))
    lines = math.ceil(len(labels) / _per_line(labels, columns))
    width, legend = columns * WIDTH, LINE * lines + 0.1
    height = rows * HEIGHT + legend
    with drawing(width, height) as figure:
        for index, panel in enumerate(panels):
            row, column = divmod(index, columns)
            ax = figure.add_axes(_place(column, row, width, height))
            _panel(ax, panel, labels)
        _legend(figure, labels, _per_line(labels, columns))
        return inline(figure, f"{what}: {plural(len(panels), 'panel')}. {' '.join(map(_ends, panels))}")


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest over the replicas (last axis) that are finite; NaN where none is."""
    found = np.full((3, len(values)), np.nan)
    some = np.isfinite(values).any(axis=1)
    found[:, some] = [f(np.where(np.isfinite(values), values, np.nan)[some], axis=1) for f in _SUMMARIES]
    return found[0], found[1], found[2]


_SUMMARIES = (np.nanmean, np.nanmin, np.nanmax)


def style(index: int) -> dict[str, Any]:
    """Colour, dashes and marker of the label at a place; from the ninth on markers are hollow and dashes others."""
    again, place = divmod(index, len(COLOURS))
    return {
        "color": COLOURS[place],
        "linestyle": DASHES[(place + 3 * again) % len(DASHES)],
        "marker": MARKERS[(place + 5 * again) % len(MARKERS)],
        "markerfacecolor": "white" if again else COLOURS[place],
    }


def _panel(ax: Axes, panel: Panel, labels: Sequence[str]) -> None:
    if panel.logarithmic:
        ax.set_yscale("log")
    for label, values in panel.curves.items():
        _curve(ax, panel, values, labels.index(label))
    if panel.limits:
        ax.set_ylim(*panel.limits)
    if panel.logarithmic:
        _powers(ax)
    if panel.ticks:
        ax.set_xticks(list(panel.ticks), list(panel.ticks.values()))
    for axis in panel.whole:
        _count(ax.xaxis if axis == "x" else ax.yaxis)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel(panel.xlabel)
    ax.set_ylabel(panel.ylabel)
    ax.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold")


def _curve(ax: Axes, panel: Panel, values: np.ndarray, index: int) -> None:
    middle, low, high = spread(_middles(values, panel.logarithmic))
    if panel.logarithmic:
        middle, low, high = (10**part for part in (middle, low, high))
    if (high > low).any():
        alpha = 2 * FAINT if len(panel.curves) <= FEW else FAINT
        ax.fill_between(panel.x, low, high, color=COLOURS[index % len(COLOURS)], alpha=alpha, linewidth=0)
    step = max(1, len(panel.x) // MARKED)
    places = list(range(index * step // 8 % step, len(panel.x), step))
    ax.plot(panel.x, middle, markevery=places, markersize=4, linewidth=1.4, **style(index))


def _middles(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """What is averaged: on a logarithmic axis the logarithms, so that the mean lies amid its band."""
    if not logarithmic:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.log10(values)
    return found


def _powers(ax: Axes) -> None:
    """Label powers of ten, or 1, 2 and 5 of each where the axis has few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,), numticks=8))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _count(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))


def _legend(figure: Figure, labels: Sequence[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], markersize=4, linewidth=1.4, **style(index)) for index in range(len(labels))]
    figure.legend(lines, labels, loc="lower left", ncols=columns, fontsize=8.5, frameon=False, handlelength=3.2,
                  labelspacing=0.3, columnspacing=1.4, bbox_to_anchor=(0.02, 0.0), borderaxespad=0.2)  # fmt: skip


def _per_line(labels: Sequence[str], columns: int) -> int:
    """Labels that fit beside one another."""
    longest = max(map(len, labels))
    return max(1, min(len(labels), int((columns * WIDTH - 0.2) / (0.7 + 0.07 * longest))))


def _place(column: int, row: int, width: float, height: float) -> tuple[float, float, float, float]:
    """Axes within the figure."""
    left, bottom = column * WIDTH + LEFT, height - (row + 1) * HEIGHT + BOTTOM
    return left / width, bottom / height, (WIDTH - LEFT - RIGHT) / width, (HEIGHT - BOTTOM - TOP) / height


def _ends(panel: Panel) -> str:
    """A panel in words: where its curves end."""
    ends = [f"{label} {number(_last(spread(values)[0]))}" for label, values in panel.curves.items()]
    return f"{panel.title}, {panel.ylabel}, at the end: {'; '.join(ends)}."


def _last(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan
