"""Figures of linear systems: gap against rate, invariants along solutions, loss of symmetry, rest points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import drawing, inline, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (7.0, 3.3)  # inches
TIME = "time (1 / learning rate, β = 1)"
NAMES = {"rec": "outputs (rec)", "error-rec": "errors (error-rec)", "bp": "backpropagation", "rbp": "random bp"}


def two_axes(figure: Figure, bottom: float = 0.15) -> Any:
    """Add two panels side by side."""
    figure.subplots_adjust(left=0.115, right=0.985, bottom=bottom, top=0.9, wspace=0.32)
    return figure.subplots(1, 2)


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
    with drawing(*SIZE) as figure:
        for ax, depth in zip(two_axes(figure, 0.27), ("L = 2", "L = 3"), strict=True):
            for index, (rule, name) in enumerate(NAMES.items()):
                one = found[found["case"] == f"{rule}, {depth}"].groupby("x")["value"].median()
                size = 9 if rule == "rec" else 5  # the markers of what coincides with it fit within
                ax.loglog(one.index, one, markersize=size, linewidth=1.3, label=name, **style(index))
            x = np.array(sorted(found["x"].unique()))
            ax.loglog(x, 0.6 * found["value"].min() * x / x[0], color="#767676", linewidth=0.9, label="slope 1")
            ax.set_xticks(x)
            ax.set(title=f"{depth}, at time 1", xlabel="learning rate (time of one presentation)",
                   ylabel="largest difference of a weight")  # fmt: skip
            plain_ticks(ax)
        figure.legend(*ax.get_legend_handles_labels(), loc="lower center", ncols=5, fontsize=8, handlelength=2.6)
        return inline(figure, "Gap between simulated circuits and their equations against the learning rate, slope 1")


def constants(rows: pd.DataFrame) -> Image:
    """Draw the drift of the invariants over time, and orbits on the curves that the invariants define."""
    with drawing(*SIZE) as figure:
        left, right = two_axes(figure)
        cases = sorted(rows.loc[rows["metric"] == "drift", "case"].unique())
        for index, case in enumerate(cases):
            one = rows[rows["case"] == case]
            _drift(left, one[one["metric"] == "drift"], case.partition(", ")[2], index)
            _orbit(right, one[one["metric"] == "orbit"], index)
        left.axhline(1e-6, color="#767676", linestyle=(0, (6, 2)), linewidth=1)
        left.text(0.98, 1.3e-6, "bound 10⁻⁶", ha="right", fontsize=8.5, transform=left.get_yaxis_transform())
        left.set_ylim(1e-17, 1e-4)
        left.set_yticks([1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4])
        plain_ticks(left)
        left.legend(loc="center right", handlelength=3)
        left.set(title="drift of eq. 42's invariants, L = 5", xlabel=TIME, ylabel="largest |K − K(0)|")
        right.set(title="orbits on |a₂| = K exp(a₁²/2)", xlabel="a₁ (weight)", ylabel="a₂ (weight)")
        return inline(figure, "Drift of the invariants over time, below 10^-12; orbits of a1 and a2 on their curves")


def _drift(ax: Axes, rows: pd.DataFrame, label: str, index: int) -> None:
    looks = {**style(index), "markevery": (3 * index, 9)}
    ax.semilogy(rows["x"], np.maximum(rows["value"], 1e-17), label=label, markersize=4, linewidth=1.2, **looks)


def _orbit(ax: Axes, rows: pd.DataFrame, index: int) -> None:
    u, v = rows["x"].to_numpy(), rows["y"].to_numpy()
    reach = 0.25 * np.ptp(u) + 0.05
    curve = np.linspace(u.min() - reach, u.max() + reach, 200)
    ax.plot(curve, v[0] * np.exp((curve**2 - u[0] ** 2) / 2), color="#b5b5b5", linewidth=0.9)
    ax.plot(u, v, linewidth=2.2, color=style(index)["color"], linestyle=style(index)["linestyle"])
    ax.plot(u[:1], v[:1], color=style(index)["color"], marker=style(index)["marker"], markersize=6)


def symmetry(rows: pd.DataFrame) -> Image:
    """Draw the loss of symmetry from a symmetric start, and the error over the least error where learning rests."""
    with drawing(*SIZE) as figure:
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
    ax.set(title="A*[4,2,4] at time 50", xlabel="system, sorted by error", ylabel="error / least error of rank 2")
