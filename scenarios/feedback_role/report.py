"""The figures and tables of `feedback-role`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
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
    Measured,
    epoch_panel,
    exhibit,
    known_labels,
    measured,
    numbers,
)
from circuitsim.scenarios.recurrence.raster import raster

TITLE = "feedback-role – the same feedback edges for inference, for learning, for both, for neither"
COSTS = ["weights", "window (ticks)", "memory (values)", "most per neuron", "error channels", "verdict"]


class Trained(Measured):
    """A member: a use of the edges."""

    @property
    def errors(self) -> np.ndarray:
        """The test error, (epochs + 1, seeds)."""
        return self.curve("error")

    @cached_property
    def audit(self) -> dict[str, Any]:
        """The audit of the circuit that ran."""
        (found,) = json.loads((self.run.folder / "audit.json").read_text())["circuits"]
        return dict(found)

    @property
    def costs(self) -> tuple[int, int, int, int, int]:
        """The numbers of the columns of costs."""
        found = self.audit["scorecard"]["costs"]
        weights = sum(tensor[0].size for tensor in self.tensors().values())
        held = found["neurons"]
        channels = found["wires"]["learning_channels"]
        return weights, max(self.audit["window"].values()), held["numbers"], held["snapshots"], channels

    @property
    def verdict(self) -> str:
        """The audit's verdict: local, or how many projections have a finding of each kind; labels are none."""
        kinds = Counter(finding["kind"] for finding in self.audit["findings"] if finding["kind"] != "label")
        return ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "local"


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran: list[Trained] = measured(folder, runs, Trained)
    exhibits = [_errors(ran), _costs(ran), _epochs(ran), *_over_steps(ran)]
    write_portfolio(folder, TITLE, _lead(ran), exhibits, config, notes=notes_of(runs), remarks=_remarks())


def _errors(ran: Sequence[Trained]) -> Exhibit:
    """Return the error of each use."""
    rows = [(one.name, *summary(one.errors[-1])) for one in ran]
    caption = f"Test error in percent at the last step, after the last epoch. {MEANING}"
    return exhibit("roles", "Uses of the edges", caption, ["use", *SUMMARY], rows)


def _costs(ran: Sequence[Trained]) -> Exhibit:
    """Return costs and verdict of each use."""
    caption = (
        "Weights: all that are stored, feedback synapses included. Window: how long a neuron must remember to learn. "
        "Memory: values that neurons hold from one tick to a later one in a presentation, and the most that a neuron "
        "holds. Error channels: projections that carry errors. Verdict: projections with a finding of the audit, by "
        "kind; labels at the output are none."
    )
    rows = [(one.name, *one.costs, one.verdict) for one in ran]
    return exhibit("costs", "Costs and verdicts", caption, ["use", *COSTS], rows)


def _epochs(ran: Sequence[Trained]) -> Exhibit:
    """Return test errors over epochs, a panel for each way of the errors."""
    layers = {one.name: one.errors for one in ran if one.values["errors"] == "layers"}
    others = {one.name: one.errors for one in ran if one.name not in layers}
    panels = {"errors through the edges or not at all": others, "errors through the layers": layers}
    series = [(title, "test error (%)", curves) for title, curves in panels.items() if curves]
    image = draw_panels([epoch_panel(*row) for row in series], known_labels(series), what="test error by epoch")
    return Exhibit("epochs", "Error over epochs", BANDS, numbers(series, "use"), image)


def _over_steps(ran: Sequence[Trained]) -> list[Exhibit]:
    """Return error and activity at each step, at the end of training, of the networks with edges for inference."""
    recurrent = [one for one in ran if one.values["top_down"]]
    return [_steps(recurrent), raster(recurrent)] if recurrent else []


def _steps(recurrent: Sequence[Trained]) -> Exhibit:
    """Return the test error read after each step."""
    count = max(int(one.values["steps"]) for one in recurrent)
    x = np.arange(1, count + 1)
    curves = {one.name: np.stack([one.curve(f"error_at/{step}")[-1] for step in x]) for one in recurrent}
    rows = [(label, step + 1, *summary(v)) for label, vs in curves.items() for step, v in enumerate(vs)]
    title = "Error by the step at which the output is read"
    panel = Panel("edges for inference", "step at which the output is read", "test error (%)", x, curves, whole="x")
    caption = f"After the last epoch. At the first step the edges have brought nothing yet. {OVER_SEEDS}"
    image = draw_panels([panel], list(curves), what=title)
    return exhibit("steps", title, caption, ["use", "step", *SUMMARY], rows, image)


def _lead(ran: Sequence[Trained]) -> str:
    """Name the error and the window of each use."""
    parts = [f"{one.name} {number(summary(one.errors[-1])[0])} % (window {one.costs[1]} ticks)" for one in ran]
    return f"Test error after the last epoch: {', '.join(parts)}."


def _remarks() -> list[str]:
    return [
        "In the networks inference, learning and both the edges have the same random weights, which do not change. In "
        "neither and inference the first layer stays random: no error reaches it. In both-plastic the edges learn from "
        "the activity and the errors that they bring.",
        "In layers and layers-inference errors pass back through every layer and step by feedback synapses of their "
        "own, and edges for inference learn.",
        "Nayebi 2020 asks whether feedback connections serve inference or learning; the slides have no number for it.",
    ]
