"""What the options of the command line give a scenario's keys, by precedence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from circuitsim.errors import ConfigError
from circuitsim.runs import config
from circuitsim.runs.scenario import AnyScenario


def values_of(
    scenario: AnyScenario, sets: list[str] | None, file: Path | None, seed: int | None, quick: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys that `--seed`, `--config` and `--quick` give, by precedence, and those that `--set` gives."""
    values: dict[str, Any] = {} if seed is None else _seeds(scenario, seed)
    values |= config.read_config(file) if file else {}
    values |= dict(scenario.quick) if quick else {}
    given: dict[str, Any] = {}
    for text in sets or []:
        key, value = config.parse_setting("--set", text)
        if key in given:
            config.refuse(key, text, "one --set for each key", "Remove one of them.")
        given[key] = config.parse_value(key, value)
    return values, given


def _seeds(scenario: AnyScenario, seed: int) -> dict[str, Any]:
    """The keys whose default `--seed` is."""
    found: dict[str, Any] = {key: seed for key in ("seed", "data_seed") if key in scenario.settings.model_fields}
    if not found:
        raise ConfigError(
            f"--seed {seed}", got=f"{scenario.name}, which draws nothing", expected="no seed", remedy="Leave it out."
        )
    return found


def vary_of(scenario: AnyScenario, varies: list[str] | None, values: dict[str, Any]) -> dict[str, Any]:
    """What to vary: the user's wishes, and of the scenario's own those keys that are not given."""
    asked = config.parse_vary(varies or [])
    own = {key: list(v) for key, v in scenario.vary.items() if key not in asked and key not in values}
    for key in asked:
        if key not in scenario.settings.model_fields:
            raise ConfigError(
                f"key {key}",
                got="--vary of an unknown key",
                expected=f"one of {', '.join(sorted(scenario.settings.model_fields))}",
                remedy="Correct its name.",
            )
    return own | asked
