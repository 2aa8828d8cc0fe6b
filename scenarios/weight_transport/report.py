"""The figures and tables of `weight-transport`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import Image, number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.runfolder import METRICS
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame

if TYPE_CHECKING:
    import pandas as pd

TITLE = "weight-transport – what may take the place of transposed weights"
BANDS = "Lines are means over seeds; bands reach from the least to the greatest seed; epoch 0 is before training."
RIGHT = 90.0  # degrees between what has nothing in common


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran = [run for run in runs if (run.folder / METRICS).exists()]
    metrics = gathered(folder, ran)
    methods = [method for method in config["methods"] if method in set(metrics["feedback"])]
    exhibits = [_errors(metrics, methods), *_angles(metrics, methods), _windows(ran, methods)]
    exhibits.append(_final(metrics, methods, config))
    write_portfolio(folder, TITLE, _lead(metrics, methods), exhibits, config, notes=notes_of(runs))


def gathered(folder: Path, runs: Sequence[MemberRun]) -> pd.DataFrame:
    """All members' metrics with the column `circuit`: the data set and the sizes."""
    frame = read_frame(folder / METRICS)
    circuits = {run.member.name: circuit_of(run) for run in runs}
    frame["circuit"] = frame["member"].map(circuits)
    first = {run.member.name: (run.member.vary["feedback"][0], run.member.vary["seed"][0]) for run in runs}
    for place, key in enumerate(("feedback", "seed")):  # a run of one replica has no columns of what it varies
        alone = frame["member"].map({name: values[place] for name, values in first.items()})
        frame[key] = frame[key].fillna(alone) if key in frame else alone
    return frame


def circuit_of(run: MemberRun) -> str:
    """What a member's figures are called."""
    values = run.member.values
    return f"{values['dataset']} {'-'.join(map(str, values['sizes']))}"


def _series(metrics: pd.DataFrame, circuit: str, split: str, metric: str, methods: Sequence[str]) -> dict[str, Any]:
    """(epochs, seeds) of a metric for each method that has it."""
    chosen = metrics[(metrics["circuit"] == circuit) & (metrics["split"] == split) & (metrics["metric"] == metric)]
    epochs = range(int(metrics[metrics["circuit"] == circuit]["epoch"].max()) + 1)
    found = {}
    for method in methods:
        rows = chosen[chosen["feedback"] == method]
        if len(rows):
            table = rows.pivot(index="epoch", columns="seed", values="value").reindex(epochs)
            found[method] = table.to_numpy(np.float64)
    return found


def _panel(title: str, ylabel: str, curves: Mapping[str, np.ndarray], **options: Any) -> Panel:
    epochs = np.arange(len(next(iter(curves.values()))))
    return Panel(title, "epoch", ylabel, epochs, curves, whole="x", **options)


