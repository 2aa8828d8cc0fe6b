"""Drawings after Figures 11 to 16 of the paper: circular layouts, and the channels of each row of Table 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import drawing, inline, room
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuits.channels import ROWS
from circuitsim.runs.config import build
from circuitsim.scenarios.figures import exhibit
from circuitsim.scenarios.layouts import BIDIRECTIONAL, CONJOINED, LayoutSettings, described

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CIRCULAR = {
    "bidirectional": "bidirectional",
    "conjoined-symmetric": "conjoined, symmetric",
    "conjoined": "conjoined, asymmetric",
}
STANDARD = {
    "row1": "row 1: nothing comes back",
    "row2-random": "row 2: outputs to hidden",
    "row3-identity": "row 3: outputs to input",
    "row4": "row 4: input to output",
    "row5-transposed": "row 5: errors to hidden",
    "row6-identity": "row 6: errors to input",
    "row7-shared": "row 7: outputs to hidden",
    "row8-identity": "row 8: outputs to input",
}
PANEL, LEAST = (2.55, 2.03), 2.05  # inches, and the least width
RADIUS = 0.28  # of a layer, in units of the distance between two
INK, CHANNEL = "#1b1b1b", "#D55E00"


def drawings() -> list[Exhibit]:
    """Return the circular layouts and the eight rows; each table has the projections of all circuits that are run."""
    circular = "Output and input are one place, 0. A symmetric layout has one weight for both directions."
    standard = (
        "Layers 0 (input), 1 (hidden) and 2 (output) lie apart. Orange and dashed: learning channels. With C1 the "
        "error I − O is computed in layer 2. The table has all matrices that are run."
    )
    columns = ["layout", "projection", "from", "to", "weights", "changed by"]
    return [
        exhibit(name, title, caption, columns, _parts(listed), _figure(titles, title))
        for name, title, caption, titles, listed in (
            ("layouts", "Circular layouts", circular, CIRCULAR, (*BIDIRECTIONAL, *CONJOINED)),
            ("channels", "The rows of Table 5", standard, STANDARD, tuple(ROWS)),
        )
    ]


def _circuit(layout: str) -> Circuit:
    return described(build(LayoutSettings, {"layout": layout, "sizes": [3, 2, 3]}))[0]


def _figure(titles: Mapping[str, str], what: str) -> Image:
    columns = min(4, len(titles), max(1, int(room() / LEAST)))
    scale = min(1.0, room() / columns / PANEL[0])
    rows = -(-len(titles) // columns)
    with drawing(columns * PANEL[0] * scale, rows * PANEL[1] * scale) as figure:
        for index, (layout, title) in enumerate(titles.items()):
            left, low = index % columns / columns, 1 - (index // columns + 1) / rows
            ax = figure.add_axes((left, low, 1 / columns, 1 / rows))
            ax.set(xlim=(-0.55, 2.55), ylim=(-1.35, 1.12), aspect="equal")
            ax.set_axis_off()
            ax.text(1, 0.95, title, ha="center", va="center", fontsize=9.5, fontweight="bold")
            _draw(ax, layout, _circuit(layout))
        return inline(figure, f"{what}: {'; '.join(titles.values())}")


def _draw(ax: Axes, layout: str, circuit: Circuit) -> None:
    from matplotlib.patches import Circle

    circular = circuit.colocated("layer0", "layer2")
    places = {"layer0": 0.1, "layer1": 1.9} if circular else {"layer0": 0.0, "layer1": 1.0, "layer2": 2.0}
    for site, x in places.items():
        ax.add_patch(Circle((x, 0), RADIUS, facecolor="#e3eef7", edgecolor=INK, linewidth=1.0, zorder=3))
        ax.text(x, 0, site.removeprefix("layer"), ha="center", va="center", fontsize=9.5, zorder=4)
    if any(p.name == "error2" for p in circuit.populations):
        ax.text(2, 0.38, "I − O", ha="center", va="bottom", fontsize=8.5, color=CHANNEL)
    if layout in BIDIRECTIONAL:
        _arrow(ax, places["layer0"], places["layer1"], 0.0, "<|-|>", "A1 and A2", "")
        return
    for q in circuit.projections:
        ends = [places[circuit.population(name).site] for name in (q.source, q.target)]
        label = _label(q, layout)
        _arrow(ax, ends[0], ends[1], _bend(q, ends, circular), "-|>", label, "" if q.name in ("A1", "A2") else "dashed")


def _label(q: Projection, layout: str) -> str:
    """Return a projection's name, and the origin of its weights where they are not its own."""
    weights = _weights(q, layout)
    return q.name if weights == "its own" else f"{q.name} = {'Id' if weights == 'identity' else weights}"


def _bend(q: Projection, ends: list[float], circular: bool) -> float:
    """Height of an arrow's arc: the two directions of a loop apart, C1 above layer 1, feedback below."""
    if circular:
        return 0.5 if q.name == "A1" else -0.5
    if q.name == "C1":
        return 0.62
    return 0.0 if ends[0] < ends[1] else -0.55 * (ends[0] - ends[1])


def _arrow(ax: Axes, start: float, end: float, height: float, style: str, label: str, channel: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    colour = CHANNEL if channel else INK
    # arc3 displaces its control point by rad times the length: the arc rises half as high
    bend = 2 * height / (start - end)
    gap = RADIUS * 72 * PANEL[0] / 3.1 + 1  # points
    ax.add_patch(FancyArrowPatch((start, 0), (end, 0), connectionstyle=f"arc3,rad={bend}", arrowstyle=style,
                                 shrinkA=gap, shrinkB=gap, mutation_scale=9, color=colour, linewidth=1.3,
                                 linestyle=(0, (4, 2)) if channel else "-", zorder=2))  # fmt: skip
    above = height >= 0 and not channel
    ax.text((start + end) / 2, height + (0.07 if above else -0.07 if height < 0 else 0.0), label, ha="center",
            va="bottom" if above else "top" if height < 0 else "center", fontsize=8.5, color=colour, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6} if channel else None)  # fmt: skip


def _parts(layouts: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return a row for each projection: its ends, its weights, and the rules that change them."""
    return [
        (layout, q.name, q.source, q.target, _weights(q, layout), _rules(circuit, q.name))
        for layout, circuit in ((layout, _circuit(layout)) for layout in layouts)
        for q in circuit.projections
    ]


def _weights(q: Projection, layout: str) -> str:
    if layout in ROWS and q.name in ROWS[layout].identities:
        return "identity"
    return f"{q.transposed_from}ᵀ" if q.transposed_from else q.tied_to or "its own"


def _rules(circuit: Circuit, projection: str) -> str:
    return ", ".join(p.rule.name for p in circuit.rules.get(projection, ())) or "nothing"
