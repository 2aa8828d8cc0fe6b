"""Figures of a search for parameters: its course, slices of what was tried, and how well findings transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.plots import COLOURS, drawing, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PANEL, SLICE = (3.45, 2.65), (2.45, 2.2)  # inches of a panel with its labels
LEFT, RIGHT, BOTTOM, TOP = 0.62, 0.12, 0.5, 0.32  # inches around its axes
LEGEND = 0.28  # inches below all panels
CELL = (1.3, 0.44)  # inches of a matrix's cell
MAP = "cividis"  # alike to all kinds of colour vision, and in grey
SUBS = ((8.0, (1, 2, 3, 5, 7)), (80.0, (1, 2, 5)))  # of each decade, on axes whose ends are less than this ratio apart


@dataclass(frozen=True)
class Searched:
    """A search in order of its trials: what it is called, the value of each, what each tried."""

    name: str
    values: np.ndarray
    tried: Mapping[str, np.ndarray]

    @property
    def least(self) -> int:
        """The place of the best trial, the first of equals."""
        return int(np.argmin(self.values))


@dataclass(frozen=True)
class Matrix:
    """A number for each row and column, and its standard deviation; NaN where there is none.

    Parameters
    ----------
    logarithmic : whether colours are.
    """

    title: str
    unit: str
    rows: Sequence[str]
    columns: Sequence[str]
    mean: np.ndarray
    deviation: np.ndarray
    logarithmic: bool = False


def draw_history(searches: Sequence[Searched], ylabel: str) -> Image:
    """The value of each trial, and the least until then."""
    columns = min(2, len(searches))
    rows = -(-len(searches) // columns)
    width, height = columns * PANEL[0], rows * PANEL[1] + LEGEND
    low, high = _range([search.values for search in searches])
    with drawing(width, height) as figure:
        for index, search in enumerate(searches):
            ax = _axes(figure, index, columns, (width, height), PANEL)
            _value_axis(ax, low, high, ylabel)
            _course(ax, search, low)
            ax.set_xlabel("trial")
            ax.set_title(search.name, loc="left", fontsize=9.5, fontweight="bold")
        figure.legend(*ax.get_legend_handles_labels(), loc="lower left", ncols=2, fontsize=8.5, frameon=False)
        ends = "; ".join(f"{s.name} {number(float(s.values.min()))} at trial {s.least + 1}" for s in searches)
        return inline(figure, f"{ylabel} of each trial and the least so far. Least: {ends}.")


def draw_slices(searches: Sequence[Searched], labels: Mapping[str, str], ylabel: str) -> Image:
    """The value of each trial against each parameter, a row of panels for each search; the best is ringed.

    Parameters
    ----------
    labels : of the axes, by parameter.
    """
    columns = len(labels)
    width, height = columns * SLICE[0], len(searches) * SLICE[1]
    low, high = _range([search.values for search in searches])
    ends = {key: _range([search.tried[key] for search in searches]) for key in labels}
    with drawing(width, height) as figure:
        for index, (search, key) in enumerate((search, key) for search in searches for key in labels):
            ax = _axes(figure, index, columns, (width, height), SLICE)
            _value_axis(ax, low, high, ylabel if index % columns == 0 else "")
            _slice(ax, search.tried[key], np.maximum(search.values, low), search.least)
            ax.set_xlim(*ends[key])
            _labelled(ax.xaxis, *ends[key])
            ax.set_xlabel(labels[key])
            if index % columns == 0:
                ax.set_title(search.name, loc="left", fontsize=9.5, fontweight="bold")
        return inline(
            figure, f"{ylabel} against {', '.join(labels.values())}; a row for each of {len(searches)} depths."
        )


def draw_matrices(matrices: Sequence[Matrix], xlabel: str) -> Image:
    """Matrices below one another, each cell with its mean and standard deviation."""
    longest = max(len(label) for matrix in matrices for label in matrix.rows)
    left, cells = 0.3 + 0.075 * longest, max(len(matrix.columns) for matrix in matrices)
    width = left + max(cells * CELL[0], 2.6) + 1.0
    heights = [0.75 + CELL[1] * len(matrix.rows) + 0.15 for matrix in matrices]
    with drawing(width, sum(heights)) as figure:
        above = 0.0
        for matrix, height in zip(matrices, heights, strict=True):
            bottom = sum(heights) - above - height + 0.48
            size = (cells * CELL[0], CELL[1] * len(matrix.rows))
            _matrix(figure, matrix, (left, bottom, *size), (width, sum(heights)), xlabel)
            above += height
        return inline(figure, " ".join(map(_in_words, matrices)))


def _course(ax: Axes, search: Searched, low: float) -> None:
    trials = np.arange(1, len(search.values) + 1)
    values = np.maximum(search.values, low)
    ax.plot(trials, values, "o", color=COLOURS[0], markersize=4, markerfacecolor="white", label="trial")
    ax.plot(
        trials,
        np.minimum.accumulate(values),
        color=COLOURS[1],
        linewidth=1.5,
        drawstyle="steps-post",
        label="least so far",
    )
    _whole(ax.xaxis)


def _slice(ax: Axes, x: np.ndarray, values: np.ndarray, best: int) -> None:
    """Later trials are darker."""
    ax.set_xscale("log")
    ax.scatter(x, values, c=-np.arange(len(x)), cmap=MAP, s=16, edgecolors="#1b1b1b", linewidths=0.4, zorder=3)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": COLOURS[1], "markeredgewidth": 1.6}
    ax.plot(x[best], values[best], "o", markersize=10, zorder=4, **ring)


def _matrix(figure: Figure, matrix: Matrix, box: tuple[float, ...], size: tuple[float, float], xlabel: str) -> None:
    left, bottom, width, height = box
    ax = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
    coloured, norm = _coloured(matrix)
    shown = ax.imshow(coloured, cmap=MAP, aspect="auto", norm=norm)
    ax.set_xticks(range(len(matrix.columns)), matrix.columns, fontsize=8)
    ax.set_yticks(range(len(matrix.rows)), matrix.rows, fontsize=8.5)
    ax.tick_params(length=0)
    ax.set_xlabel(xlabel)
    ax.set_title(matrix.title, loc="left", fontsize=9.5, fontweight="bold")
    for row, column in np.ndindex(matrix.mean.shape):
        mean, deviation = float(matrix.mean[row, column]), float(matrix.deviation[row, column])
        ink = _ink(shown, float(coloured[row, column]))
        ax.text(column, row, _cell(mean, deviation), ha="center", va="center", fontsize=8, color=ink)
    bar = figure.add_axes(((left + width + 0.15) / size[0], bottom / size[1], 0.12 / size[0], height / size[1]))
    figure.colorbar(shown, cax=bar, label=matrix.unit)
    if norm == "log":
        _labelled(bar.yaxis, *bar.get_ylim())


def _coloured(matrix: Matrix) -> tuple[np.ndarray, str]:
    """What colours stand for, and on which scale: on a logarithmic one values of nought have the least one's colour."""
    positive = matrix.mean[matrix.mean > 0]
    if not matrix.logarithmic or not positive.size:
        return matrix.mean, "linear"
    return np.where(matrix.mean <= 0, positive.min(), matrix.mean), "log"


