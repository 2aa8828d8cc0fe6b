"""Matrices of numbers as coloured cells: maps of a measure over two quantities, and tables with deviations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.plots import (
    LOGARITHMIC,
    SHORT_AXIS,
    axes_at,
    cells_in_words,
    draw_cells,
    drawing,
    inline,
    label_decades,
    room,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL, WIDE = (0.74, 0.44), (1.15, 0.44)  # inches of a cell: with a mean; with a mean and its deviation
LEFT, RIGHT, BOTTOM, TOP, BAR = 0.72, 0.2, 0.52, 0.36, 1.0  # inches around the cells, and for the colour bar
NARROW = 2.3  # inches that a title needs
DECADES = 30.0  # a greater ratio between the ends of the scale makes it logarithmic


@dataclass(frozen=True)
class Map:
    """Means over replicas, (row, column), NaN where there is none.

    Parameters
    ----------
    title, xlabel, ylabel : in words. rows, columns : labels beside and below the cells.
    named : text above the number of a cell, by (row, column).
    """

    title: str
    xlabel: str
    ylabel: str
    rows: Sequence[str]
    columns: Sequence[str]
    means: np.ndarray
    named: Mapping[tuple[int, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix:
    """Means and standard deviations, (row, column), NaN where there is none; colours may be logarithmic."""

    title: str
    unit: str
    rows: Sequence[str]
    columns: Sequence[str]
    mean: np.ndarray
    deviation: np.ndarray
    logarithmic: bool = False


def draw_maps(maps: Sequence[Map], unit: str, *, columns: int = 2) -> Image:
    """Draw maps row by row on one colour scale, logarithmic where its ends are far apart; rows ascend."""
    across, along = max(len(m.columns) for m in maps), max(len(m.rows) for m in maps)
    panel = (LEFT + max(across * CELL[0], NARROW) + RIGHT, BOTTOM + along * CELL[1] + TOP)
    columns = min(columns, len(maps), max(1, int((room() - BAR) / panel[0])))
    width, height = columns * panel[0] + BAR, math.ceil(len(maps) / columns) * panel[1]
    finite = np.concatenate([m.means[np.isfinite(m.means)] for m in maps])
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    with drawing(width, height) as figure:
        for index, one in enumerate(maps):
            row, column = divmod(index, columns)
            size = len(one.columns) * CELL[0], len(one.rows) * CELL[1]
            bottom = height - row * panel[1] - TOP - size[1]
            shown = _map(axes_at(figure, column * panel[0] + LEFT, bottom, *size), one, ends)
        bar = axes_at(figure, width - BAR + 0.1, BOTTOM, 0.12, height - BOTTOM - TOP)
        said = unit + LOGARITHMIC * (shown.norm.__class__.__name__ == "LogNorm")
        figure.colorbar(shown, cax=bar, label=said, format=lambda value, _: f"{value:.5g}")
        words = (
            f"{m.title}, {unit}, {m.ylabel} by {m.xlabel} at {', '.join(m.columns)}: {cells_in_words(m.rows, m.means)}."
            for m in maps
        )
        return inline(figure, " ".join(words))


def _map(ax: Axes, one: Map, ends: tuple[float, float]) -> Any:
    def write(column: int, row: int, ink: str) -> None:
        name, mean = one.named.get((row, column)), number(float(one.means[row, column]))
        ax.text(column, row, f"{name}\n{mean}" if name else mean, ha="center", va="center", fontsize=7.5, color=ink,
                fontweight="bold" if name else "normal")  # fmt: skip

    scale = "log" if ends[0] > 0 and ends[1] / ends[0] > DECADES else "linear"
    shown = draw_cells(
        ax, one.means, one.rows, one.columns, write, origin="lower", norm=scale, clim=ends, interpolation="nearest"
    )
    ax.tick_params(axis="y", labelsize=8)
    ax.set(xlabel=one.xlabel, ylabel=one.ylabel, title=one.title)
    return shown


def draw_matrices(matrices: Sequence[Matrix], xlabel: str) -> Image:
    """Draw matrices, as many side by side as fit, each cell with its mean and standard deviation."""
    longest = max(len(label) for matrix in matrices for label in matrix.rows)
    left, cells = 0.3 + 0.075 * longest, max(len(matrix.columns) for matrix in matrices)
    width, rows = left + max(cells * WIDE[0], 2.4) + 1.0, max(len(matrix.rows) for matrix in matrices)
    columns, height = min(len(matrices), max(1, int(room() / width))), 0.9 + WIDE[1] * rows
    lines = math.ceil(len(matrices) / columns)
    with drawing(columns * width, lines * height) as figure:
        for index, matrix in enumerate(matrices):
            line, column = divmod(index, columns)
            size = cells * WIDE[0], WIDE[1] * len(matrix.rows)
            bottom = (lines - line) * height - 0.42 - size[1]
            _matrix(figure, matrix, (column * width + left, bottom, *size), xlabel)
        words = (f"{m.title}, {m.unit}, at {', '.join(m.columns)}: {cells_in_words(m.rows, m.mean)}." for m in matrices)
        return inline(figure, " ".join(words))


def _matrix(figure: Figure, matrix: Matrix, box: tuple[float, float, float, float], xlabel: str) -> None:
    ax = axes_at(figure, *box)

    def write(column: int, row: int, ink: str) -> None:
        mean, deviation = float(matrix.mean[row, column]), float(matrix.deviation[row, column])
        spread = f" ± {deviation:.1f}" if np.isfinite(deviation) else ""
        text = f"{mean:.1f}{spread}" if np.isfinite(mean) else "–"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)

    values, positive = matrix.mean, matrix.mean[matrix.mean > 0]
    logarithmic = matrix.logarithmic and positive.size > 0
    if logarithmic:  # zeros take the colour of the least positive value
        values = np.where(matrix.mean <= 0, positive.min(), matrix.mean)
    shown = draw_cells(ax, values, matrix.rows, matrix.columns, write, norm="log" if logarithmic else "linear")
    ax.tick_params(axis="y", labelsize=8.5)
    ax.set(xlabel=xlabel, title=matrix.title + LOGARITHMIC * logarithmic)
    bar = axes_at(figure, box[0] + box[2] + 0.15, box[1], 0.12, box[3])
    figure.colorbar(shown, cax=bar, label=matrix.unit)
    if logarithmic:
        label_decades(bar.yaxis, *bar.get_ylim(), ticks=5, subs=SHORT_AXIS)
