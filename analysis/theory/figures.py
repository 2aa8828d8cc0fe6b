"""Figures of linear systems: gap against rate, invariants along solutions, loss of symmetry, rest points."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import LOGARITHMIC, drawing, inline, label_integers, room, style
from circuitsim.runs.themes import theme

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST, HEIGHT = 9.6, 3.6  # inches of two panels side by side; one above the other where a theme is narrow
TIME = "time (1 / learning rate, β = 1)"
NAMES = {"rec": "outputs (rec)", "error-rec": "errors (error-rec)", "bp": "backpropagation", "rbp": "random bp"}


def two_panels() -> AbstractContextManager[Figure]:
    """Open a figure for two panels."""
    return drawing(room(WIDEST), HEIGHT if theme().columns > 1 else 2 * HEIGHT)


def two_axes(figure: Figure, below: float = 0.5) -> Any:
    """Add two panels, side by side where there is room; `below` : inches below the last one."""
    beside, (width, height) = theme().columns > 1, figure.get_size_inches()
    left = 0.8 / width
    figure.subplots_adjust(left, below / height, 0.985, 1 - 0.33 / height, wspace=0.28, hspace=0.4)
    return figure.subplots(1, 2) if beside else figure.subplots(2, 1)


def plain_ticks(ax: Axes) -> None:
    """Label logarithmic axes with decimals instead of powers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
            axis.set_minor_formatter(NullFormatter())


def gaps(rows: pd.DataFrame) -> Image:
    """Draw the gap between circuit and equations against the learning rate, a panel for each depth."""
    found = rows[rows["metric"] == "gap"]
    with two_panels() as figure:
        for ax, depth in zip(two_axes(figure, 0.9 if theme().columns > 1 else 1.3), ("L = 2", "L = 3"), strict=True):
            for index, (rule, name) in enumerate(NAMES.items()):
                one = found[found["case"] == f"{rule}, {depth}"].groupby("x")["value"].median()
                size = 9 if rule == "rec" else 5  # the markers of what coincides with it fit within
                ax.loglog(one.index, one, markersize=size, linewidth=1.3, label=name, **style(index))
            x = np.array(sorted(found["x"].unique()))
            ax.loglog(x, 0.6 * found["value"].min() * x / x[0], color="#767676", linewidth=0.9, label="slope 1")
            ax.set_xticks(x)
            ax.set(title=f"{depth}, at time 1{LOGARITHMIC}", xlabel="learning rate (time of one presentation)",
                   ylabel="largest difference of a weight")  # fmt: skip
            plain_ticks(ax)
        figure.legend(
            *ax.get_legend_handles_labels(),
            loc="lower center",
            ncols=5 if theme().columns > 1 else 2,
            fontsize=8,
            handlelength=2.6,
        )
        return inline(figure, "Gap between simulated circuits and their equations against the learning rate, slope 1")


def constants(rows: pd.DataFrame) -> Image:
    """Draw orbits on the curves that the invariants define."""
    with drawing(room(6.8), HEIGHT) as figure:
        width, height = figure.get_size_inches()
        ax = figure.add_axes((0.8 / width, 0.5 / height, 1 - 0.95 / width, 1 - 0.85 / height))
        for index, case in enumerate(sorted(rows.loc[rows["metric"] == "orbit", "case"].unique())):
            one = rows[rows["case"] == case]
            _orbit(ax, one[one["metric"] == "orbit"], case.partition(", ")[2], index)
        ax.legend(loc="best", handlelength=3)
        ax.set(title="orbits on |a₂| = K exp(a₁²/2), L = 5", xlabel="a₁ (weight)", ylabel="a₂ (weight)")
        return inline(figure, "Orbits of a1 and a2 on the curves of constant K")


def _orbit(ax: Axes, rows: pd.DataFrame, label: str, index: int) -> None:
    u, v = rows["x"].to_numpy(), rows["y"].to_numpy()
    reach = 0.25 * np.ptp(u) + 0.05
    curve = np.linspace(u.min() - reach, u.max() + reach, 200)
    ax.plot(curve, v[0] * np.exp((curve**2 - u[0] ** 2) / 2), color="#b5b5b5", linewidth=0.9)
    ax.plot(u, v, linewidth=2.2, color=style(index)["color"], linestyle=style(index)["linestyle"], label=label)
    ax.plot(u[:1], v[:1], color=style(index)["color"], marker=style(index)["marker"], markersize=6)


def symmetry(rows: pd.DataFrame) -> Image:
    """Draw the loss of symmetry from a symmetric start, and the error over the least error where learning rests."""
    with two_panels() as figure:
        left, right = two_axes(figure)
        for index, case in enumerate(rows.loc[rows["metric"] == "asymmetry", "case"].unique()):
            one = rows[rows["case"] == case]
            looks = {key: value for key, value in style(index).items() if not key.startswith("marker")}
            line, dots = one[one["metric"] == "asymmetry"], one[one["metric"] == "asymmetry of circuit"]
            left.plot(line["x"], line["value"], label=case.replace("E(I I^t)", "Σ"), linewidth=1.4, **looks)
            left.plot(dots["x"], dots["value"], "o", color=style(index)["color"], markersize=5, clip_on=False)
        left.legend(loc="center right", handlelength=3)
        left.set(title="A*[2,1,2] from A = Bᵗ (dots: circuit)", xlabel="time (1 / learning rate)")
        left.set_ylabel("largest |A − Bᵗ|")
        _excess(right, rows[rows["metric"] == "excess"])
        return inline(figure, "Loss of symmetry over time; error over its least value where rec and bp are at time 50")


def _excess(ax: Axes, rows: pd.DataFrame) -> None:
    for index, rule in enumerate(("rec", "bp")):
        values = np.sort(rows.loc[rows["case"] == rule, "value"].to_numpy())
        ax.plot(np.arange(1, len(values) + 1), values, label=NAMES[rule], markersize=5, linewidth=1.2, **style(index))
    ax.legend(loc="upper left", handlelength=3)
    ax.set_xlim(0, len(rows) // 2 + 1)
    label_integers(ax.xaxis)
    ax.set(title="A*[4,2,4] at time 50", xlabel="system, sorted by error", ylabel="error / least error of rank 2")
