"""What the members of `tourbillon-figures` measured: curves over a development, and the epochs that its stages end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from circuitsim.runs.config import build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.runfolder import FINAL, INITIAL, read_tensors
from circuitsim.runs.scenario import expect_circuits
from circuitsim.scenarios.recirculation_figures import series
from circuitsim.scenarios.recirculation_figures.series import Curves, Label

LABELS: Mapping[str, str] = {
    "rec": "recirculation (eq. 3)", "rec-symmetric": "symmetric (eq. 4)", "rbp": "random feedback",
    "fa": "random feedback", "bp": "backpropagation",
}  # fmt: skip


@dataclass(frozen=True)
class Developed(series.Measured):
    """A member whose number of epochs follows from its stages."""

    @property
    def name(self) -> str:
        """Of the member."""
        return self.run.member.name

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        return str(self.run.member.values["dataset"])

    def curves(self, metric: str, label: Label, split: str = "test") -> Curves:
        """(epochs + 1, seeds) for each label, NaN where a replica has diverged."""
        own = self.metrics[(self.metrics["split"] == split) & (self.metrics["metric"] == metric)]
        replicas = self.replicas
        whole = np.full((int(self.metrics["epoch"].max()) + 1, len(replicas)), np.nan)
        whole[own["epoch"].to_numpy(), own["replica"].to_numpy()] = own["value"].to_numpy()
        found: dict[str, list[int]] = {}
        for index, replica in enumerate(replicas):
            found.setdefault(label(replica), []).append(index)
        return {name: whole[:, places] for name, places in found.items()}

    def curve(self, metric: str, split: str = "test") -> np.ndarray:
        """(epochs + 1, seeds) of a member that varies its seed alone."""
        (values,) = self.curves(metric, lambda _: "", split).values()
        return values

    def ends(self) -> dict[str, int]:
        """The epoch with which each stage of a development ends, by what learns in it; 0 epochs are no stage."""
        member = self.run.member
        scenario = expect_circuits(load_scenario(member.scenario), "member")
        first = {key: values[0] for key, values in member.vary.items()}
        stages = scenario.design(build(scenario.settings, {**member.values, **first})).stages
        passed = accumulate(stage.epochs for stage in stages)
        return {stage.name: end for stage, end in zip(stages, passed, strict=True)}

    def tensors(self, *, initial: bool = False) -> dict[str, np.ndarray]:
        """All tensors at the end or at the start, the replica first."""
        found = read_tensors(self.run.folder / (INITIAL if initial else FINAL))
        return found if len(self.replicas) > 1 else {name: values[None] for name, values in found.items()}


def by_rule(replica: Mapping[str, Any]) -> str:
    """What a block's rule, or a classifier's feedback, is called."""
    key = next(key for key in ("block_rule", "feedback", "rule") if key in replica)
    return LABELS[replica[key]]


def with_mean(values: np.ndarray) -> str:
    """Mean and standard deviation (n - 1) of what is finite."""
    mean, deviation, *_ = series.summary(values)
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.4g} ({deviation:.2g})" if np.isfinite(deviation) else f"{mean:.4g}"


def known_labels(panels: Sequence[Mapping[str, np.ndarray]]) -> list[str]:
    """All labels, each once, in order."""
    return list(dict.fromkeys(label for curves in panels for label in curves))
