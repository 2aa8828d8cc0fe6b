"""Scenarios and circuits that are installed, found through entry points: users' packages can add theirs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from circuitsim.errors import ConfigError
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.tools import entry_point

SCENARIOS = "circuitsim.scenarios"
CIRCUITS = "circuitsim.circuits"


def scenario_names() -> list[str]:
    """Return the names of the installed scenarios."""
    return sorted({point.name for point in entry_points(group=SCENARIOS)})


def all_scenarios() -> dict[str, AnyScenario]:
    """Return all installed scenarios by name, in the order of their names."""
    points = {point.name: point for point in entry_points(group=SCENARIOS)}
    return {name: points[name].load() for name in sorted(points)}


def circuit_descriptions() -> list[tuple[str, str]]:
    """Return the installed circuits: name, and the first line of the function's docstring."""
    found = {point.name: point.load() for point in entry_points(group=CIRCUITS)}
    return [(name, (function.__doc__ or "").strip().split("\n")[0]) for name, function in sorted(found.items())]


def defaults_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the keys of the installed scenario that a run's configuration names; none for another."""
    point = entry_point(SCENARIOS, str(config.get("scenario")))
    if point is None:
        return {}
    found: AnyScenario = point.load()
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in found.settings.model_fields.items()
        if not field.is_required()
    }


def load_scenario(name: str) -> AnyScenario:
    """Return a scenario by name; ConfigError for an unknown one."""
    point = entry_point(SCENARIOS, name)
    if point is not None:
        found: AnyScenario = point.load()
        return found
    close = difflib.get_close_matches(name, scenario_names(), 1)
    raise ConfigError(
        f"scenario {name}",
        got="an unknown name",
        expected=f"one of {', '.join(scenario_names())}",
        remedy=f"Did you mean {close[0]}?" if close else "`circuitsim list` shows them.",
    )
