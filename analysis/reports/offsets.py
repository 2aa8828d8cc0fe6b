"""Maps of a measure by the offset of the presynaptic neuron, before and after training, on one colour scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.plots import MAP, axes_at, drawing, inline, room

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE, BETWEEN = 0.82, 0.14  # inches of a map, and between two of a pair
LEFT, RIGHT, BOTTOM, TOP, BAR = 0.36, 0.3, 0.32, 0.62, 0.95  # inches around a pair, and for the colour bar
LETTER = 0.067  # inches of a letter of a title
FEW = 7  # rows or columns that are labelled one by one


@dataclass(frozen=True)
class OffsetMaps:
    """A measure of one projection by offset, (row, column) with the offset 0 in the middle, before and after training.

    Parameters
    ----------
    title : the circuit and the projection.
    """

    title: tuple[str, str]
    before: np.ndarray
    after: np.ndarray


def draw_offsets(pairs: Sequence[OffsetMaps], unit: str) -> Image:
    """Draw each pair of maps side by side, as many pairs in a row as fit, beside one colour bar from 0."""
    longest = max(len(line) for pair in pairs for line in pair.title)
    width = max(LEFT + 2 * SIDE + BETWEEN + RIGHT, 0.1 + LETTER * longest)
    columns = min(len(pairs), max(1, int((room() - BAR) / width)))
    rows, height = math.ceil(len(pairs) / columns), TOP + SIDE + BOTTOM
    greatest = max(float(np.nanmax(values)) for pair in pairs for values in (pair.before, pair.after)) or 1.0
    with drawing(columns * width + BAR, rows * height) as figure:
        for index, pair in enumerate(pairs):
            row, column = divmod(index, columns)
            left, bottom = column * width + LEFT, (rows - 1 - row) * height + BOTTOM
            for place, (label, values) in enumerate((("before", pair.before), ("after", pair.after))):
                ax = axes_at(figure, left + place * (SIDE + BETWEEN), bottom, SIDE, SIDE)
                shown = _map(ax, values, greatest, label, rows=not place)
            across, up = figure.get_size_inches()
            figure.text((left - LEFT + 0.06) / across, (bottom + SIDE + 0.24) / up, "\n".join(pair.title),
                        fontsize=8.5, linespacing=1.25)  # fmt: skip
        bar = axes_at(figure, columns * width + 0.1, (rows - 1) * height + BOTTOM, 0.12, SIDE)
        figure.colorbar(shown, cax=bar, label=unit)
        return inline(figure, f"{unit} by offset. {' '.join(map(_in_words, pairs))}")


def _map(ax: Axes, values: np.ndarray, greatest: float, label: str, *, rows: bool) -> Any:
    high, wide = values.shape[0] // 2, values.shape[1] // 2
    extent = (-wide - 0.5, wide + 0.5, high + 0.5, -high - 0.5)
    shown = ax.imshow(values, cmap=MAP, vmin=0, vmax=greatest, extent=extent, interpolation="nearest", aspect="auto")
    ax.set_xticks(_ticks(wide))
    ax.set_yticks(_ticks(high) if rows else [])
    ax.tick_params(length=0, labelsize=7, pad=2)
    ax.set_title(label, fontsize=8, fontweight="normal", pad=3)
    return shown


def _ticks(most: int) -> list[int]:
    return list(range(-most, most + 1)) if 2 * most + 1 <= FEW else [-most, 0, most]


def _in_words(pair: OffsetMaps) -> str:
    """Describe a pair by the middle and the mean of the other offsets."""
    ends = []
    for values in (pair.before, pair.after):
        middle = float(values[values.shape[0] // 2, values.shape[1] // 2])
        others = (float(values.sum()) - middle) / max(values.size - 1, 1)
        ends.append(f"{number(middle)} at 0, {number(others)} elsewhere")
    return f"{', '.join(pair.title)}: before {ends[0]}; after {ends[1]}."
