"""The figure and tables of `stale-feedback`, and where learning breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.runs.runfolder import METRICS
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame
from circuitsim.scenarios.classifier.settings import NEVER

if TYPE_CHECKING:
    import pandas as pd

TITLE = "stale-feedback – backpropagation with weights of the past, or with updates that wait"
COPIES, WAITING, RANDOM = "copies", "waiting", "random"  # the members
LABELS = {COPIES: "copies of the weights", WAITING: "updates that wait", RANDOM: "fixed random feedback"}
AXES = {COPIES: "presentations between two copies", WAITING: "presentations between two updates, mean"}
TICKS = 6  # labels on an axis, about
CLEARLY = 2.0  # spreads between seeds by which an error must exceed that of fresh feedback
CAPTION = (
    "Left: feedback weights are a copy of the transposed forward weights, taken anew in every k-th presentation (1: "
    "backpropagation; never: those before training, for good). Right: increments add up until a coin lets them "
    "through; the mean wait is 1 / chance. Lines are means over seeds, bands reach from the least to the greatest. "
    "Angles are those of arriving errors to backpropagation's, a mean over the ends of all epochs: how old the copy "
    "then is differs from one to the next."
)


@dataclass(frozen=True)
class Sweep:
    """One kind of staleness, least first.

    Parameters
    ----------
    stale : presentations between two copies, or two updates; infinite: never. fresh, random : (seed,) of the test error
        in percent, of the freshest and of fixed random feedback. errors : (stale, seed), NaN where one diverged.
    """

    stale: np.ndarray
    errors: np.ndarray
    random: np.ndarray

    def spread(self, place: int) -> float:
        """Standard deviation between seeds of the freshest and of this error, pooled (n - 1)."""
        return float(np.sqrt((self.errors[[0, place]].var(axis=1, ddof=1)).mean()))

    def broken(self, place: int) -> bool:
        """Whether the mean error is clearly greater than that of the freshest, or a seed has diverged."""
        one, fresh = self.errors[place], self.errors[0]
        return not float(one.mean() - fresh.mean()) <= CLEARLY * self.spread(place)

    def useless(self, place: int) -> bool:
        """Whether the mean error is no less than that of fixed random feedback, or a seed has diverged."""
        return not float(self.errors[place].mean()) < float(self.random.mean())

    def first(self, test: str) -> float | None:
        """The least staleness of which a test is true."""
        found = [float(s) for place, s in enumerate(self.stale) if place and getattr(self, test)(place)]
        return found[0] if found else None


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    metrics = read_frame(folder / METRICS)
    values = {name: _values(metrics, name, config) for name in LABELS}
    sweeps = {
        name: Sweep(_stale(name, config), values[name]["error"], values[RANDOM]["error"][0])
        for name in (COPIES, WAITING)
    }
    exhibits = [_figure(sweeps, values), _breaks(sweeps), _numbers(sweeps, values)]
    notes = [f"member {run.member.name}: {run.state}: {run.reason}" for run in runs if run.reason]
    write_portfolio(folder, TITLE, _lead(sweeps), exhibits, config, notes=notes)


def _stale(name: str, config: Mapping[str, Any]) -> np.ndarray:
    if name == COPIES:
        return np.array([*config["refresh"], np.inf])
    return 1 / np.array(config["chances"], np.float64)


def _values(metrics: pd.DataFrame, name: str, config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """(staleness, seed) of the test error at the end, and of the angles of errors, means over the ends of epochs."""
    own = metrics[metrics["member"] == name]
    stale = {COPIES: len(config["refresh"]) + 1, WAITING: len(config["chances"])}.get(name, 1)
    found = {}
    for metric in ("error", *sorted({m for m in own["metric"] if m.startswith("angle/delta")})):
        split, since = ("test", config["epochs"]) if metric == "error" else ("train", 1)
        rows = own[(own["metric"] == metric) & (own["split"] == split) & (own["epoch"] >= since)]
        flat = np.full(stale * config["seeds"], np.nan)  # seeds run fastest; a replica that was lost has no end
        means = rows.groupby("replica")["value"].mean()
        flat[means.index] = means
        found[metric] = flat.reshape(stale, config["seeds"])
    return found


def _figure(sweeps: Mapping[str, Sweep], values: Mapping[str, Mapping[str, np.ndarray]]) -> Exhibit:
    """Test error of both sweeps, and the angles of copies; fixed random feedback in each."""
    panels = [
        _panel(name, sweep, "error", values, title, "test error (%)", logarithmic=True)
        for (name, sweep), title in zip(sweeps.items(), ("weights of the past", "updates that wait"), strict=True)
    ]
    for metric in values[RANDOM]:
        if metric.startswith("angle"):
            title = f"errors that reach layer {metric.removeprefix('angle/delta')}"
            panels.append(
                _panel(COPIES, sweeps[COPIES], metric, values, title, "angle (degrees)", limits=(-3.0, 105.0))
            )
    image = draw_panels(panels, list(LABELS.values()), what="Test error and angles against staleness")
    return Exhibit("staleness", "How stale may it be", CAPTION, _table(sweeps, values), image)


def _panel(
    name: str,
    sweep: Sweep,
    metric: str,
    values: Mapping[str, Mapping[str, np.ndarray]],
    title: str,
    ylabel: str,
    **options: Any,
) -> Panel:
    curves = {LABELS[name]: values[name][metric]}
    curves[LABELS[RANDOM]] = np.repeat(values[RANDOM][metric], len(sweep.stale), axis=0)
    places, ticks = _places(sweep.stale)
    return Panel(title, AXES[name], ylabel, places, curves, ticks=ticks, **options)


def _places(stale: np.ndarray) -> tuple[np.ndarray, dict[float, str]]:
    """Where each staleness is on an axis of powers of two, never a quarter of it beyond the last, and what is told."""
    known = stale[np.isfinite(stale)]
    places = np.log2(np.where(np.isfinite(stale), stale, max(2.0, known[-1] ** 1.25)))
    step = max(1, -(-len(known) // TICKS))
    told = [*range(0, len(known), step), *range(len(known), len(stale))]
    return places, {float(places[k]): _spell(float(stale[k])) for k in told}


def _spell(stale: float) -> str:
    return NEVER if np.isinf(stale) else f"{stale:.4g}"


def _table(sweeps: Mapping[str, Sweep], values: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """All that is drawn as rows: mean, SD, least and greatest over the seeds that are left."""
    import pandas as pd

    rows = []
    for name, metrics in values.items():
        stale = [_spell(float(s)) for s in sweeps[name].stale] if name in sweeps else [""]
        for metric, found in metrics.items():
            for what, one in zip(stale, found, strict=True):
                known = one[np.isfinite(one)]
                summary = (
                    (known.mean(), known.std(ddof=1), known.min(), known.max()) if known.size > 1 else (np.nan,) * 4
                )
                rows.append((LABELS[name], metric, what, *map(float, summary), known.size))
    columns = ["feedback", "metric", "presentations between", "mean", "SD", "least", "greatest", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _numbers(sweeps: Mapping[str, Sweep], values: Mapping[str, Mapping[str, np.ndarray]]) -> Exhibit:
    """Errors and angles side by side, a row for each staleness."""
    import pandas as pd

    table = _table(sweeps, values)
    angles = [metric for metric in values[RANDOM] if metric.startswith("angle")]
    rows = []
    for (label, stale), part in table.groupby(["feedback", "presentations between"], sort=False):
        by = part.set_index("metric")
        means = [float(by["mean"][angle]) for angle in angles]
        rows.append((label, stale, float(by["mean"]["error"]), float(by["SD"]["error"]), *means, by["seeds"]["error"]))
    header = [f"angle at layer {angle.removeprefix('angle/delta')} (degrees)" for angle in angles]
    columns = ["feedback", "presentations between", "test error (%)", "SD", *header, "seeds"]
    return Exhibit("numbers", "Numbers", "Means over seeds of what is drawn.", pd.DataFrame(rows, columns=columns))


def _breaks(sweeps: Mapping[str, Sweep]) -> Exhibit:
    """Where learning breaks, by both criteria."""
    import pandas as pd

    rows = [
        (
            LABELS[name],
            float(sweep.errors[0].mean()),
            float(sweep.random.mean()),
            _told(sweep.first("broken")),
            _told(sweep.first("useless")),
        )
        for name, sweep in sweeps.items()
    ]
    columns = ["staleness of", "fresh: test error (%)", "random: test error (%)", "clearly worse from", "useless from"]
    caption = (
        "In presentations between two copies or updates. Clearly worse: the mean test error exceeds that of fresh "
        f"feedback by more than {CLEARLY:g} standard deviations between seeds (of both, pooled). Useless: it is no "
        "less than that of fixed random feedback. A seed that diverges is both."
    )
    return Exhibit("breaks", "Where learning breaks", caption, pd.DataFrame(rows, columns=columns))


def _told(stale: float | None) -> str:
    return "not within this sweep" if stale is None else _spell(stale)


def _lead(sweeps: Mapping[str, Sweep]) -> str:
    told = []
    for name, sweep in sweeps.items():
        worse, useless = (_told(sweep.first(test)) for test in ("broken", "useless"))
        fresh, last = (number(float(sweep.errors[place].mean())) for place in (0, -1))
        told.append(f"{LABELS[name]}: clearly worse from {worse}, useless from {useless} (error {fresh} % to {last} %)")
    means = number(float(next(iter(sweeps.values())).random.mean()))
    return f"Presentations between two copies or two updates. {'; '.join(told)}. Fixed random feedback: {means} %."
