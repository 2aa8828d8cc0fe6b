"""Learning curves and other figures of a run's metrics, drawn by matplotlib's objects without any global state.

Colours are those of Okabe and Ito; line styles and markers differ too, so that a figure survives a grey print.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.groups import Group, Results
from circuitsim.analysis.reports.page import Image, number, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#767676")
DASHES: tuple[Any, ...] = (
    "-", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (1.5, 1.5)),
    (0, (9, 2)), (0, (3, 1.5)), (0, (9, 2, 1, 2, 1, 2)), (0, (4, 4)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
MOST_GROUPS = len(COLOURS)
MOST_OTHERS = 12  # panels of metrics that belong to no data
NAMES = {
    "mse": "mean squared error per unit",
    "bce": "cross-entropy (nats per example)",
    "error": "error (%)",
    "loss": "loss per example",
    "seconds": "seconds per epoch",
    "running_loss": "loss per example, before its update",
    "angle": "angle (degrees)",
    "angle_spread": "SD over examples (degrees)",
    "correlation": "correlation of B and W",
    "norm_ratio": "norm of B over norm of W",
    "spread": "variance of images over that of sources",
}
BOUNDED = ("angle", "angle_spread", "correlation")  # their axis is linear however small a value gets
DIRECT_LABEL = 16  # characters: a longer label goes into a legend below
PANEL = (4.7, 3.3)  # inches
SMALL: Any = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "circuitsim",
    "text.parse_math": False,  # a label may hold any character
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A new figure, in inches, under the report's settings; matplotlib's own are as they were afterwards."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SMALL):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def inline(figure: Figure, alt: str, *, form: str = "svg") -> Image:
    """Encode a figure as a data URI: vectors, or pixels for photographs."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label in a script that the font lacks shows boxes
        figure.savefig(buffer, format=form, dpi=200, metadata=metadata)
    kind = "image/svg+xml" if form == "svg" else "image/png"
    uri = f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Image(uri, round(96 * figure.get_figwidth()), alt)


def learning_curves(results: Results, metric: str) -> list[Image]:
    """One panel for each split that was measured, test first, with equal axes."""
    groups = results.groups[:MOST_GROUPS]
    splits = [split for split in ("test", "train") if (split, metric) in results.measured]
    limits = _limits([np.concatenate(g.curve(s, metric)) for g in groups for s in splits])
    return [_panel(results, split, metric, limits) for split in splits]


def other_curves(results: Results) -> list[Image]:
    """A panel for each metric that belongs to no data."""
    groups = results.groups[:MOST_GROUPS]
    found = []
    for metric in results.other_metrics[:MOST_OTHERS]:
        linear = metric.partition("/")[0] in BOUNDED
        limits = _limits([np.concatenate(g.curve("train", metric)) for g in groups], linear=linear)
        found.append(_panel(results, "train", metric, limits))
    return found


def seconds_curve(results: Results) -> Image | None:
    """Training time of each epoch, from nought."""
    shown = np.isfinite(results.seconds)
    if not shown.any():
        return None
    epochs, seconds = results.epochs[shown], results.seconds[shown]
    with drawing(PANEL[0], 2.3) as figure:
        ax = figure.add_axes(_box(PANEL[0], 2.3, right=0.25))
        ax.plot(epochs, seconds, color=COLOURS[0], marker="o", markersize=3.5, linewidth=1.2)
        ax.set(xlabel="epoch", ylabel=NAMES["seconds"], ylim=(0, 1.15 * seconds.max() or 1))
        _whole_epochs(ax, epochs)
        return inline(figure, f"Seconds per epoch, median {number(float(np.median(seconds)))}")


def _panel(results: Results, split: str, metric: str, limits: tuple[float, float, bool]) -> Image:
    groups = results.groups[:MOST_GROUPS]
    labels = [g.label for g in groups]
    longest = max(map(len, labels))
    direct, single = longest <= DIRECT_LABEL, len(groups) == 1
    margin = 0.3 + 0.078 * longest if direct and not single else 0.2
    legend = 0.0 if direct or single else 0.18 * len(groups) + 0.1
    size = PANEL[0], PANEL[1] + legend
    with drawing(*size) as figure:
        ax = figure.add_axes(_box(*size, right=margin, bottom=0.48 + legend, top=0.3))
        _axes(ax, results, metric, f"{metric} on {split} data" if metric in results.data_metrics else metric, limits)
        curves = [g.curve(split, metric) for g in groups]
        alpha = 0.16 if len(groups) <= 4 else 0.09
        lines = [_curve(ax, results.epochs, c, i, alpha) for i, c in enumerate(curves)]
        if direct and not single:
            _label_ends(ax, results.epochs, [curve[0] for curve in curves], labels)
        elif not single:
            figure.legend(lines, labels, loc="lower left", fontsize=8.5, frameon=False, handlelength=3.2,
                          labelspacing=0.25, bbox_to_anchor=(0.02, 0.0), borderaxespad=0.2)  # fmt: skip
        return inline(figure, _alt(groups, split, metric, int(results.epochs[-1])))


