"""The members of `tourbillon-figures` as measured: the epochs of a development, and labels of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from circuitsim.runs.config import build
from circuitsim.runs.design import Stage
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.periods import Period, periods_of
from circuitsim.runs.scenario import expect_circuits
from circuitsim.scenarios.figures import Measured

LABELS: Mapping[str, str] = {
    "rec": "recirculation (eq. 3)", "rec-symmetric": "symmetric (eq. 4)", "rbp": "random feedback",
    "fa": "random feedback", "bp": "backpropagation",
}  # fmt: skip


@dataclass(frozen=True)
class Developed(Measured):
    """A member whose number of epochs follows from its stages."""

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return int(self.metrics["epoch"].max())

    def ends(self) -> dict[str, int]:
        """Return the last epoch of each stage of a development by what learns in it; 0 epochs are no stage."""
        passed = accumulate(stage.epochs for stage in self._stages)
        return {stage.name: end for stage, end in zip(self._stages, passed, strict=True)}

    @property
    def periods(self) -> tuple[Period, ...]:
        """The periods of the development."""
        return periods_of(self._stages)

    @cached_property
    def _stages(self) -> tuple[Stage, ...]:
        member = self.run.member
        scenario = expect_circuits(load_scenario(member.scenario), "member")
        first = {key: values[0] for key, values in member.vary.items()}
        return scenario.design(build(scenario.settings, {**member.values, **first})).stages


def by_rule(replica: Mapping[str, Any]) -> str:
    """Return the label of a block's rule or a classifier's feedback."""
    key = next(key for key in ("block_rule", "feedback", "rule") if key in replica)
    return LABELS[replica[key]]
