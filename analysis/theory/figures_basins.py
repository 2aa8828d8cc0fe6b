"""Figures of the basins of A*[1, 1, 1] under each theorem, and of the flow of A*[1, N, 1] in the plane of P and B."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import drawing, inline, room
from circuitsim.analysis.theory.basins import edge_of_two
from circuitsim.analysis.theory.checks_chain import CHAIN_RULES
from circuitsim.analysis.theory.hidden import global_rates

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDS = {1.0: ("P → 1", "#56B4E9", "."), -1.0: ("P → −1", "#D55E00", "v"), 0.0: ("P → 0", "#E69F00", "s"),
        -np.inf: ("P → −∞", "#000000", "x")}  # fmt: skip
SHOWN = {
    "Theorem 6.1": "6.1: one cycle (all n odd)",
    "Theorem 6.2, n = 2": "6.2: n = 2 cycles",
    "Theorem 6.3, eq. 51, n = 1, m = 2": "6.3: n 1, m 2; eq. 51",
    "Theorem 6.3, eq. 51, n = 1, m = 3": "6.3: n 1, m 3; eq. 51",
    "Theorem 6.3, top as eq. 40, n = 1, m = 2": "6.3: n 1, m 2; top as 40",
    "Theorem 6.3, top as eq. 40, n = 1, m = 3": "6.3: n 1, m 3; top as 40",
}


def basins(rows: pd.DataFrame) -> Image:
    """Draw random starts of A*[1, 1, 1] by their limit, a panel for each theorem that was checked."""
    found = rows[rows["metric"] == "limit"]
    names = [name for name in SHOWN if (found["case"] == name).any()]
    columns = min(3, len(names), max(1, int(room() / 2.45)))
    lines = -(-len(names) // columns)
    side = min(room() / columns, 3.4)
    legend = 0.35 if columns > 1 else 0.8
    with drawing(side * columns, (side + 0.05) * lines + legend) as figure:
        for index, name in enumerate(names):
            ax = figure.add_subplot(lines, columns, index + 1)
            _basin(ax, found[found["case"] == name], name)
        figure.tight_layout(rect=(0, legend / figure.get_figheight(), 1, 1))
        _legend(figure, 7 if columns > 1 else 3)
        return inline(figure, "Starts of A*[1, 1, 1] in the plane of a1 and a2, by what P came to from each")


def _basin(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    reach = float(np.abs(rows[["x", "y"]].to_numpy()).max())
    for end, (_, colour, marker) in ENDS.items():
        some = rows[rows["value"] == end]
        ax.plot(
            some["x"], some["y"], marker, color=colour, markersize=3, markeredgewidth=0.7, linewidth=0, rasterized=True
        )
    x = np.linspace(0.5 / reach, reach, 200)
    for sign in (1, -1):
        ax.plot(sign * x, sign / x, color="#000000", linewidth=1.3)
        if CHAIN_RULES[name].even:
            ax.plot(sign * x, -sign / x, color="#000000", linewidth=1.3, linestyle=(0, (4, 2)))
        if CHAIN_RULES[name].even and not CHAIN_RULES[name].own:
            near = np.linspace(0, reach, 200)
            ax.plot(sign * near, -sign * edge_of_two(near), color="#000000", linewidth=1.3, linestyle=(0, (1, 1)))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel="a₁(0)", ylabel="a₂(0)")
    ax.set_title(SHOWN[name], fontsize=8.5)


def _legend(figure: Figure, columns: int) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=c, marker=m, linewidth=0, markersize=5, label=t) for t, c, m in ENDS.values()]
    kinds: tuple[tuple[str, Any], ...] = (("P = 1", "-"), ("P = −1", (0, (4, 2))), ("edge of P → −1", (0, (1, 1))))
    marks += [Line2D([], [], color="#000000", linestyle=dash, label=text) for text, dash in kinds]
    figure.legend(handles=marks, loc="lower center", ncols=columns, fontsize=8, columnspacing=1.1, handletextpad=0.4)


def flow() -> Image:
    """Draw the paper's Figure 3: directions of dP/dt and dB/dt, orbits and rest points; beta = 1."""
    width, height = room(6.8), 4.4
    with drawing(width, height) as figure:
        ax = figure.add_axes((0.6 / width, 0.9 / height, 1 - 0.85 / width, 1 - 1.2 / height))
        _orbits(ax)
        p, b = np.meshgrid(np.linspace(-3.75, 3.75, 16), np.linspace(0.2, 3.8, 10))
        dp, _, db = global_rates(p, b)
        length = np.hypot(dp, db)
        ax.quiver(p, b, dp / length, db / length, color="#0072B2", angles="xy", scale=32, width=0.0035, zorder=3)
        ax.axvline(1, color="#D55E00", linewidth=2.2, zorder=4, label="P = 1: learning ends")
        ax.plot([-4, 0], [4, 0], **_TURN, label="P = −B: dP/dt = 0")
        ax.set(xlim=(-4, 4), ylim=(0, 4))
        ax.set(title="eqs. 53 and 55, β = 1", xlabel="P = Σ aᵢbᵢ (output / input)", ylabel="B = Σ bᵢ² (weight²)")
        figure.legend(loc="lower center", ncols=3, columnspacing=1.2, handlelength=1.5)
        return inline(figure, "Vector flow in the plane of P and B: all orbits with B > 0 end on the line P = 1")


_TURN: dict[str, Any] = {"color": "#000000", "linestyle": (0, (6, 2)), "linewidth": 1.3, "zorder": 4}


def _orbits(ax: Axes) -> None:
    """Draw orbits, along which (P - B) / sqrt(B) is constant."""
    b = np.linspace(1e-6, 4, 400)
    for k in np.arange(-8, 9, 1.0):
        ax.plot(b + k * np.sqrt(b), b, color="#b5b5b5", linewidth=0.8, zorder=1, label="orbits" if k == 0 else None)
