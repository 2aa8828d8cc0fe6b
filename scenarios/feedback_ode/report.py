"""The figure and tables of `feedback-ode`, compared with the paper."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.scenarios.figures import exhibit, pivoted

if TYPE_CHECKING:
    import pandas as pd

TIME = "time (1 / learning rate)"
FLOOR = (1e-9, 2e3)  # below it the integration's own errors show
TITLE = "feedback-ode – linear networks whose feedback learns at ε times the rate of forward weights"
CAPTION = (
    "Lines are means over seeds; bands reach from the least to the greatest seed. "
    "The correlation of bp, which starts from random weights, is 1 throughout and not drawn; the others start from "
    "zero weights."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    groups = _groups(metrics)
    layers = sorted({m.partition("/")[2] for m in metrics["metric"] if m.startswith("correlation/")}, reverse=True)
    exhibits = [_figure(groups, layers), _times(groups), _final(groups, layers)]
    lead = _lead(groups, layers)
    write_portfolio(folder, TITLE, lead, exhibits, config, remarks=_remarks(groups, layers))


Groups = dict[str, "pd.DataFrame"]


def _groups(metrics: pd.DataFrame) -> Groups:
    """Return the rows of each kind of feedback, backpropagation first, then by epsilon."""
    if "feedback" not in metrics:
        return {"this run": metrics}
    kinds = sorted(metrics["feedback"].astype(str).unique(), key=lambda kind: -1.0 if kind == "bp" else float(kind))
    return {_label(kind): metrics[metrics["feedback"].astype(str) == kind] for kind in kinds}


def _label(kind: str) -> str:
    return kind if kind == "bp" else f"ε = {float(kind):g}"


def _series(rows: pd.DataFrame, metric: str, epochs: int) -> np.ndarray:
    """Return a metric, (epochs, replicas)."""
    return pivoted(rows[rows["metric"] == metric], epochs)


def _figure(groups: Groups, layers: list[str]) -> Exhibit:
    """Return the error and the correlations over time, drawn and as numbers at every twentieth of the time."""
    first = next(iter(groups.values()))
    times = first[["epoch", "time"]].drop_duplicates("epoch").sort_values("epoch")["time"].to_numpy()
    error = {label: _series(rows, "error", len(times)) for label, rows in groups.items()}
    panels = [Panel("squared error", TIME, "tr(EᵀE), sum over outputs", times, error, True, FLOOR)]
    for layer in layers:
        curves = {k: _series(rows, f"correlation/{layer}", len(times)) for k, rows in groups.items() if k != "bp"}
        place = " (top)" if layer == layers[0] else " (input)" if layer == layers[-1] else ""
        panels.append(
            Panel(f"{layer}{place}", TIME, f"correlation of {layer} and Rᵀ", times, curves, limits=(-0.1, 1.03))
        )
    image = draw_panels(panels, list(groups), what="Error and correlations against time")
    columns = ["feedback", "metric", "time", "mean", "least", "greatest"]
    return exhibit(
        "course", "Error and correlations over time", CAPTION, columns, _sampled(groups, layers, times), image
    )


def _sampled(groups: Groups, layers: list[str], times: np.ndarray) -> list[tuple[Any, ...]]:
    places = np.unique(np.linspace(0, len(times) - 1, 21).astype(int))
    rows = []
    for label, frame in groups.items():
        for metric in ("error", *(f"correlation/{layer}" for layer in layers)):
            values = _series(frame, metric, len(times))
            for place in places:
                mean, *_, least, greatest, _ = summary(values[place])
                rows.append((label, metric, times[place], mean, least, greatest))
    return rows


def _times(groups: Groups) -> Exhibit:
    """Return the time at which the error first was at each level."""
    levels = [m for m in dict.fromkeys(next(iter(groups.values()))["metric"]) if m.startswith("time_to/")]
    rows = [
        (label, float(level.removeprefix("time_to/")), *summary(rows[rows["metric"] == level]["value"].to_numpy()))
        for label, rows in groups.items()
        for level in levels
    ]
    columns = ["feedback", "error", "time", "SD", COLUMN, "least", "greatest", "seeds that reached it"]
    caption = (
        f"The time, in units of {TIME.removeprefix('time ')}, at which the error first was at each level. {MEANING}"
    )
    return exhibit("times", "Time to reach an error", caption, columns, rows)


def _final(groups: Groups, layers: list[str]) -> Exhibit:
    """Return the correlations at the end."""
    rows = []
    for label, frame in groups.items():
        ends = frame[frame["epoch"] == frame["epoch"].max()]
        for layer in layers:
            mean, deviation, half, *_, seeds = summary(
                ends[ends["metric"] == f"correlation/{layer}"]["value"].to_numpy()
            )
            rows.append((label, layer, mean, deviation, half, seeds))
    columns = ["feedback", "layer", "correlation of W and Rᵀ", "SD", COLUMN, "seeds"]
    return exhibit("correlations", "Correlations at the end", f"Means over seeds. {MEANING}", columns, rows)


def _lead(groups: Groups, layers: list[str]) -> str:
    levels = [m for m in dict.fromkeys(next(iter(groups.values()))["metric"]) if m.startswith("time_to/")]
    if not levels:
        return "No error level was reached in the time given: set a longer duration."
    times = [f"{label} {_reached(rows, levels[-1])}" for label, rows in groups.items()]
    return f"The error first is at {levels[-1].removeprefix('time_to/')} at time: {'; '.join(times)}."


def _reached(rows: pd.DataFrame, level: str) -> str:
    """Write the mean time of a level, and how many seeds reached it where some did not."""
    known, seeds = int(rows[rows["metric"] == level]["value"].notna().sum()), rows["replica"].nunique()
    return f"{number(_mean(rows, level))}{'' if known == seeds else f' ({known} of {seeds} seeds)'}"


def _mean(rows: pd.DataFrame, metric: str) -> float:
    values = rows[rows["metric"] == metric]
    return summary(values[values["epoch"] == values["epoch"].max()]["value"].to_numpy())[0]


def _remarks(groups: Groups, layers: list[str]) -> list[str]:
    """Return the paper's statements on its Figure 12, and the numbers here."""
    updated = [label for label in groups if label.startswith("ε")]
    level = "time_to/1e-06"
    times = [_mean(groups[label], level) for label in updated]
    faster = all(a > b for a, b in pairwise(times))
    found = ["Compared with Amit 2019, Figure 12, which has no numbers; its text makes four statements."]
    if len(updated) > 1:
        found.append(
            f"Convergence is faster for greater ε: {'true' if faster else 'not true'} here (times to 1e-06: "
            f"{', '.join(f'{k} {number(t)}' for k, t in zip(updated, times, strict=True))})."
        )
    for label in updated:
        ends = {layer: _mean(groups[label], f"correlation/{layer}") for layer in layers}
        found.append(f"Final correlations with {label}: {', '.join(f'{k} {number(v)}' for k, v in ends.items())}.")
    found.append(
        "The paper: the top layer's correlation always comes very close to 1; lower layers' do not; they grow with ε; "
        "and the input layer's ends slightly above the middle one's. It does not give the standard deviations of the "
        "initial feedback and of backpropagation's weights (here scale_feedback and scale_forward), the unit of its "
        "iterations (here 1 / learning rate) or the kind of correlation (here Pearson's over synapses)."
    )
    return found
