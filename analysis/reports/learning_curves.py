"""Learning curves of a run: metrics and training time against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, summary
from circuitsim.analysis.reports.groups import Group, Results
from circuitsim.analysis.reports.page import Image, number, plural
from circuitsim.analysis.reports.periods import head_for, mark
from circuitsim.analysis.reports.plots import (
    COLOURS,
    INK,
    LOGARITHMIC,
    axes_at,
    drawing,
    inline,
    keep_labels,
    label_decades,
    label_integers,
    room,
    style,
)
from circuitsim.runs.periods import Period

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_GROUPS = len(COLOURS)
MOST_OTHERS = 12  # panels of metrics of the circuit itself
NAMES = {
    "mse": "mean squared error per unit",
    "bce": "cross-entropy (nats per example)",
    "error": "error (%)",
    "loss": "loss per example",
    "seconds": "seconds per epoch",
    "r2": "R² (1: all of the variance)",
    "running_loss": "loss per example, before its update",
    "angle": "angle (degrees)",
    "angle_spread": "SD over examples (degrees)",
    "correlation": "correlation of B and W",
    "norm_ratio": "norm of B over norm of W",
    "activity": "mean absolute activity",
    "spread": "variance of images over that of sources",
}
BOUNDED = {"angle": 180.0, "angle_spread": 180.0, "correlation": 1.0}  # always on a linear axis; their scales
NOISE = 1e-5  # of a metric's scale: less than this comes from rounding
DIRECT_LABEL = 16  # characters; longer labels go into a legend below
PANEL = (5.15, 3.4)  # inches: two fill the page
LEFT = 0.78  # inches beside the axes


def learning_curves(results: Results, metric: str, periods: Sequence[Period] = ()) -> dict[str, Image]:
    """Draw one panel for each split that was measured, test first, with equal axes; return them by split."""
    groups = results.groups[:MOST_GROUPS]
    splits = [split for split in ("test", "train") if (split, metric) in results.measured]
    limits = _limits([np.concatenate(g.curve(s, metric)) for g in groups for s in splits])
    return {split: _panel(results, split, metric, limits, periods) for split in splits}


def other_curves(results: Results, metrics: Sequence[str], periods: Sequence[Period] = ()) -> dict[str, Image]:
    """Draw a panel for each of some metrics of the circuit itself; return them by metric."""
    groups, found = results.groups[:MOST_GROUPS], {}
    for metric in metrics:
        linear = metric.partition("/")[0] in BOUNDED
        limits = _limits([np.concatenate(g.curve("train", metric)) for g in groups], linear=linear)
        found[metric] = _panel(results, "train", metric, limits, periods)
    return found


def constant(results: Results, metric: str) -> float | None:
    """Return the value of a metric of the circuit that is the same in all groups and epochs but for rounding."""
    values = np.concatenate([group.series["train", metric].ravel() for group in results.groups])
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    scale = max(float(np.abs(values).max()), BOUNDED.get(metric.partition("/")[0], 0.0))
    return without_noise(metric, float(np.median(values))) if np.ptp(values) <= NOISE * scale else None


def without_noise(metric: str, value: float) -> float:
    """Return 0 for a value of an angle or a correlation that is smaller than rounding makes it."""
    return 0.0 if abs(value) < NOISE * BOUNDED.get(metric.partition("/")[0], 0.0) else value


def curve_numbers(results: Results, split: str, metric: str) -> pd.DataFrame:
    """Return what a panel shows, as rows: the summary over replicas of each group and epoch, drawn or not."""
    import pandas as pd

    rows = [
        (group.label, int(epoch), *summary(values))
        for group in results.groups
        for epoch, values in zip(results.epochs, group.series[split, metric], strict=True)
    ]
    return pd.DataFrame(rows, columns=["group", "epoch", "mean", "SD", COLUMN, "least", "greatest", "replicas"])


def seconds_curve(results: Results) -> Image | None:
    """Draw the training time of each epoch, from zero; None if none was measured."""
    shown = np.isfinite(results.seconds)
    if not shown.any():
        return None
    epochs, seconds = results.epochs[shown], results.seconds[shown]
    width = room(PANEL[0])
    with drawing(width, 2.3) as figure:
        ax = axes_at(figure, LEFT, 0.52, width - LEFT - 0.25, 2.3 - 0.67)
        ax.plot(epochs, seconds, color=COLOURS[0], marker="o", markersize=3.5, linewidth=1.2)
        ax.set(xlabel="epoch", ylabel=NAMES["seconds"], ylim=(0, 1.15 * seconds.max() or 1))
        _whole_epochs(ax, epochs)
        return inline(figure, f"Seconds per epoch, median {number(float(np.median(seconds)))}")


def seconds_numbers(results: Results) -> pd.DataFrame:
    """Return the training time of each epoch, as rows."""
    import pandas as pd

    shown = np.isfinite(results.seconds)
    return pd.DataFrame({"epoch": results.epochs[shown], "seconds": results.seconds[shown]})


def _panel(
    results: Results, split: str, metric: str, limits: tuple[float, float, bool], periods: Sequence[Period]
) -> Image:
    groups = results.groups[:MOST_GROUPS]
    labels = [g.label for g in groups]
    longest = max(map(len, labels))
    direct, single = longest <= DIRECT_LABEL, len(groups) == 1
    margin = 0.3 + 0.078 * longest if direct and not single else 0.2
    legend = 0.0 if direct or single else 0.18 * len(groups) + 0.1
    width, head = room(PANEL[0]), head_for(periods)
    with drawing(width, PANEL[1] + legend + head) as figure:
        ax = axes_at(figure, LEFT, 0.48 + legend, width - LEFT - margin, PANEL[1] - 0.78)
        _axes(
            ax, results, metric, f"{metric} on {split} data" if metric in results.data_metrics else metric, limits, head
        )
        mark(ax, periods)
        curves = [g.curve(split, metric) for g in groups]
        alpha = 0.16 if len(groups) <= 4 else 0.09
        lines = [_curve(ax, results.epochs, c, i, alpha) for i, c in enumerate(curves)]
        keep_labels(figure, [0.0])
        if direct and not single:
            _label_ends(ax, results.epochs, [curve[0] for curve in curves], labels)
        elif not single:
            figure.legend(lines, labels, loc="lower left", handlelength=3.2, labelspacing=0.25,
                          bbox_to_anchor=(0.02, 0.0), borderaxespad=0.2)  # fmt: skip
        return inline(figure, _alt(groups, split, metric, int(results.epochs[-1])))


def _axes(ax: Axes, results: Results, metric: str, title: str, limits: tuple[float, float, bool], head: float) -> None:
    low, high, logarithmic = limits
    if logarithmic:
        ax.set_yscale("log")
        label_decades(ax.yaxis, low, high)
    ax.set_ylim(low, high)
    ax.grid(axis="y")
    _whole_epochs(ax, results.epochs)
    ax.set(xlabel="epoch", ylabel=NAMES.get(metric, NAMES.get(metric.partition("/")[0], metric)))
    ax.set_title(title + LOGARITHMIC * logarithmic, pad=6 + 72 * head)


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
