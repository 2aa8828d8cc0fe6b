"""The figure and tables of `feedback-ode`, and how they compare with what the paper says."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio

if TYPE_CHECKING:
    import pandas as pd

TIME = "time (1 / learning rate)"
FLOOR = (1e-9, 2e3)  # below it the integration's own errors show
TITLE = "feedback-ode – linear networks whose feedback learns at ε times the rate of forward weights"
CAPTION = (
    "Lines are means over seeds (of the logarithm, for the error); bands reach from the least to the greatest seed. "
    "bp starts from random weights and its correlation is 1 throughout, so it is not drawn below; the others start "
    "from weights of nought."
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
    """The rows of each kind of feedback, backpropagation first, then by epsilon."""
    if "feedback" not in metrics:
        return {"this run": metrics}
    kinds = sorted(metrics["feedback"].astype(str).unique(), key=lambda kind: -1.0 if kind == "bp" else float(kind))
    return {_label(kind): metrics[metrics["feedback"].astype(str) == kind] for kind in kinds}


def _label(kind: str) -> str:
    return kind if kind == "bp" else f"ε = {float(kind):g}"


def _series(rows: pd.DataFrame, metric: str, epochs: int) -> np.ndarray:
    """(epochs, replicas) of a metric."""
    chosen = rows[rows["metric"] == metric].pivot(index="epoch", columns="replica", values="value")
    found: np.ndarray = chosen.reindex(range(epochs)).to_numpy(np.float64)
    return found


def _figure(groups: Groups, layers: list[str]) -> Exhibit:
    """Error and correlations over time."""
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
    return Exhibit("course", "Error and correlations over time", CAPTION, _sampled(groups, layers, times), image)


def _sampled(groups: Groups, layers: list[str], times: np.ndarray) -> pd.DataFrame:
    """The drawn curves as numbers, at every twentieth of the time."""
    import pandas as pd

    places = np.unique(np.linspace(0, len(times) - 1, 21).astype(int))
    rows = []
    for label, frame in groups.items():
        for metric in ("error", *(f"correlation/{layer}" for layer in layers)):
            values = _series(frame, metric, len(times))
            for place in places:
                rows.append((label, metric, times[place], *_summary(values[place])))
    return pd.DataFrame(rows, columns=["feedback", "metric", "time", "mean", "least", "greatest"])


def _summary(values: np.ndarray) -> tuple[float, float, float]:
    known = values[np.isfinite(values)]
    return (float(known.mean()), float(known.min()), float(known.max())) if known.size else (np.nan,) * 3


def _times(groups: Groups) -> Exhibit:
    """When the error first was at each level."""
    import pandas as pd

    levels = [m for m in dict.fromkeys(next(iter(groups.values()))["metric"]) if m.startswith("time_to/")]
    rows = []
    for label, frame in groups.items():
        for level in levels:
            values = frame[frame["metric"] == level]["value"].to_numpy()
            mean, least, greatest = _summary(values)
            deviation = float(values.std(ddof=1)) if len(values) > 1 else np.nan
            rows.append((label, level.removeprefix("time_to/"), mean, deviation, least, greatest, len(values)))
    columns = ["feedback", "error", "time", "SD", "least", "greatest", "seeds that reached it"]
    caption = f"The time, in units of {TIME.removeprefix('time ')}, at which the error was first at each level."
    return Exhibit("times", "Time to reach an error", caption, pd.DataFrame(rows, columns=columns))


def _final(groups: Groups, layers: list[str]) -> Exhibit:
    """Correlations at the end."""
    import pandas as pd

    rows = []
    for label, frame in groups.items():
        ends = frame[frame["epoch"] == frame["epoch"].max()]
        for layer in layers:
            values = ends[ends["metric"] == f"correlation/{layer}"]["value"].to_numpy()
            deviation = float(values.std(ddof=1)) if len(values) > 1 else np.nan
            rows.append((label, layer, _summary(values)[0], deviation, len(values)))
    columns = ["feedback", "layer", "correlation of W and Rᵀ", "SD", "seeds"]
    return Exhibit("correlations", "Correlations at the end", "Means over seeds.", pd.DataFrame(rows, columns=columns))


def _lead(groups: Groups, layers: list[str]) -> str:
    metric = [m for m in dict.fromkeys(next(iter(groups.values()))["metric"]) if m.startswith("time_to/")]
    if not metric:
        return "No error level was reached in the time given: set a longer duration."
    told = [f"{k} {number(_mean(rows, metric[-1]))}" for k, rows in groups.items()]
    return f"The error is first at {metric[-1].removeprefix('time_to/')} at time: {'; '.join(told)}."


def _mean(rows: pd.DataFrame, metric: str) -> float:
    values = rows[rows["metric"] == metric]
    values = values[values["epoch"] == values["epoch"].max()]["value"].to_numpy()
    return _summary(values)[0]


def _remarks(groups: Groups, layers: list[str]) -> list[str]:
    """What the paper says of its figure 12, which prints no numbers, and what comes out here."""
    updated = [label for label in groups if label.startswith("ε")]
    level = "time_to/1e-06"
    times = [_mean(groups[label], level) for label in updated]
    faster = all(a > b for a, b in pairwise(times))
    found = ["Compared with Amit 2019, figure 12, which is drawn without numbers; its text makes four statements."]
    if len(updated) > 1:
        found.append(
            f"Convergence is faster the greater ε: {'so here' if faster else 'not so here'} (times to 1e-06: "
            f"{', '.join(f'{k} {number(t)}' for k, t in zip(updated, times, strict=True))})."
        )
    for label in updated:
        ends = {layer: _mean(groups[label], f"correlation/{layer}") for layer in layers}
        found.append(f"Final correlations with {label}: {', '.join(f'{k} {number(v)}' for k, v in ends.items())}.")
    found.append(
        "The paper: the top layer's correlation always comes very close to 1; lower layers' do not; they grow with ε; "
        "and the input layer's ends slightly above the middle one's. The standard deviation of the initial feedback "
        "(and of backpropagation's weights), the unit of its iterations and the kind of correlation are not printed: "
        "here scale_feedback, scale_forward, time in units of 1 / learning rate, and Pearson's over synapses."
    )
    return found
