"""Figures of a search for parameters: the value of each trial in order, and against each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.panels import NARROW, WIDEST
from circuitsim.analysis.reports.plots import (
    COLOURS,
    INK,
    LOGARITHMIC,
    MAP,
    SHORT_AXIS,
    drawing,
    inline,
    label_decades,
    label_integers,
    panel_axes,
    room,
)
from circuitsim.runs.themes import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, SLICE = 2.65, (2.45, 2.2)  # inches: of a panel with its labels, and of one of a parameter
MARGINS = 0.62, 0.12, 0.5, 0.32  # inches around its axes: left, right, bottom, top
LEGEND = 0.28  # inches below all panels


@dataclass(frozen=True)
class Searched:
    """Trials of a search in order: its name, the value of each trial, the parameters each trial used."""

    name: str
    values: np.ndarray
    tried: Mapping[str, np.ndarray]

    @property
    def least(self) -> int:
        """Index of the best trial, the first of equals."""
        return int(np.argmin(self.values))


def draw_history(searches: Sequence[Searched], ylabel: str) -> Image:
    """Draw the value of each trial and the lowest value so far."""
    columns = min(theme().columns, len(searches))
    rows, width = -(-len(searches) // columns), min(room() / columns, WIDEST)
    low, high = _range([search.values for search in searches])
    with drawing(columns * width, rows * HEIGHT + LEGEND) as figure:
        for index, search in enumerate(searches):
            ax = panel_axes(figure, index, columns, (width, HEIGHT), MARGINS)
            said = _value_axis(ax, low, high, ylabel)
            _trials(ax, search, low)
            ax.set(xlabel="trial", title=search.name + said)
        figure.legend(*ax.get_legend_handles_labels(), loc="lower left", ncols=2)
        ends = "; ".join(f"{s.name} {number(float(s.values.min()))} at trial {s.least + 1}" for s in searches)
        return inline(figure, f"{ylabel} of each trial and the least so far. Least: {ends}.")


def draw_slices(searches: Sequence[Searched], labels: Mapping[str, str], ylabel: str) -> Image:
    """Draw the value of each trial against each parameter, a row of panels for each search; the best is ringed.

    Parameters
    ----------
    labels : axis labels, by parameter.
    """
    columns = min(len(labels), max(1, int(room() / SLICE[0])))
    lines, width = -(-len(labels) // columns), min(room() / columns, WIDEST)
    low, high = _range([search.values for search in searches])
    ends = {key: _range([search.tried[key] for search in searches]) for key in labels}
    with drawing(columns * width, len(searches) * lines * SLICE[1]) as figure:
        for (row, search), (place, key) in product(enumerate(searches), enumerate(labels)):
            ax = panel_axes(figure, row * lines * columns + place, columns, (width, SLICE[1]), MARGINS)
            said = _value_axis(ax, low, high, ylabel if place % columns == 0 else "")
            _slice(ax, search.tried[key], np.maximum(search.values, low), search.least)
            ax.set(xlim=ends[key], xlabel=labels[key] + LOGARITHMIC, title="" if place else search.name + said)
            label_decades(ax.xaxis, *ends[key], ticks=5, subs=SHORT_AXIS)
        return inline(
            figure, f"{ylabel} against {', '.join(labels.values())}; a row for each of {len(searches)} depths."
        )


def _trials(ax: Axes, search: Searched, low: float) -> None:
    trials = np.arange(1, len(search.values) + 1)
    values = np.maximum(search.values, low)
    ax.plot(trials, values, "o", color=COLOURS[0], markersize=4, markerfacecolor="white", label="trial")
    best: dict[str, Any] = {"color": COLOURS[1], "linewidth": 1.5, "drawstyle": "steps-post", "label": "least so far"}
    ax.plot(trials, np.minimum.accumulate(values), **best)
    label_integers(ax.xaxis)


def _slice(ax: Axes, x: np.ndarray, values: np.ndarray, best: int) -> None:
    """Later trials are darker."""
    ax.set_xscale("log")
    ax.scatter(x, values, c=-np.arange(len(x)), cmap=MAP, s=16, edgecolors=INK, linewidths=0.4, zorder=3)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": COLOURS[1], "markeredgewidth": 1.6}
    ax.plot(x[best], values[best], "o", markersize=10, zorder=4, **ring)


def _range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of a logarithmic axis for all values, with margins; zeros lie at its lower end."""
    found = np.concatenate(values)
    found = found[found > 0]
    low, high = (float(found.min()), float(found.max())) if found.size else (1.0, 10.0)
    margin = max(1.15, (high / low) ** 0.06)
    return low / margin, max(high, 1.5 * low) * margin


def _value_axis(ax: Axes, low: float, high: float, label: str) -> str:
    """Prepare the axis of values; return the words that a title needs if it is logarithmic."""
    logarithmic = high / low > NARROW
    ax.set_yscale("log" if logarithmic else "linear")
    ax.set(ylim=(low, high), ylabel=label)
    if logarithmic:
        label_decades(ax.yaxis, low, high, ticks=5, subs=SHORT_AXIS)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return LOGARITHMIC * logarithmic
