"""The figures and tables of `recurrence`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import (
    BANDS,
    OVER_SEEDS,
    SUMMARY,
    Curves,
    Measured,
    by,
    epoch_panel,
    exhibit,
    known_labels,
    measured,
    numbers,
)
from circuitsim.scenarios.recurrence.raster import raster

TITLE = "recurrence – recurrent cells against feedforward networks"
PLAIN, STEPS, CONTROL = "feedforward", "feedforward-steps", "feedforward-as-"


class Trained(Measured):
    """A member: a cell, or a feedforward network."""

    @property
    def recurs(self) -> bool:
        """True if it has a cell."""
        return not self.name.startswith(PLAIN)

    @property
    def label(self) -> str:
        """The name of its curve."""
        return self.name.replace(CONTROL, "feedforward, weights as ").replace(STEPS, "feedforward, as many steps")

    @property
    def weights(self) -> int:
        """The number of forward weights and biases."""
        return sum(t[0].size for name, t in self.tensors().items() if not name.startswith("B_"))

    def curves_by_feedback(self, metric: str, split: str = "test") -> Curves:
        """Return a metric for each kind of feedback."""
        found = self.curves(metric, by("feedback"), split)
        return {f"{self.label}, {name}" if self.recurs else self.label: values for name, values in found.items()}

    def audit(self) -> dict[str, Any]:
        """Return the content of audit.json."""
        found: dict[str, Any] = json.loads((self.run.folder / "audit.json").read_text())
        return found


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran: list[Trained] = measured(folder, runs, Trained)
    recurrent = [one for one in ran if one.recurs]
    exhibits = [_table(ran, config), _epochs(ran), *_steps(ran), *([raster(recurrent)] if recurrent else [])]
    write_portfolio(folder, TITLE, _lead(ran), exhibits, config, notes=notes_of(runs))


def _table(ran: Sequence[Trained], config: Mapping[str, Any]) -> Exhibit:
    """Return error, time to decide, weights and window of each network."""
    rows = []
    for one in ran:
        window = max(one.audit()["window"].values())
        decided, steps = one.curves_by_feedback("error_decided"), one.curves_by_feedback("steps")
        for label, errors in one.curves_by_feedback("error").items():
            more = summary(decided[label][-1])[0], summary(steps[label][-1])[0], one.weights, window
            rows.append((label, *summary(errors[-1]), *more))
    columns = ["network", *SUMMARY, "error when confident", "steps to decide", "weights", "window (ticks)"]
    caption = (
        "Test error in percent at the last step, after the last epoch. When confident: read at the first step at which "
        f"the largest output reaches {config['threshold']:g}. The window is what neurons must remember to learn."
    )
    return exhibit("networks", "Networks", caption, columns, rows)


def _epochs(ran: Sequence[Trained]) -> Exhibit:
    """Return test errors over epochs, a panel for each cell beside its controls."""
    plain = [one for one in ran if one.name in (PLAIN, STEPS)]
    series = []
    for one in (one for one in ran if one.recurs):
        beside = [other for other in ran if other.name == f"{CONTROL}{one.name}"]
        curves = {k: v for other in (one, *beside, *plain) for k, v in other.curves_by_feedback("error").items()}
        series.append((one.name, "test error (%)", curves))
    image = draw_panels([epoch_panel(*row) for row in series], known_labels(series), what="test error by epoch")
    return Exhibit("epochs", "Error over epochs", BANDS, numbers(series, "network"), image)


def _steps(ran: Sequence[Trained]) -> list[Exhibit]:
    """Return the test error read after each step, at the end of training."""
    panels, rows = [], []
    for one in (one for one in ran if one.recurs):
        count = int(one.values["steps"])
        found = [one.curves_by_feedback(f"error_at/{step}") for step in range(1, count + 1)]
        curves = {label: np.stack([at[label][-1] for at in found]) for label in found[0]}
        rows += [(label, step + 1, *summary(v)) for label, vs in curves.items() for step, v in enumerate(vs)]
        x = np.arange(1, count + 1)
        panels.append(Panel(one.name, "step at which the output is read", "test error (%)", x, curves, whole="x"))
    if not panels:
        return []
    labels = list(dict.fromkeys(row[0] for row in rows))
    title = "Error by the step at which the output is read"
    caption = f"After the last epoch. {OVER_SEEDS}"
    return [
        exhibit("steps", title, caption, ["network", "step", *SUMMARY], rows, draw_panels(panels, labels, what=title))
    ]


def _lead(ran: Sequence[Trained]) -> str:
    """Say by how much each cell is better or worse than the feedforward network of as many weights."""
    ends = {k: summary(v[-1])[0] for one in ran for k, v in one.curves_by_feedback("error").items()}
    parts = []
    for one in (one for one in ran if one.recurs):
        label = next(iter(one.curves_by_feedback("error")))
        other = next((o.label for o in ran if o.name == f"{CONTROL}{one.name}"), None)
        if other in ends:
            parts.append(f"{label} {number(ends[label])}, with as many weights feedforward {number(ends[other])}")
    return f"Test error in percent after the last epoch: {'; '.join(parts)}."
