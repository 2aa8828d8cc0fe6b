"""Common style of all figures: colours, axes placed in inches, tick labels, encoding. No global matplotlib state.

Colours are those of Okabe and Ito. Line styles and markers differ too, so that figures survive a grey print.
"""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.runs.themes import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#767676")
DASHES: tuple[Any, ...] = (
    "-", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (1.5, 1.5)),
    (0, (9, 2)), (0, (3, 1.5)), (0, (9, 2, 1, 2, 1, 2)), (0, (4, 4)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
INK = "#1b1b1b"
SHORT_AXIS = ((8.0, (1, 2, 3, 5, 7)), (80.0, (1, 2, 5)))  # multiples labelled where max / min is below a ratio
LOGARITHMIC = " (logarithmic)"  # in the title of a panel whose axis is
MAP = "cividis"  # distinguishable in all kinds of colour vision, and in grey
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.hashsalt": "circuitsim",
    "text.parse_math": False,  # a label may hold any character
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """Open a new figure, in inches, in the report's style; restore matplotlib's own settings afterwards."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def inline(figure: Figure, alt: str, *, form: str = "svg") -> Image:
    """Encode a figure as a data URI, in the size of the theme: svg for drawings, png for photographs."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {}
    scale = scaled(figure.get_figwidth())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label in a script that the font lacks shows boxes
        figure.savefig(buffer, format=form, dpi=200, metadata=metadata)
    content = _resized(buffer.getvalue(), scale) if form == "svg" else buffer.getvalue()
    kind = "image/svg+xml" if form == "svg" else "image/png"
    uri = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return Image(uri, round(96 * figure.get_figwidth() * scale), alt)


def scaled(width: float) -> float:
    """Return the ratio of a figure's size in the theme to its size as drawn; wider ones shrink where they must fit."""
    now = theme()
    return min(now.scale, now.width / width) if now.fits else now.scale


def _resized(svg: bytes, scale: float) -> bytes:
    """Return a drawing with its width and height scaled; what it shows scales along."""
    first, tag, rest = svg.partition(b"<svg ")
    head, end, content = rest.partition(b">")
    head = re.sub(rb'(?<=\b)(width|height)="([0-9.]+)pt"', lambda m: b'%s="%.6gpt"' % (m[1], scale * float(m[2])), head)
    return first + tag + head + end + content


def room(most: float = math.inf) -> float:
    """Return the width in inches that a figure may take as it is drawn."""
    return min(theme().room, most)


def style(index: int) -> dict[str, Any]:
    """Colour, dashes and marker of a curve; from the ninth curve on markers are hollow and dashes differ."""
    again, place = divmod(index, len(COLOURS))
    return {
        "color": COLOURS[place],
        "linestyle": DASHES[(place + 3 * again) % len(DASHES)],
        "marker": MARKERS[(place + 5 * again) % len(MARKERS)],
        "markerfacecolor": "white" if again else COLOURS[place],
    }


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes to a figure; all lengths in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def keep_labels(figure: Figure, lefts: Sequence[float]) -> None:
    """Make panels narrower where long numbers push the label of their y axis across the left edge.

    Parameters
    ----------
    lefts : the left edge of each of the figure's panels, in inches.
    """
    figure.draw_without_rendering()
    width = figure.bbox.width
    for ax, left in zip(figure.axes, lefts, strict=True):
        over = left * figure.dpi + 1 - ax.yaxis.label.get_window_extent().x0
        if over > 0:
            place = ax.get_position()
            ax.set_position((place.x0 + over / width, place.y0, place.width - over / width, place.height))


def panel_axes(
    figure: Figure, index: int, columns: int, size: tuple[float, float], margins: tuple[float, float, float, float]
) -> Axes:
    """Add the axes of one panel of a grid, filled row by row from the top; all lengths in inches.

    Parameters
    ----------
    size : width and height of a panel, labels included. margins : left, right, bottom, top, within the panel.
    """
    row, column = divmod(index, columns)
    left, right, bottom, top = margins
    corner = column * size[0] + left, figure.get_figheight() - (row + 1) * size[1] + bottom
    return axes_at(figure, *corner, size[0] - left - right, size[1] - bottom - top)


def label_decades(
    axis: Axis, low: float, high: float, *, ticks: int = 9, subs: Sequence[tuple[float, tuple[int, ...]]] = ()
) -> None:
    """Label a logarithmic axis with plain decimals: powers of ten, or more values of each decade on a short axis.

    Parameters
    ----------
    subs : pairs of a ratio high / low and the multiples labelled below it; by default 1, 2 and 5 below 300.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    chosen = next((found for ratio, found in subs or ((300.0, (1, 2, 5)),) if high / low < ratio), (1,))
    axis.set_major_locator(LogLocator(subs=chosen, numticks=ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axis.set_minor_formatter(NullFormatter())


def label_integers(axis: Axis, most: int = 6) -> None:
    """Label a linear axis with whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10]))


def draw_cells(
    ax: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], write: Callable[..., Any], **shown: Any
) -> Any:
    """Draw a matrix as coloured cells and write into each; return matplotlib's image.

    Parameters
    ----------
    write : called with column, row and the colour that is legible there. shown : options of `Axes.imshow`.
    """
    image: Any = ax.imshow(values, cmap=MAP, aspect="auto", **shown)
    ax.set_xticks(range(len(columns)), list(columns), fontsize=8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        red, green, blue, _ = image.cmap(image.norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
        write(column, row, "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else INK)
    return image


def cells_in_words(rows: Sequence[str], values: np.ndarray) -> str:
    """List a matrix row by row, for readers who do not see the figure."""
    cells = zip(rows, values, strict=True)
    return "; ".join(f"{label}: {', '.join(number(float(v)) for v in row)}" for label, row in cells)
