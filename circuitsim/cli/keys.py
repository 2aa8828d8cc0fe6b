"""Help on the keys of one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuitsim.cli.console import table_of, terminal
from circuitsim.runs.own import find_scenario

if TYPE_CHECKING:
    from circuitsim.runs.base import AnyScenario

COMMANDS = ("run", "sweep", "audit", "schedule", "trace")  # whose first argument is a scenario


def show_keys(arguments: Sequence[str]) -> None:
    """Print the keys of the scenario that a command with `--help` names; nothing if it names none."""
    command, scenario = [*arguments[:2], "", ""][:2]
    if command in COMMANDS and "--help" in arguments and scenario and not scenario.startswith("-"):
        _show(find_scenario(scenario))


def _show(scenario: AnyScenario) -> None:
    from circuitsim.runs.config import OverEpochs, TrainingSettings, expectation, spell

    model = scenario.settings
    terminal().print(f"Keys of {scenario.name}: {scenario.description}")
    table = table_of("key", "default", "accepts", "--vary")
    for key, field in sorted(model.model_fields.items()):
        default = spell(field.get_default(call_default_factory=True)).strip("'")
        table.add_row(key, default, expectation(model, key), "no" if key in model.FIXED else "")
    if issubclass(model, TrainingSettings):
        accepts = f"a number, or a table of {', '.join(OverEpochs.model_fields)} over the epochs"
        table.add_row("RULE.PARAMETER", "as the rule has it", accepts, "")
    terminal().print(table)
    for option, values in (("--quick sets", scenario.quick), ("varied unless they are set:", scenario.vary)):
        if values:
            said = ", ".join(f"{key}={spell(value)}" for key, value in values.items())
            terminal().print(f"{option} {said}", soft_wrap=True)
