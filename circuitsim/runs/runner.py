"""Carries out a run in a folder, or goes on with one, as is done for its kind of scenario."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from circuitsim.runs import campaigning, computing, runfolder, training
from circuitsim.runs.request import Conclusion, Request
from circuitsim.runs.scenario import AnyScenario, Campaign, Computation, load_scenario


def run(scenario: AnyScenario, request: Request, console: Console) -> Conclusion:
    """Check all of a request, then start a run folder and carry the run out."""
    match scenario:
        case Computation():
            return computing.run(scenario, request, console)
        case Campaign():
            return campaigning.run(scenario, request, console)
        case _:
            return training.run(scenario, request, console)


def resume(folder: Path, console: Console) -> Conclusion:
    """Go on where the run in a folder stopped; of one that is complete only the report is written again."""
    config = runfolder.read_config(folder)
    scenario = load_scenario(str(config["scenario"]))
    match scenario:
        case Computation():
            return computing.resume(scenario, folder, config, console)
        case Campaign():
            return campaigning.resume(scenario, folder, config, console)
        case _:
            return training.resume(scenario, folder, config, console)
