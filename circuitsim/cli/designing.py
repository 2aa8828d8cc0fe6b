"""The settings and the one design of a scenario, for commands that look at its circuit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from circuitsim.runs.own import find_scenario

if TYPE_CHECKING:
    from circuitsim.runs.config import TrainingSettings
    from circuitsim.runs.design import Design


def designed(
    command: str, scenario: str, sets: list[str] | None, file: Path | None, quick: bool
) -> tuple[TrainingSettings, Design]:
    """Return the settings and the design of a scenario's one replica."""
    from circuitsim.runs.arguments import values_of
    from circuitsim.runs.config import build
    from circuitsim.runs.of_rules import designs_of
    from circuitsim.runs.scenario import expect_circuits

    found = expect_circuits(find_scenario(scenario), command)
    defaults, given = values_of(found, sets, file, None, quick)
    settings = build(found.settings, defaults | given)
    return settings, designs_of(found, [settings])[0]
