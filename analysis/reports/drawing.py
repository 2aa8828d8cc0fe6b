"""Drawing of a circuit: populations as boxes, projections as arrows, non-local wires in orange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.layout import Arrow, Box, Layout, arrange, ends, label_of, lines_of
from circuitsim.analysis.reports.page import Image, plural
from circuitsim.analysis.reports.plots import COLOURS, INK, drawing, inline
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Exchange, Population

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import FancyBboxPatch

QUIET, WARNING = "#6a6a6a", COLOURS[1]
LEGEND = 0.26  # inches a line
MARGIN = 0.12


def circuit_figure(circuit: Circuit) -> Image:
    """Draw a circuit as large as its parts need."""
    layout = arrange(circuit)
    extent = layout.extent
    keys = _keys(circuit)
    width = max(extent.width, 0.6 + 0.068 * max(len(text) for text, _, _ in keys)) + 2 * MARGIN
    height = extent.height + 2 * MARGIN + LEGEND * len(keys)
    with drawing(width, height) as figure:
        ax = figure.add_axes((0, 0, 1, 1))
        left, low = extent.x - width / 2, extent.y - extent.height / 2 - MARGIN - LEGEND * len(keys)
        ax.set(xlim=(left, left + width), ylim=(low, low + height))
        ax.set_axis_off()
        _frames(ax, layout)
        boxes = {p.name: _box(ax, circuit, p, layout.boxes[p.name]) for p in circuit.populations}
        for exchange in circuit.exchanges:
            _exchange(ax, exchange, boxes, layout.boxes)
        for arrow in layout.arrows:
            _arrow(ax, arrow, boxes, layout.boxes)
        _legend(ax, keys, left + MARGIN, low + LEGEND * len(keys))
        return inline(figure, _alt(circuit))


def _frames(ax: Axes, layout: Layout) -> None:
    from matplotlib.patches import FancyBboxPatch

    for frame in layout.frames.values():
        ax.add_patch(FancyBboxPatch(_corner(frame), frame.width, frame.height, facecolor="#f1f1ee",
                                    boxstyle="round,pad=0,rounding_size=0.12", edgecolor="#c4c4c0",
                                    linewidth=0.8, zorder=1))  # fmt: skip


def _box(ax: Axes, circuit: Circuit, p: Population, box: Box) -> FancyBboxPatch:
    from matplotlib.patches import FancyBboxPatch

    lateral = p.activation == "softmax"
    patch = FancyBboxPatch(_corner(box), box.width, box.height, boxstyle="round,pad=0,rounding_size=0.06",
                           facecolor="#fff4dc" if p.feedback else "#e3eef7", linewidth=1.2 if lateral else 1.0,
                           edgecolor=WARNING if lateral else INK, linestyle="--" if lateral else "-",
                           zorder=3)  # fmt: skip
    ax.add_patch(patch)
    name, below = lines_of(circuit, p)
    ax.text(box.x, box.y + 0.11, name, ha="center", va="center", fontsize=9.5, fontweight="bold", zorder=6)
    ax.text(box.x, box.y - 0.11, below, ha="center", va="center", fontsize=9, zorder=6)
    return patch


def _arrow(ax: Axes, arrow: Arrow, boxes: dict[str, Any], places: dict[str, Box]) -> None:
    from matplotlib.patches import FancyArrowPatch

    q, label = arrow.projection, arrow.label
    wire = q.transposed_from is not None
    colour = WARNING if wire else INK
    source, target = ends(places, q)
    clipped = {"patchA": boxes[q.source], "patchB": boxes[q.target]} if q.source != q.target else {}
    ax.add_patch(FancyArrowPatch((source.x, source.y), (target.x, target.y), **clipped, shrinkA=0, shrinkB=0,
                                 connectionstyle=f"arc3,rad={arrow.bend}", arrowstyle="-|>", mutation_scale=12,
                                 color=colour, linewidth=1.4, linestyle=(0, (5, 2)) if wire else "-",
                                 zorder=4))  # fmt: skip
    ax.text(label.x, label.y, label_of(q), ha="center", va="center", fontsize=9, color=colour, zorder=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2})  # fmt: skip


def _exchange(ax: Axes, exchange: Exchange, boxes: dict[str, Any], places: dict[str, Box]) -> None:
    from matplotlib.patches import FancyArrowPatch

    a, b = places[exchange.source], places[exchange.target]
    ax.add_patch(FancyArrowPatch((a.x, a.y), (b.x, b.y), patchA=boxes[exchange.source], patchB=boxes[exchange.target],
                                 shrinkA=0, shrinkB=0, arrowstyle="-|>", mutation_scale=8, color=QUIET,
                                 linewidth=1.0, linestyle=(0, (1, 1.6)), zorder=2))  # fmt: skip
    beside = abs(a.y - b.y) < 1e-9
    x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
    ax.text(x, y + (0.1 if beside else 0), exchange.carries.value, ha="center", va="center", fontsize=7.5,
            color="#555555", style="italic", zorder=5,
            bbox=None if beside else {"facecolor": "#f1f1ee", "edgecolor": "none", "pad": 0.8})  # fmt: skip


def _keys(circuit: Circuit) -> list[tuple[str, str, Any]]:
    """Lines of the legend, for what the drawing contains: (text, colour, dashes)."""
    found: list[tuple[str, str, Any]] = [("projection: name and delay", INK, "-")]
    if any(q.transposed_from for q in circuit.projections):
        found.append(("declared non-local wire: another projection's weights", WARNING, (0, (5, 2))))
    if any(p.activation == "softmax" for p in circuit.populations):
        found.append(("dashed frame: each neuron reads its whole layer", WARNING, "--"))
    if circuit.exchanges:
        found.append(("exchange between colocated neurons, within the tick", QUIET, (0, (1, 1.6))))
    return found


def _legend(ax: Axes, keys: list[tuple[str, str, Any]], left: float, top: float) -> None:
    for index, (text, colour, dashes) in enumerate(keys):
        y = top - LEGEND * (index + 0.5)
        ax.plot([left, left + 0.45], [y, y], color=colour, linestyle=dashes, linewidth=1.4)
        ax.text(left + 0.55, y, text, va="center", fontsize=8.5, color="#333333")


def _corner(box: Box) -> tuple[float, float]:
    return box.x - box.width / 2, box.y - box.height / 2


def _alt(circuit: Circuit) -> str:
    ways = "; ".join(f"{q.name} from {q.source} to {q.target}" for q in circuit.projections[:20])
    return f"Circuit {circuit.name}: {plural(len(circuit.populations), 'population')} and projections {ways}"