def _cell(mean: float, deviation: float) -> str:
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.1f} ± {deviation:.1f}" if np.isfinite(deviation) else f"{mean:.1f}"


def _ink(shown: Any, value: float) -> str:
    """White on dark cells, black on light ones and where there is no colour."""
    if not np.isfinite(value):
        return "#1b1b1b"
    red, green, blue, _ = shown.cmap(shown.norm(value))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "#1b1b1b"


def _in_words(matrix: Matrix) -> str:
    rows = zip(matrix.rows, matrix.mean, strict=True)
    cells = "; ".join(f"{label}: {', '.join(number(float(v)) for v in values)}" for label, values in rows)
    return f"{matrix.title}, {matrix.unit}, at {', '.join(matrix.columns)}: {cells}."


def _range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of a logarithmic axis for all values, with margins; values of nought lie at its lower end."""
    found = np.concatenate(values)
    found = found[found > 0]
    low, high = (float(found.min()), float(found.max())) if found.size else (1.0, 10.0)
    margin = max(1.15, (high / low) ** 0.06)
    return low / margin, max(high, 1.5 * low) * margin


def _value_axis(ax: Axes, low: float, high: float, label: str) -> None:
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    _labelled(ax.yaxis, low, high)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_ylabel(label)


def _labelled(axis: Axis, low: float, high: float) -> None:
    """Label powers of ten, or more of each decade where the axis has few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    subs = next((found for ratio, found in SUBS if high / low < ratio), (1,))
    axis.set_major_locator(LogLocator(subs=subs, numticks=5 if len(subs) == 1 else 12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axis.set_minor_formatter(NullFormatter())


def _whole(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))


def _axes(figure: Figure, index: int, columns: int, size: tuple[float, float], panel: tuple[float, float]) -> Axes:
    row, column = divmod(index, columns)
    left, bottom = column * panel[0] + LEFT, size[1] - (row + 1) * panel[1] + BOTTOM
    width, height = panel[0] - LEFT - RIGHT, panel[1] - BOTTOM - TOP
    return figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
