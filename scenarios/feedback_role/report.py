"""The figures and tables of `feedback-role`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import (
    BANDS,
    SUMMARY,
    Measured,
    epoch_panel,
    exhibit,
    known_labels,
    measured,
    numbers,
    summary,
)

TITLE = "feedback-role – the same feedback edges for inference, for learning, for both, for neither"
COSTS = ["weights", "window (ticks)", "memory (values)", "memory (most at a neuron)", "learning channels"]
PANELS = {"errors through the edges or not at all": ("neither", "inference", "learning", "both", "neither-wider"),
          "errors through the layers": ("layers", "layers-inference", "layers-wider")}  # fmt: skip


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
        """What the columns of costs say."""
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
    exhibits = [_table(ran), _epochs(ran), _steps(ran)]
    write_portfolio(folder, TITLE, _lead(ran), exhibits, config, notes=notes_of(runs), remarks=_remarks())


def _table(ran: Sequence[Trained]) -> Exhibit:
    """Return error, costs and verdict of each use."""
    rows = [(one.name, *summary(one.errors[-1]), *one.costs, one.verdict) for one in ran]
    caption = (
        "Test error in percent at the last step, after the last epoch. Weights: all that are stored, feedback synapses "
        "included. Window: how long a neuron must remember to learn. Memory: values that neurons hold from one tick to "
        "a later one in a presentation, all together and at the neuron that holds most. Learning channels: projections "
        "that carry errors. Verdict: projections with a finding of the audit, by kind."
    )
    return exhibit("roles", "Uses of the edges", caption, ["use", *SUMMARY, *COSTS, "verdict"], rows)


def _epochs(ran: Sequence[Trained]) -> Exhibit:
    """Return test errors over epochs, a panel for each way of the errors."""
    series = [
        (title, "test error (%)", {one.name: one.errors for one in ran if one.name in names})
        for title, names in PANELS.items()
    ]
    image = draw_panels([epoch_panel(*row) for row in series], known_labels(series), what="test error by epoch")
    return Exhibit("epochs", "Error over epochs", BANDS, numbers(series, "use"), image)


def _steps(ran: Sequence[Trained]) -> Exhibit:
    """Return the test error read after each step, at the end of training, of the networks with edges for inference."""
    recurrent = [one for one in ran if one.values["top_down"]]
    count = max(int(one.values["steps"]) for one in recurrent)
    x = np.arange(1, count + 1)
    curves = {one.name: np.stack([one.curve(f"error_at/{step}")[-1] for step in x]) for one in recurrent}
    rows = [(label, step + 1, *summary(v)) for label, vs in curves.items() for step, v in enumerate(vs)]
    title = "Error by the step at which the output is read"
    panel = Panel("edges for inference", "step at which the output is read", "test error (%)", x, curves, whole="x")
    caption = f"After the last epoch. At the first step the edges have brought nothing yet. {BANDS}"
    image = draw_panels([panel], list(curves), what=title)
    return exhibit("steps", title, caption, ["use", "step", *SUMMARY], rows, image)


def _lead(ran: Sequence[Trained]) -> str:
    """Name the error, the window and the memory of each use."""
    parts = [
        f"{one.name} {number(summary(one.errors[-1])[0])} % (window {one.costs[1]} ticks, {one.costs[2]} values)"
        for one in ran
    ]
    return f"Test error after the last epoch: {'; '.join(parts)}."


def _remarks() -> list[str]:
    return [
        "In the networks inference, learning and both the edges have the same random weights, which do not change. In "
        "neither and inference the first layer stays random: no error reaches it.",
        "In layers and layers-inference errors pass back through every layer and step by feedback synapses of their "
        "own, and edges for inference learn.",
        "Nayebi 2020 asks whether feedback connections serve inference or learning; the slides have no number for it.",
    ]
