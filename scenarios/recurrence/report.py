"""The figures and tables of `recurrence`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
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
        return self.curves(metric, self.label_of, split)

    def label_of(self, replica: Mapping[str, Any]) -> str:
        """Return the name of a replica's curve."""
        return f"{self.label}, {replica['feedback']}" if self.recurs else self.label

    def audit(self) -> dict[str, Any]:
        """Return the content of audit.json."""
        found: dict[str, Any] = json.loads((self.run.folder / "audit.json").read_text())
        return found

    @property
    def memory(self) -> int:
        """The values that neurons hold in a presentation, of the circuit that holds most."""
        circuits = self.audit()["circuits"]
        return max(int(one["scorecard"]["costs"]["neurons"]["numbers"]) for one in circuits)


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.recurrence.networks import inside  # here: commands start without the engine

    ran: list[Trained] = measured(folder, runs, Trained)
    recurrent, plain = [one for one in ran if one.recurs], [one for one in ran if one.name == PLAIN]
    exhibits = [
        _errors(ran),
        _costs(ran, config),
        _epochs(ran),
        *_steps(ran),
        *([raster(recurrent), *inside([*plain, *recurrent])] if recurrent else []),
    ]
    write_portfolio(folder, TITLE, _lead(ran), exhibits, config, notes=notes_of(runs))


def _errors(ran: Sequence[Trained]) -> Exhibit:
    """Return the error of each network."""
    rows = [(label, *summary(v[-1])) for one in ran for label, v in one.curves_by_feedback("error").items()]
    caption = f"Test error in percent at the last step, after the last epoch. {MEANING}"
    return exhibit("networks", "Networks", caption, ["network", *SUMMARY], rows)


def _costs(ran: Sequence[Trained], config: Mapping[str, Any]) -> Exhibit:
    """Return time to decide, weights, window and memory of each network."""
    rows = []
    for one in ran:
        decided, steps = one.curves_by_feedback("error_decided"), one.curves_by_feedback("steps")
        for label in decided:
            early = summary(decided[label][-1])[0], summary(steps[label][-1])[0]
            rows.append((label, *early, one.weights, max(one.audit()["window"].values()), one.memory))
    columns = ["network", "error when confident", "steps to decide", "weights", "window (ticks)", "memory (values)"]
    caption = (
        "When confident: read at the first step at which the largest output reaches "
        f"{config['threshold']:g}; test error in percent, and the mean number of steps. Weights: forward weights and "
        "biases. Window: how long a neuron must remember to learn. Memory: values that neurons hold from one tick to a "
        "later one in a presentation."
    )
    return exhibit("costs", "Time to decide, and costs", caption, columns, rows)


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
