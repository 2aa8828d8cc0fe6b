"""How long neurons must remember as circuits get deeper: the windows of real timetables.

With unit delays, feedback through L layers of synapses needs 2 (L - h) + 1 ticks at layer h, a loop of L layers that
recirculates L + 1 at hidden layers and L at the top. A stack of circular autoencoders is as deep, of short loops.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitsim.analysis.reports.plots import COLOURS, DASHES, MARKERS, drawing
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

FEEDBACK, LOOP, STACK = "feedback alignment", "one recirculating loop", "stack of recirculating blocks"
SIZE = (6.8, 3.6)  # inches
RIGHT = 2.0  # inches beside the axes, for labels


def window_table(
    depths: Iterable[int] = range(2, 21), blocks: Iterable[int] = range(1, 11), *, size: int = 2
) -> pd.DataFrame:
    """The window in ticks that each projection's rules need, in autoencoders of growing depth.

    Parameters
    ----------
    depths : layers of synapses L of one circular autoencoder, each >= 2.
    blocks : numbers of circular autoencoders in a stack, each >= 1; a block has two layers of synapses, so that a stack
        of k has the layers of one autoencoder with L = 2 k.
    size : neurons of every layer; no window depends on it.

    Returns
    -------
    Columns family, depth (layers of synapses), blocks, projection, layer (1 is lowest) and window (ticks).

    Source
    ------
    Baldi & Sadowski 2018, eqs. 13 to 15; Tavakoli, Sadowski & Baldi, Tourbillon, sections 4 and 5.
    """
    depths = tuple(depths)
    frames = [one_circuit(depths, size), stack_of_blocks(blocks, size)]
    return pd.concat(frames, ignore_index=True)


def one_circuit(depths: Iterable[int], size: int = 2) -> pd.DataFrame:
    """The windows of one circular autoencoder by feedback alignment and by recirculation."""
    rows = []
    for depth in depths:
        for family, rule in ((FEEDBACK, "rbp"), (LOOP, "rec")):
            rows += _rows(family, depth, 1, circular_autoencoder([size] * (depth + 1), rule))
    return pd.DataFrame(rows)


def stack_of_blocks(blocks: Iterable[int], size: int = 2) -> pd.DataFrame:
    """The windows of stacks of circular autoencoders that are each a loop of its own, all in one circuit."""
    rows = []
    for count in blocks:
        rows += _rows(STACK, 2 * count, count, stacked_autoencoders([size] * (count + 1)))
    return pd.DataFrame(rows)


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


def _rows(family: str, depth: int, blocks: int, described: tuple[Circuit, Protocol]) -> list[dict[str, object]]:
    schedule = make_schedule(*described)
    common = {"family": family, "depth": depth, "blocks": blocks}
    order = [q.name for q in schedule.circuit.projections if q.name in schedule.windows]
    return [
        {**common, "projection": name, "layer": layer, "window": schedule.windows[name]}
        for layer, name in enumerate(order, start=1)
    ]


def _line(ax: Axes, curve: pd.DataFrame, family: str, index: int) -> None:
    """A family's line, its name and how it grows beside its end."""
    if curve.empty:
        return
    depth, window = curve["depth"].to_numpy(), curve["window"].to_numpy()
    style = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
    ax.plot(depth, window, linewidth=1.5, markersize=4.5, **style)
    ax.annotate(_label(family, depth, window), (depth[-1], window[-1]), xytext=(9, 0), textcoords="offset points",
                va="center", fontsize=9, color="#1b1b1b", annotation_clip=False)  # fmt: skip


def _label(family: str, depth: np.ndarray, window: np.ndarray) -> str:
    """A family's name and how its window grows, as far as the line is straight."""
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