def _numbers(series: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Curves as rows: of each circuit, metric, method and epoch the mean, SD, least, greatest, and how many seeds."""
    import pandas as pd

    rows = []
    for (circuit, metric), curves in series.items():
        for method, values in curves.items():
            for epoch, one in enumerate(values):
                known = one[np.isfinite(one)]
                if known.size:
                    spread = known.std(ddof=1) if known.size > 1 else np.nan
                    summary = (known.mean(), spread, known.min(), known.max(), known.size)
                    rows.append((circuit, metric, method, epoch, *summary))
    columns = ["circuit", "metric", "feedback", "epoch", "mean", "SD", "least", "greatest", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _errors(metrics: pd.DataFrame, methods: Sequence[str]) -> Exhibit:
    """Test error of each circuit against the epoch."""
    circuits = list(dict.fromkeys(metrics["circuit"]))
    series = {(c, "test error"): _series(metrics, c, "test", "error", methods) for c in circuits}
    panels = [_panel(c, "test error (%)", curves, logarithmic=True) for (c, _), curves in series.items()]
    image = draw_panels(panels, methods, what="Test error against the epoch")
    caption = f"{BANDS} On this axis the mean is that of the logarithm; the tables have the errors' own."
    return Exhibit("errors", "Test error", caption, _numbers(series), image)


def _angles(metrics: pd.DataFrame, methods: Sequence[str]) -> list[Exhibit]:
    """For each circuit: how far feedback weights and arriving errors are from backpropagation's, layer by layer."""
    found = []
    for circuit in dict.fromkeys(metrics["circuit"]):
        own = metrics[metrics["circuit"] == circuit]
        names = sorted({m for m in own["metric"] if m.startswith("angle/")})
        if not names:
            continue
        series = {(circuit, name): _series(own, circuit, "train", name, methods) for name in names}
        panels = [
            _panel(_angle_title(name), "angle (degrees)", curves, limits=(-3.0, max(RIGHT + 15, _greatest(curves) + 5)))
            for (_, name), curves in series.items()
        ]
        image = draw_panels(panels, methods, what=f"Angles of {circuit} against the epoch")
        caption = f"0 degrees is backpropagation, {RIGHT:g} nothing in common. {BANDS}"
        name = f"angles-{circuit.replace(' ', '-')}"
        found.append(Exhibit(name, f"Angles: {circuit}", caption, _numbers(series), image))
    return found


def _greatest(curves: Mapping[str, np.ndarray]) -> float:
    return max(float(np.nanmax(values)) for values in curves.values())


def _angle_title(metric: str) -> str:
    what = metric.removeprefix("angle/")
    if what.startswith("W"):
        return f"weights: {what} transposed and B{what[1:]}"
    return f"errors that reach layer {what.removeprefix('delta')}"


def windows(run: MemberRun) -> dict[str, dict[str, int]]:
    """The window in ticks that each projection's rule needs, by method, from a member's audit.json."""
    audit = json.loads((run.folder / "audit.json").read_text(encoding="utf-8"))
    only = run.member.vary["feedback"][0]
    return {one.get("label", only): one["window"] for one in audit.get("circuits", [{**audit, "label": only}])}


def _windows(runs: Sequence[MemberRun], methods: Sequence[str]) -> Exhibit:
    """What each forward projection's rule must remember; methods with the same windows share a curve."""
    import pandas as pd

    needed: dict[str, dict[str, dict[str, int]]] = {}
    for run in runs:
        needed.setdefault(circuit_of(run), {}).update(windows(run))
    grouped = {circuit: _alike(by_method, methods) for circuit, by_method in needed.items()}
    labels = list(dict.fromkeys(label for curves in grouped.values() for label in curves))
    panels = [_window_panel(circuit, curves) for circuit, curves in grouped.items()]
    rows = [(c, m, q, t) for c, by in needed.items() for m in methods if m in by for q, t in by[m].items()]
    image: Image = draw_panels(panels, labels, what="Window needed by each layer's rule")
    caption = (
        "How long a synapse's neurons must remember, in ticks of one projection's delay, measured at the first tick at "
        "which all that the rule reads exists. Methods with the same windows share a curve; the table has feedback "
        "synapses too."
    )
    table = pd.DataFrame(rows, columns=["circuit", "feedback", "projection", "window (ticks)"])
    return Exhibit("windows", "Window that learning needs", caption, table, image)


def _window_panel(circuit: str, curves: Mapping[str, np.ndarray]) -> Panel:
    layers = np.arange(1, len(next(iter(curves.values()))) + 1)
    limits = (0.0, _greatest(curves) + 0.5)
    return Panel(circuit, "layer h of the synapses W{h}", "window (ticks)", layers, curves, limits=limits, whole="xy")


def _alike(by_method: Mapping[str, Mapping[str, int]], methods: Sequence[str]) -> dict[str, np.ndarray]:
    """Windows of W1 ... WL, (layers, 1), for each set of methods that have the same."""
    found: dict[tuple[int, ...], list[str]] = {}
    for method in methods:
        if method in by_method:
            own = {int(q[1:]): ticks for q, ticks in by_method[method].items() if q.startswith("W")}
            found.setdefault(tuple(own[h] for h in sorted(own)), []).append(method)
    return {", ".join(names): np.array(ticks, float)[:, None] for ticks, names in found.items()}


def _final(metrics: pd.DataFrame, methods: Sequence[str], config: Mapping[str, Any]) -> Exhibit:
    """Test and train error at the end, the loss, and the error angle of the first layer."""
    import pandas as pd

    rows = []
    for circuit in dict.fromkeys(metrics["circuit"]):
        columns = [_series(metrics, circuit, *key, methods) for key in _FINALS]
        for method in methods:
            values = [_at_end(curves.get(method)) for curves in columns]
            seeds = columns[0].get(method, np.zeros((1, 0)))[-1]
            rows.append((circuit, method, int(np.isfinite(seeds).sum()), *(v for pair in values for v in pair)))
    header = ["circuit", "feedback", "seeds"]
    for title in ("test error (%)", "train error (%)", "test loss", "angle at layer 1 (degrees)"):
        header += [title, "SD"]
    caption = (
        f"Means and standard deviations between seeds (n − 1) after {config['epochs']} epochs; `seeds` counts those "
        f"that are left of {config['seeds']}. The angle is that of arriving errors to backpropagation's."
    )
    return Exhibit("final", "Final numbers", caption, pd.DataFrame(rows, columns=_distinct(header)))


_FINALS = (("test", "error"), ("train", "error"), ("test", "loss"), ("train", "angle/delta1"))


def _distinct(header: list[str]) -> list[str]:
    """Column names, each once: an SD says of what."""
    return [f"SD of {header[i - 1]}" if name == "SD" else name for i, name in enumerate(header)]


def _at_end(values: np.ndarray | None) -> tuple[float, float]:
    known = np.zeros(0) if values is None else values[-1][np.isfinite(values[-1])]
    mean = float(known.mean()) if known.size else np.nan
    return mean, float(known.std(ddof=1)) if known.size > 1 else np.nan


def _lead(metrics: pd.DataFrame, methods: Sequence[str]) -> str:
    told = []
    for circuit in dict.fromkeys(metrics["circuit"]):
        ends = {m: _at_end(v)[0] for m, v in _series(metrics, circuit, "test", "error", methods).items()}
        ranked = sorted((value, method) for method, value in ends.items() if np.isfinite(value))
        told.append(f"{circuit}: {', '.join(f'{method} {number(value)}' for value, method in ranked)}")
    return f"Test error in percent at the end, least first. {'. '.join(told)}."
