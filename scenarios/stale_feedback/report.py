"""The figure and tables of `stale-feedback`, and the staleness at which learning breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.plots import LOGARITHMIC
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.runfolder import METRICS
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame
from circuitsim.scenarios.classifier.settings import NEVER
from circuitsim.scenarios.figures import SUMMARY, Curves, exhibit, frame, without_rounding
from circuitsim.scenarios.stale_feedback.settings import COPIES, DEFERRED, RANDOM

if TYPE_CHECKING:
    import pandas as pd

TITLE = "stale-feedback – backpropagation through old copies of the weights, or with deferred updates"
LABELS = {COPIES: "copied feedback weights", DEFERRED: "deferred updates", RANDOM: "fixed random feedback"}
AXES = {COPIES: "presentations between copies", DEFERRED: "presentations between updates, mean"}
TICKS = 6  # labels on an axis, about
CLEARLY = 2.0  # spreads between seeds by which an error must exceed that of fresh feedback
STALENESS = "presentations between"
CAPTION = (
    "Left: feedback weights are a copy of the transposed forward weights, made in every k-th presentation (1: "
    "backpropagation; never: the weights before training). Right: increments add up and are applied with a given "
    "probability in each presentation; the mean wait is its inverse. Lines are means over seeds, bands reach from the "
    "least to the greatest. An angle is that between the errors that reach a layer and backpropagation's, a mean over "
    "the ends of all epochs, since the age of the copy differs from one to the next."
)
Values = Mapping[str, Curves]  # of each member and metric: (staleness, seed)


@dataclass(frozen=True)
class Sweep:
    """One kind of staleness, least first.

    Parameters
    ----------
    stale : (staleness,) presentations between two copies or updates; infinite: never.
    errors : (staleness, seed) test errors in percent, NaN where a seed diverged. random : (seed,) of fixed feedback.
    """

    stale: np.ndarray
    errors: np.ndarray
    random: np.ndarray

    def spread(self, place: int) -> float:
        """Return the standard deviation between seeds (n - 1), pooled over the freshest and this staleness."""
        return float(np.sqrt((self.errors[[0, place]].var(axis=1, ddof=1)).mean()))

    def broken(self, place: int) -> bool:
        """Return whether the mean error is clearly greater than the freshest, or a seed has diverged."""
        one, fresh = self.errors[place], self.errors[0]
        return not float(one.mean() - fresh.mean()) <= CLEARLY * self.spread(place)

    def useless(self, place: int) -> bool:
        """Return whether the mean error is no less than that of fixed random feedback, or a seed has diverged."""
        return not float(self.errors[place].mean()) < float(self.random.mean())

    def first(self, test: str) -> float | None:
        """Return the least staleness of which a test is true."""
        found = [float(s) for place, s in enumerate(self.stale) if place and getattr(self, test)(place)]
        return found[0] if found else None


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    metrics = read_frame(folder / METRICS)
    values = {name: _values(metrics, name, config) for name in LABELS}
    staleness = {
        COPIES: np.array([*config["copy_intervals"], np.inf]),
        DEFERRED: 1 / np.array(config["update_probabilities"], np.float64),
    }
    random = values[RANDOM]["error"][0]
    sweeps = {name: Sweep(stale, values[name]["error"], random) for name, stale in staleness.items()}
    table = _table(sweeps, values)
    exhibits = [_figure(sweeps, values, table), _breaks(sweeps), _numbers(table, values)]
    write_portfolio(folder, TITLE, _lead(sweeps), exhibits, config, notes=notes_of(runs))


def _values(metrics: pd.DataFrame, name: str, config: Mapping[str, Any]) -> Curves:
    """Return the test error at the end, and the angles of errors, means over the ends of epochs."""
    own = metrics[metrics["member"] == name]
    stale = {COPIES: len(config["copy_intervals"]) + 1, DEFERRED: len(config["update_probabilities"])}.get(name, 1)
    found = {}
    for metric in ("error", *sorted({m for m in own["metric"] if m.startswith("angle/delta")})):
        split, since = ("test", config["epochs"]) if metric == "error" else ("train", 1)
        rows = own[(own["metric"] == metric) & (own["split"] == split) & (own["epoch"] >= since)]
        flat = np.full(stale * config["seeds"], np.nan)  # seeds run fastest; a replica that diverged has no last rows
        means = rows.groupby("replica")["value"].mean()
        flat[means.index] = means
        found[metric] = flat.reshape(stale, config["seeds"])
    return found


def _angles(values: Values) -> list[str]:
    return [metric for metric in values[RANDOM] if metric.startswith("angle")]


def _layer(angle: str) -> str:
    return angle.removeprefix("angle/delta")


def _figure(sweeps: Mapping[str, Sweep], values: Values, table: pd.DataFrame) -> Exhibit:
    """Return the test errors of both sweeps and the angles of copies, each beside fixed random feedback."""
    errors: dict[str, Any] = {"ylabel": "test error (%)", "logarithmic": True}
    panels = [_panel(name, sweep, "error", values, LABELS[name], **errors) for name, sweep in sweeps.items()]
    for metric in _angles(values):
        angles: dict[str, Any] = {"ylabel": "angle (degrees)", "limits": (-3.0, 105.0)}
        panels.append(_panel(COPIES, sweeps[COPIES], metric, values, f"errors at layer {_layer(metric)}", **angles))
    image = draw_panels(panels, list(LABELS.values()), what="Test error and angles against staleness")
    return Exhibit("staleness", "Error and angles against staleness", CAPTION, table, image)


def _panel(name: str, sweep: Sweep, metric: str, values: Values, title: str, **options: Any) -> Panel:
    curves = {LABELS[name]: values[name][metric]}
    curves[LABELS[RANDOM]] = np.repeat(values[RANDOM][metric], len(sweep.stale), axis=0)
    places, ticks = _places(sweep.stale)
    return Panel(title, AXES[name] + LOGARITHMIC, x=places, curves=curves, ticks=ticks, **options)


def _places(stale: np.ndarray) -> tuple[np.ndarray, dict[float, str]]:
    """Return places on an axis of powers of two, with never a quarter of it beyond the last, and their labels."""
    known = stale[np.isfinite(stale)]
    places = np.log2(np.where(np.isfinite(stale), stale, max(2.0, known[-1] ** 1.25)))
    step = max(1, -(-len(known) // TICKS))
    labelled = [*range(0, len(known), step), *range(len(known), len(stale))]
    return places, {float(places[k]): _spell(float(stale[k])) for k in labelled}


def _spell(stale: float | None) -> str:
    if stale is None:
        return "not within this sweep"
    return NEVER if np.isinf(stale) else f"{stale:.4g}"


def _table(sweeps: Mapping[str, Sweep], values: Values) -> pd.DataFrame:
    """Return the summary over seeds of all that is drawn, as rows."""
    rows = []
    for name, metrics in values.items():
        stale = [_spell(float(s)) for s in sweeps[name].stale] if name in sweeps else [""]
        for metric, found in metrics.items():
            rows += [(LABELS[name], metric, s, *summary(one)) for s, one in zip(stale, found, strict=True)]
    return frame(["feedback", "metric", STALENESS, *SUMMARY], rows)


def _numbers(table: pd.DataFrame, values: Values) -> Exhibit:
    """Return errors and angles side by side, a row for each staleness."""
    angles, rows = _angles(values), []
    for (label, stale), part in table.groupby(["feedback", STALENESS], sort=False):
        by = part.set_index("metric")
        means = [without_rounding(float(by["mean"][angle])) for angle in angles]
        errors = [float(by[column]["error"]) for column in SUMMARY[:3]]
        rows.append((label, stale, *errors, *means, by["seeds"]["error"]))
    header = [f"angle at layer {_layer(angle)} (degrees)" for angle in angles]
    columns = ["feedback", STALENESS, "test error (%)", *SUMMARY[1:3], *header, "seeds"]
    return exhibit("numbers", "Errors and angles in numbers", f"Means over seeds. {MEANING}", columns, rows)


def _breaks(sweeps: Mapping[str, Sweep]) -> Exhibit:
    """Return the staleness at which learning breaks, by both criteria."""
    rows = [
        (
            LABELS[name],
            float(sweep.errors[0].mean()),
            float(sweep.random.mean()),
            _since(sweep.first("broken")),
            _since(sweep.first("useless")),
        )
        for name, sweep in sweeps.items()
    ]
    columns = ["staleness of", "fresh: test error (%)", "random: test error (%)", "clearly worse from", "useless from"]
    caption = (
        "Presentations between two copies or updates. Clearly worse: the mean test error exceeds that of fresh "
        f"feedback by more than {CLEARLY:g} standard deviations between seeds (pooled). Useless: it is no "
        "less than that of fixed random feedback. A seed that diverges counts as both."
    )
    return exhibit("breaks", "Where learning breaks", caption, columns, rows)


def _since(stale: float | None) -> str:
    return "copied once, at the start" if stale is not None and np.isinf(stale) else _spell(stale)


def _lead(sweeps: Mapping[str, Sweep]) -> str:
    findings = [_finding(LABELS[name], AXES[name].partition(",")[0], sweep) for name, sweep in sweeps.items()]
    return f"{' '.join(findings)} It is {number(float(sweeps[COPIES].random.mean()))} % with fixed random feedback."


def _finding(label: str, unit: str, sweep: Sweep) -> str:
    """Return the errors of one sweep, and the staleness at which it breaks, in a sentence."""
    fresh, last = (number(float(sweep.errors[place].mean())) for place in (0, -1))
    worse, useless = (_from(sweep.first(test), unit) for test in ("broken", "useless"))
    return (
        f"With {label} the test error goes from {fresh} % (fresh) to {last} % (stalest): clearly worse than fresh "
        f"feedback {worse}, no better than random feedback {useless}."
    )


def _from(stale: float | None, unit: str) -> str:
    if stale is None:
        return "at no staleness of this sweep"
    return "only if copied once, at the start" if np.isinf(stale) else f"from {_spell(stale)} {unit}"
