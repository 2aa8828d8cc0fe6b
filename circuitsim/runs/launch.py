"""Start and resume runs of all kinds of scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from circuitsim.runs import runfolder
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.campaigning import CampaignRun
from circuitsim.runs.computing import ComputationRun
from circuitsim.runs.ownership import owned
from circuitsim.runs.run import Run
from circuitsim.runs.scenario import Campaign, Computation
from circuitsim.runs.training import TrainingRun
from circuitsim.runs.trust import scenario_of


def start_run(scenario: AnyScenario, *arguments: Any, **options: Any) -> Run[Any]:
    """Start a run with the arguments of `Run.start`."""
    return _kind(scenario).start(scenario, *arguments, **options)


def resume_run(
    folder: Path,
    console: Console,
    *,
    trusted: bool = False,
    scenario: AnyScenario | None = None,
    theme: str | None = None,
) -> Run[Any]:
    """Continue the run in a folder, and own it meanwhile; only if `trusted`, execute code from files that it names.

    Parameters
    ----------
    scenario : that of the run, where the caller has it: then the run is the caller's own, and trusted.
    theme : of the figures; None: as before.
    """
    runfolder.read_config(folder)  # refused before anything is written
    with owned(folder):
        config = runfolder.read_config(folder)
        found = scenario or scenario_of(folder, config, trusted)
        own = trusted or scenario is not None
        return _kind(found).resume(found, folder, config, console, trusted=own, theme=theme)


def _kind(scenario: AnyScenario) -> type[Run[Any]]:
    match scenario:
        case Computation():
            return ComputationRun
        case Campaign():
            return CampaignRun
        case _:
            return TrainingRun