def _axes(ax: Axes, results: Results, metric: str, title: str, limits: tuple[float, float, bool]) -> None:
    low, high, logarithmic = limits
    if logarithmic:
        ax.set_yscale("log")
        _decades(ax, low, high)
    ax.set_ylim(low, high)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    _whole_epochs(ax, results.epochs)
    ax.set_xlabel("epoch")
    ax.set_ylabel(NAMES.get(metric, NAMES.get(metric.partition("/")[0], metric)))
    ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold")


def _curve(ax: Axes, epochs: np.ndarray, curve: tuple[np.ndarray, ...], index: int, alpha: float) -> Any:
    mean, low, high = curve
    step = max(1, len(epochs) // 6)
    style = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
    if (high > low).any():
        ax.fill_between(epochs, low, high, color=COLOURS[index], alpha=alpha, linewidth=0)
    places = range(min(index, len(epochs) - 1) % step, len(epochs), step)
    return ax.plot(epochs, mean, markevery=list(places), markersize=4.5, linewidth=1.5, **style)[0]


def _label_ends(ax: Axes, epochs: np.ndarray, means: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """Write each label beside its line's end, pushed apart where they would touch."""
    inverse = ax.transAxes.inverted()
    ends = []
    for index, mean in enumerate(means):
        finite = np.flatnonzero(np.isfinite(mean))
        if finite.size:
            point = epochs[finite[-1]], mean[finite[-1]]
            ends.append((float(inverse.transform(ax.transData.transform(point))[1]), index, point))
    ends.sort()
    height = 0.155 / (ax.get_position().height * ax.figure.get_figheight())  # type: ignore[union-attr]
    for y, (_, index, point) in zip(_apart([end[0] for end in ends], height), ends, strict=True):
        ax.annotate(labels[index], point, xytext=(1.04, y), textcoords="axes fraction", va="center",
                    fontsize=9, color="#1b1b1b", annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "linewidth": 0.9, "color": COLOURS[index], "shrinkA": 1,
                                "shrinkB": 2, "relpos": (0, 0.5)})  # fmt: skip


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Move sorted places upward, then downward from the top, until neighbours are `least` apart."""
    found = list(places)
    for i in range(1, len(found)):
        found[i] = max(found[i], found[i - 1] + least)
    top = 1.02
    for i in reversed(range(len(found))):
        found[i] = min(found[i], top)
        top = found[i] - least
    return found


def _limits(curves: Sequence[np.ndarray], *, linear: bool = False) -> tuple[float, float, bool]:
    """The range of an axis, and whether it is logarithmic: where all is positive and spans more than a decade."""
    values = np.concatenate(curves) if curves else np.zeros(0)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0, False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 10 and not linear:
        margin = (high / low) ** 0.05
        return low / margin, min(high * margin, 1e300), True
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return (max(0.0, low - margin) if low >= 0 else low - margin), high + margin, False


def _decades(ax: Axes, low: float, high: float) -> None:
    """Label 1, 2 and 5 of each decade where there are few, the decades alone where there are many."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    few = high / low < 300
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=9))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _whole_epochs(ax: Axes, epochs: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
    first, last = float(epochs[0]), float(epochs[-1])
    margin = 0.02 * (last - first) or 0.5
    ax.set_xlim(first - margin, last + margin)


def _box(width: float, height: float, *, right: float, bottom: float = 0.52, top: float = 0.15) -> Any:
    """The axes within a figure, from margins in inches."""
    left = 0.78
    return (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)


def _alt(groups: Sequence[Group], split: str, metric: str, last: int) -> str:
    ends = "; ".join(f"{g.label} {number(g.final(split, metric).mean)}" for g in groups)
    return f"{metric} on {split} data against the epoch, {plural(len(groups), 'curve')}. At epoch {last}: {ends}"
