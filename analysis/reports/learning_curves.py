"""Learning curves of a run: metrics and training time against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.groups import Group, Results
from circuitsim.analysis.reports.page import Image, number, plural
from circuitsim.analysis.reports.plots import (
    COLOURS,
    INK,
    axes_at,
    drawing,
    inline,
    label_decades,
    label_integers,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_GROUPS = len(COLOURS)
MOST_OTHERS = 12  # panels of metrics of the circuit itself
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
BOUNDED = ("angle", "angle_spread", "correlation")  # always on a linear axis
DIRECT_LABEL = 16  # characters; longer labels go into a legend below
PANEL = (4.7, 3.3)  # inches
LEFT = 0.78  # inches beside the axes


def all_curves(results: Results) -> dict[str, Image]:
    """Draw all panels of a run: those of the data's metrics, then those of the circuit, by the names of their files."""
    found: dict[str, Image] = {}
    for metric in results.data_metrics:
        splits = [split for split in ("test", "train") if (split, metric) in results.measured]
        names = [file_of(metric, split) for split in splits]
        found |= dict(zip(names, learning_curves(results, metric), strict=True))
    names = [file_of(metric) for metric in results.drawn_metrics[:MOST_OTHERS]]
    return found | dict(zip(names, other_curves(results), strict=True))


def file_of(metric: str, split: str = "") -> str:
    """Return the name of the file of a metric's panel, without its ending.

    >>> file_of("mse/1", "test"), file_of("angle/W2")
    ('mse-1-test', 'angle-W2')
    """
    return "-".join(filter(None, [metric.replace("/", "-"), split]))


def learning_curves(results: Results, metric: str) -> list[Image]:
    """Draw one panel for each split that was measured, test first, with equal axes."""
    groups = results.groups[:MOST_GROUPS]
    splits = [split for split in ("test", "train") if (split, metric) in results.measured]
    limits = _limits([np.concatenate(g.curve(s, metric)) for g in groups for s in splits])
    return [_panel(results, split, metric, limits) for split in splits]


def other_curves(results: Results) -> list[Image]:
    """Draw a panel for each metric of the circuit itself."""
    groups = results.groups[:MOST_GROUPS]
    found = []
    for metric in results.drawn_metrics[:MOST_OTHERS]:
        linear = metric.partition("/")[0] in BOUNDED
        limits = _limits([np.concatenate(g.curve("train", metric)) for g in groups], linear=linear)
        found.append(_panel(results, "train", metric, limits))
    return found


def seconds_curve(results: Results) -> Image | None:
    """Draw the training time of each epoch, from zero; None if none was measured."""
    shown = np.isfinite(results.seconds)
    if not shown.any():
        return None
    epochs, seconds = results.epochs[shown], results.seconds[shown]
    with drawing(PANEL[0], 2.3) as figure:
        ax = axes_at(figure, LEFT, 0.52, PANEL[0] - LEFT - 0.25, 2.3 - 0.67)
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
    with drawing(PANEL[0], PANEL[1] + legend) as figure:
        ax = axes_at(figure, LEFT, 0.48 + legend, PANEL[0] - LEFT - margin, PANEL[1] - 0.78)
        _axes(ax, results, metric, f"{metric} on {split} data" if metric in results.data_metrics else metric, limits)
        curves = [g.curve(split, metric) for g in groups]
        alpha = 0.16 if len(groups) <= 4 else 0.09
        lines = [_curve(ax, results.epochs, c, i, alpha) for i, c in enumerate(curves)]
        if direct and not single:
            _label_ends(ax, results.epochs, [curve[0] for curve in curves], labels)
        elif not single:
            figure.legend(lines, labels, loc="lower left", handlelength=3.2, labelspacing=0.25,
                          bbox_to_anchor=(0.02, 0.0), borderaxespad=0.2)  # fmt: skip
        return inline(figure, _alt(groups, split, metric, int(results.epochs[-1])))


def _axes(ax: Axes, results: Results, metric: str, title: str, limits: tuple[float, float, bool]) -> None:
    low, high, logarithmic = limits
    if logarithmic:
        title += ", logarithmic"
        ax.set_yscale("log")
        label_decades(ax.yaxis, low, high)
    ax.set_ylim(low, high)
    ax.grid(axis="y")
    _whole_epochs(ax, results.epochs)
    _mark_periods(ax, results.periods)
    ax.set(xlabel="epoch", ylabel=NAMES.get(metric, NAMES.get(metric.partition("/")[0], metric)), title=title)


def _mark_periods(ax: Axes, periods: Sequence[tuple[int, str]]) -> None:
    """Draw a line before the first epoch of each period of a development but the first, and name the period."""
    for begin, name in periods:
        if begin > 1:
            ax.axvline(begin - 0.5, color="#8a8a8a", linewidth=0.8, linestyle=(0, (2, 2)))
        ax.annotate(name, (begin - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(2, -2),
                    textcoords="offset points", va="top", fontsize=7.5, color="#5a5a5a")  # fmt: skip


def _curve(ax: Axes, epochs: np.ndarray, curve: tuple[np.ndarray, ...], index: int, alpha: float) -> Any:
    mean, low, high = curve
    step = max(1, len(epochs) // 6)
    if (high > low).any():
        ax.fill_between(epochs, low, high, color=COLOURS[index], alpha=alpha, linewidth=0)
    places = range(min(index, len(epochs) - 1) % step, len(epochs), step)
    return ax.plot(epochs, mean, markevery=list(places), markersize=4.5, linewidth=1.5, **style(index))[0]


def _label_ends(ax: Axes, epochs: np.ndarray, means: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """Write each label beside the end of its line, far enough apart to be read."""
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
                    fontsize=9, color=INK, annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "linewidth": 0.9, "color": COLOURS[index], "shrinkA": 1,
                                "shrinkB": 2, "relpos": (0, 0.5)})  # fmt: skip


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Move ascending places up, then down from the top, until neighbours are `least` apart."""
    found = list(places)
    for i in range(1, len(found)):
        found[i] = max(found[i], found[i - 1] + least)
    top = 1.02
    for i in reversed(range(len(found))):
        found[i] = min(found[i], top)
        top = found[i] - least
    return found


def _limits(curves: Sequence[np.ndarray], *, linear: bool = False) -> tuple[float, float, bool]:
    """Range of an axis; True if it is logarithmic, as for positive values that span more than a decade."""
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


def _whole_epochs(ax: Axes, epochs: np.ndarray) -> None:
    label_integers(ax.xaxis, most=7)
    first, last = float(epochs[0]), float(epochs[-1])
    margin = 0.02 * (last - first) or 0.5
    ax.set_xlim(first - margin, last + margin)


def _alt(groups: Sequence[Group], split: str, metric: str, last: int) -> str:
    ends = "; ".join(f"{g.label} {number(g.final(split, metric).mean)}" for g in groups)
    return f"{metric} on {split} data against the epoch, {plural(len(groups), 'curve')}. At epoch {last}: {ends}"
