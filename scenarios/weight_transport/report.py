"""The figures and tables of `weight-transport`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.page import number, plural
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import BANDS, Curves, Measured, by, epoch_panel, exhibit, measured
from circuitsim.scenarios.figures import numbers as numbers_of

TITLE = "weight-transport – feedback in place of transposed weights"
RIGHT = 90.0  # degrees between directions that have nothing in common
Circuits = Mapping[str, Sequence[Measured]]  # the members of each circuit: data set and sizes
_FINALS = {
    "test error (%)": ("test", "error"),
    "train error (%)": ("train", "error"),
    "test loss": ("test", "loss"),
    "angle at layer 1 (degrees)": ("train", "angle/delta1"),
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    circuits: dict[str, list[Measured]] = {}
    for one in measured(folder, runs):
        circuits.setdefault(f"{one.dataset} {one.circuit}", []).append(one)
    methods = list(config["methods"])
    errors = {circuit: _curves(ran, "test", "error", methods) for circuit, ran in circuits.items()}
    exhibits = [_errors(errors, methods), *_angles(circuits, methods), _windows(circuits, methods)]
    exhibits.append(_final(circuits, methods, config))
    write_portfolio(folder, TITLE, _lead(errors), exhibits, config, notes=notes_of(runs))


def _curves(ran: Sequence[Measured], split: str, metric: str, methods: Sequence[str]) -> Curves:
    """Return the curves of a circuit's methods that have the metric."""
    found = {method: values for one in ran for method, values in one.curves(metric, by("feedback"), split).items()}
    return {method: found[method] for method in methods if method in found and np.isfinite(found[method]).any()}


def _numbers(series: Sequence[tuple[str, str, Curves]]) -> Any:
    return numbers_of(series, "feedback", panel="circuit")


def _errors(errors: Mapping[str, Curves], methods: Sequence[str]) -> Exhibit:
    """Return the test error of each circuit against the epoch."""
    series = [(circuit, "test error", curves) for circuit, curves in errors.items()]
    panels = [epoch_panel(c, "test error (%)", curves, logarithmic=True) for c, _, curves in series]
    image = draw_panels(panels, methods, what="Test error against the epoch")
    return Exhibit("errors", "Test error", BANDS, _numbers(series), image)


def _angles(circuits: Circuits, methods: Sequence[str]) -> list[Exhibit]:
    """Return, for each circuit, the angles of feedback weights and of arriving errors to backpropagation's."""
    found = []
    for circuit, ran in circuits.items():
        names = sorted({m for one in ran for m in one.metrics["metric"] if m.startswith("angle/")})
        if not names:
            continue
        series = [(circuit, name, _curves(ran, "train", name, methods)) for name in names]
        panels = [
            epoch_panel(
                _angle_title(name), "angle (degrees)", curves, limits=(-3.0, max(RIGHT + 15, _most(curves) + 5))
            )
            for _, name, curves in series
        ]
        image = draw_panels(panels, methods, what=f"Angles of {circuit} against the epoch")
        caption = f"0 degrees is backpropagation; at {RIGHT:g} degrees nothing is in common. {BANDS}"
        name = f"angles-{circuit.replace(' ', '-')}"
        found.append(Exhibit(name, f"Angles to backpropagation: {circuit}", caption, _numbers(series), image))
    return found


def _most(curves: Mapping[str, np.ndarray]) -> float:
    return max(float(np.nanmax(values)) for values in curves.values())


def _angle_title(metric: str) -> str:
    what = metric.removeprefix("angle/")
    if what.startswith("W"):
        return f"weights: {what} transposed and B{what[1:]}"
    return f"errors that reach layer {what.removeprefix('delta')}"


def windows(run: MemberRun) -> dict[str, dict[str, int]]:
    """Return the window in ticks that each projection's rule needs, by method, from a member's audit.json."""
    audit = json.loads((run.folder / "audit.json").read_text(encoding="utf-8"))
    only = run.member.vary["feedback"][0]
    return {one.get("label", only): one["window"] for one in audit.get("circuits", [{**audit, "label": only}])}


def _windows(circuits: Circuits, methods: Sequence[str]) -> Exhibit:
    """Return the window of each forward projection's rule; methods with the same windows share a curve."""
    needed = {
        circuit: {m: window for one in ran for m, window in windows(one.run).items()}
        for circuit, ran in circuits.items()
    }
    grouped = {circuit: _alike(by_method, methods) for circuit, by_method in needed.items()}
    labels = list(dict.fromkeys(label for curves in grouped.values() for label in curves))
    panels = [_window_panel(circuit, curves) for circuit, curves in grouped.items()]
    rows = [(c, m, q, t) for c, found in needed.items() for m in methods if m in found for q, t in found[m].items()]
    image = draw_panels(panels, labels, what="Window needed by each layer's rule")
    caption = (
        "Ticks for which a synapse's neurons must remember, where a projection takes one tick, measured at the first "
        "tick at which all that the rule reads exists. Methods with the same windows share a curve. The table has "
        "feedback synapses too."
    )
    columns = ["circuit", "feedback", "projection", "window (ticks)"]
    return exhibit("windows", "Window that learning needs", caption, columns, rows, image)


def _window_panel(circuit: str, curves: Mapping[str, np.ndarray]) -> Panel:
    layers = np.arange(1, len(next(iter(curves.values()))) + 1)
    limits = (0.0, _most(curves) + 0.5)
    return Panel(circuit, "layer h of the synapses W{h}", "window (ticks)", layers, curves, limits=limits, whole="xy")


def _alike(by_method: Mapping[str, Mapping[str, int]], methods: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the windows of W1 ... WL, (layers, 1), for each set of methods that have the same."""
    found: dict[tuple[int, ...], list[str]] = {}
    for method in methods:
        if method in by_method:
            own = {int(q[1:]): ticks for q, ticks in by_method[method].items() if q.startswith("W")}
            found.setdefault(tuple(own[h] for h in sorted(own)), []).append(method)
    return {", ".join(names): np.array(ticks, float)[:, None] for ticks, names in found.items()}


def _final(circuits: Circuits, methods: Sequence[str], config: Mapping[str, Any]) -> Exhibit:
    """Return errors, the loss, and the error angle of the first layer at the end."""
    none, rows = np.full((1, 1), np.nan), []
    for circuit, ran in circuits.items():
        columns = [_curves(ran, *key, methods) for key in _FINALS.values()]
        for method in (m for m in methods if any(m in one.run.member.vary["feedback"] for one in ran)):
            ends = [summary(curves.get(method, none)[-1]) for curves in columns]
            rows.append((circuit, method, ends[0][-1], *(value for end in ends for value in end[:3])))
    header = [column for title in _FINALS for column in (title, f"SD of {title}", f"{COLUMN} of {title}")]
    caption = (
        f"Means and standard deviations between seeds (n − 1) after {plural(config['epochs'], 'epoch')}. The column "
        f"seeds counts those of {config['seeds']} that have not diverged. The angle is that of arriving errors to "
        f"backpropagation's. {MEANING}"
    )
    return exhibit("final", "Final numbers", caption, ["circuit", "feedback", "seeds", *header], rows)


def _lead(errors: Mapping[str, Curves]) -> str:
    sentences = []
    for circuit, curves in errors.items():
        ends = [(summary(values[-1])[0], method) for method, values in curves.items()]
        ranked = [f"{method} {number(value)}" for value, method in sorted(end for end in ends if np.isfinite(end[0]))]
        sentences.append(f"{circuit}: {', '.join(ranked)}")
    return f"Test error in percent at the end, least first. {'. '.join(sentences)}."
