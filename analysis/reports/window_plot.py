"""The figure of the windows that neurons need, against the depth of their circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitsim.analysis.reports.plots import COLOURS, DASHES, MARKERS, drawing
from circuitsim.analysis.scores.windows import FEEDBACK, LOOP, STACK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

SIZE = (6.8, 3.6)  # inches
RIGHT = 2.0  # inches beside the axes, for labels


def draw_windows(frame: pd.DataFrame) -> Figure:
    """Draw the longest window of each circuit against its depth.

    Parameters
    ----------
    frame : of `window_table`.
    """
    longest = frame.groupby(["family", "depth"], as_index=False)["window"].max()
    width, height = SIZE
    with drawing(width, height) as figure:
        ax = figure.add_axes((0.62 / width, 0.52 / height, 1 - (0.62 + RIGHT) / width, 1 - 0.67 / height))
        for index, family in enumerate((STACK, FEEDBACK, LOOP)):
            _line(ax, longest[longest["family"] == family], family, index)
        deepest = int(longest["depth"].max())
        ax.set(xlabel="depth (layers of synapses)", ylabel="longest window (ticks)")
        ax.set(xlim=(0, 1.03 * deepest), ylim=(0, 1.06 * longest["window"].max()))
        ax.xaxis.set_major_locator(_whole())
        ax.yaxis.set_major_locator(_whole())
        ax.grid(axis="y", color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
    return figure


def _line(ax: Axes, curve: pd.DataFrame, family: str, index: int) -> None:
    """Draw a family's line, labelled at its end."""
    if curve.empty:
        return
    depth, window = curve["depth"].to_numpy(), curve["window"].to_numpy()
    style = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
    ax.plot(depth, window, linewidth=1.5, markersize=4.5, **style)
    ax.annotate(_label(family, depth, window), (depth[-1], window[-1]), xytext=(9, 0), textcoords="offset points",
                va="center", fontsize=9, color="#1b1b1b", annotation_clip=False)  # fmt: skip


def _label(family: str, depth: np.ndarray, window: np.ndarray) -> str:
    """Return a family's name and, of a straight line, its slope."""
    rises = {float(rise) for rise in np.diff(window) / np.diff(depth)}
    if len(rises) != 1:
        return family
    (rise,) = rises
    if not rise:
        return f"{family}\n{window[0]} ticks at any depth"
    return f"{family}\n{rise:+.3g} tick{'s' * (rise != 1)} a layer"


def _whole() -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10])
