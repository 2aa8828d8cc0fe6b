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


def resume_run(folder: Path, console: Console, *, trusted: bool = False) -> Run[Any]:
    """Continue the run in a folder, and own it meanwhile; only if `trusted`, execute code from files that it names."""
    runfolder.read_config(folder)  # refused before anything is written
    with owned(folder):
        config = runfolder.read_config(folder)
        scenario = scenario_of(folder, config, trusted)
        return _kind(scenario).resume(scenario, folder, config, console, trusted=trusted)


def _kind(scenario: AnyScenario) -> type[Run[Any]]:
    match scenario:
        case Computation():
            return ComputationRun
        case Campaign():
            return CampaignRun
        case _:
            return TrainingRun
