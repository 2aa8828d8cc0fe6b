"""Maps of a figure of merit over two quantities: a cell for each pair, some of them named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.plots import drawing, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "cividis"  # alike to all kinds of colour vision, and in grey
CELL = (0.74, 0.44)  # inches
LEFT, RIGHT, BOTTOM, TOP, BAR = 0.72, 0.2, 0.52, 0.36, 1.0  # inches around the cells, and for the bar of colours
NARROW = 2.3  # inches that a title needs
DECADES = 30.0  # a greater ratio between the ends of the scale makes it logarithmic


@dataclass(frozen=True)
class Map:
    """Means over replicas, (row, column), NaN where there is none.

    Parameters
    ----------
    title, xlabel, ylabel : in words. rows, columns : what is written beside and below the cells.
    named : what stands in a cell above its number, by (row, column).
    """

    title: str
    xlabel: str
    ylabel: str
    rows: Sequence[str]
    columns: Sequence[str]
    means: np.ndarray
    named: Mapping[tuple[int, int], str] = field(default_factory=dict)


def draw_maps(maps: Sequence[Map], unit: str, *, columns: int = 2) -> Image:
    """Draw maps line by line on one scale of colours, logarithmic where its ends are far apart; rows ascend."""
    columns = min(columns, len(maps))
    across, along = max(len(m.columns) for m in maps), max(len(m.rows) for m in maps)
    panel = (LEFT + max(across * CELL[0], NARROW) + RIGHT, BOTTOM + along * CELL[1] + TOP)
    lines = math.ceil(len(maps) / columns)
    width, height = columns * panel[0] + BAR, lines * panel[1]
    ends = _ends(maps)
    with drawing(width, height) as figure:
        for index, one in enumerate(maps):
            row, column = divmod(index, columns)
            size = len(one.columns) * CELL[0], len(one.rows) * CELL[1]
            left, top = column * panel[0] + LEFT, height - row * panel[1] - TOP
            place = (left / width, (top - size[1]) / height, size[0] / width, size[1] / height)
            shown = _map(figure.add_axes(place), one, ends)
        bar = figure.add_axes(((width - BAR + 0.1) / width, BOTTOM / height, 0.12 / width, 1 - (BOTTOM + TOP) / height))
        figure.colorbar(shown, cax=bar, label=unit, format=lambda value, _: f"{value:.5g}")
        return inline(figure, " ".join(_in_words(one, unit) for one in maps))


def _ends(maps: Sequence[Map]) -> tuple[float, float]:
    finite = np.concatenate([m.means[np.isfinite(m.means)] for m in maps])
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _map(ax: Axes, one: Map, ends: tuple[float, float]) -> Any:
    scale = "log" if ends[0] > 0 and ends[1] / ends[0] > DECADES else "linear"
    shown = ax.imshow(
        one.means, cmap=COLOURS, aspect="auto", origin="lower", norm=scale, clim=ends, interpolation="nearest"
    )
    ax.set_xticks(range(len(one.columns)), list(one.columns), fontsize=8)
    ax.set_yticks(range(len(one.rows)), list(one.rows), fontsize=8)
    ax.tick_params(length=0)
    ax.set_xlabel(one.xlabel)
    ax.set_ylabel(one.ylabel)
    ax.set_title(one.title, loc="left", fontsize=9.5, fontweight="bold")
    for (row, column), mean in np.ndenumerate(one.means):
        name = one.named.get((row, column))
        text = f"{name}\n{number(float(mean))}" if name else number(float(mean))
        weight = "bold" if name else "normal"
        ink = _ink(shown, float(mean))
        ax.text(column, row, text, ha="center", va="center", fontsize=7.5, color=ink, fontweight=weight)
    return shown


def _ink(shown: Any, value: float) -> str:
    """White on dark cells, black on light ones and where there is no colour."""
    if not np.isfinite(value):
        return "#1b1b1b"
    red, green, blue, _ = shown.cmap(shown.norm(value))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "#1b1b1b"


def _in_words(one: Map, unit: str) -> str:
    rows = zip(one.rows, one.means, strict=True)
    cells = "; ".join(f"{label}: {', '.join(number(float(v)) for v in values)}" for label, values in rows)
    return f"{one.title}, {unit}, {one.ylabel} by {one.xlabel} at {', '.join(one.columns)}: {cells}."
