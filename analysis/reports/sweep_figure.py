"""A final metric against the parameters of a sweep: lines for numbers, a heat map for pairs, points for trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.plots import COLOURS, INK, MAP, STYLE, axes_at, draw_cells, style
from circuitsim.analysis.reports.run_figure import CurvesFigure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTH, HEIGHT, PANEL = 5.6, 3.4, 3.2  # inches: of a figure, and the width of a panel of trials
LOGARITHMIC = 20.0  # greatest over least value of a parameter from which its axis is logarithmic
TICKS = 5  # most intervals of a linear axis, whose labels would overlap otherwise


def sweep_figure(table: pd.DataFrame, keys: Sequence[str], column: str) -> CurvesFigure:
    """Draw one column of a sweep's table.

    Parameters
    ----------
    table : a row for each point. keys : its varied keys. column : the metric; `SD of ...` beside it gives error bars.
    """
    numbers = [key for key in keys if _numeric(table[key])]
    with matplotlib.rc_context(STYLE):
        figure = CurvesFigure(figsize=(WIDTH, HEIGHT))
        FigureCanvasAgg(figure)
        ax = axes_at(figure, 0.8, 0.55, WIDTH - 2.2, HEIGHT - 0.9)
        if len(numbers) == 2 and len(keys) == 2:
            _map(ax, table, numbers[0], numbers[1], column)
        else:
            across = numbers[0] if numbers else (keys[0] if keys else "")
            _lines(ax, table, across, [key for key in keys if key != across], column)
        ax.set_title(column)
    return figure


def trials_figure(table: pd.DataFrame, keys: Sequence[str], column: str) -> CurvesFigure:
    """Draw one column of a search's trials against each key; later trials are darker, the best is ringed.

    Parameters
    ----------
    table : a row for each trial, in order. keys : the keys that were searched. column : the metric.
    """
    values, best = table[column].to_numpy(), int(table[column].to_numpy().argmin())
    with matplotlib.rc_context(STYLE):
        figure = CurvesFigure(figsize=(PANEL * len(keys) + 0.6, HEIGHT))
        FigureCanvasAgg(figure)
        for index, key in enumerate(keys):
            ax = axes_at(figure, 0.8 + PANEL * index, 0.55, PANEL - 0.5, HEIGHT - 0.9)
            x = _places(ax, table[key], key)
            ax.scatter(x, values, c=-np.arange(len(x)), cmap=MAP, s=18, edgecolors=INK, linewidths=0.4, zorder=3)
            ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": COLOURS[1], "markeredgewidth": 1.6}
            ax.plot(x[best], values[best], "o", markersize=10, zorder=4, **ring)
            ax.set(ylabel="" if index else column, title=column if index == 0 else "")
            ax.grid(axis="y")
    return figure


def _places(ax: Axes, values: pd.Series, key: str) -> np.ndarray:
    """Return where the values of a key lie on an axis, which gets its scale and labels."""
    if not _numeric(values):
        names = [str(value) for value in dict.fromkeys(values)]
        ax.set_xticks(range(len(names)), names)
        ax.set(xlabel=key)
        return np.array([names.index(str(value)) for value in values])
    wide = values.min() > 0 and values.max() / values.min() >= LOGARITHMIC
    ax.set_xscale("log" if wide else "linear")
    if not wide:
        ax.locator_params(axis="x", nbins=TICKS)
    ax.set(xlabel=key + (" (logarithmic)" if wide else ""))
    return np.asarray(values, np.float64)


def _numeric(values: pd.Series) -> bool:
    return bool(values.dtype.kind in "if")


def _lines(ax: Axes, table: pd.DataFrame, across: str, others: Sequence[str], column: str) -> None:
    """Draw a line for each combination of the other keys, with bars of one standard deviation."""
    groups = table.groupby(list(others), sort=False, dropna=False) if others else [((), table)]
    for index, (labels, rows) in enumerate(groups):
        rows = rows.sort_values(across) if across and _numeric(table[across]) else rows
        x: Any = rows[across] if across and _numeric(table[across]) else np.arange(len(rows))
        label = ", ".join(f"{key} {value}" for key, value in zip(others, labels, strict=True))
        bars = rows[f"SD of {column}"].fillna(0)
        ax.errorbar(x, rows[column], yerr=bars, capsize=2, markersize=4, linewidth=1.4, label=label, **style(index))
    if across and _numeric(table[across]):
        least, most = table[across].min(), table[across].max()
        if least > 0 and most / least >= LOGARITHMIC:
            ax.set_xscale("log")
        else:
            ax.locator_params(axis="x", nbins=TICKS)
    elif across:
        names = [str(value) for value in dict.fromkeys(table[across])]
        ax.set_xticks(range(len(names)), names)
    ax.set(xlabel=across + (" (logarithmic)" if ax.get_xscale() == "log" else ""), ylabel=column)
    ax.grid(axis="y")
    if others:
        ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)


def _map(ax: Axes, table: pd.DataFrame, across: str, up: str, column: str) -> None:
    """Draw the cells of two numbers, each with its value."""
    cells = table.pivot_table(index=up, columns=across, values=column)
    rows, columns = [f"{value:g}" for value in cells.index], [f"{value:g}" for value in cells.columns]

    def write(x: int, y: int, colour: str) -> None:
        ax.text(x, y, number(float(cells.iat[y, x])), ha="center", va="center", color=colour, fontsize=8)

    draw_cells(ax, cells.to_numpy(), rows, columns, write)
    ax.set(xlabel=across, ylabel=up)
