"""The figures and Table 1 of "Tourbillon: a physically plausible neural architecture", and what they leave open.

Source: Tavakoli, Sadowski & Baldi, section 6 and appendix, which do not give the number of epochs, or rates with which
blocks above the first learn: those here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.runs.scenario import Campaign, MemberRun
from circuitsim.scenarios.tourbillon_figures.members import members
from circuitsim.scenarios.tourbillon_figures.settings import TourbillonFiguresSettings


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.tourbillon_figures import report  # imports what draws

    report.finish(folder, runs, config)


QUICK: Mapping[str, Any] = {
    "datasets": ["digits"],
    "hinges": [32, 16],
    "unet": [32, 16],
    "output_block": [False],
    "seeds": 2,
    "nest_seeds": 2,
    "map_seeds": 1,
    "batch": 20,
    "train_limit": 800,
    "test_limit": 200,
    "single_epochs": 4,
    "epochs": 3,
    "top_epochs": 2,
    "tuning_epochs": 3,
    "nest_epochs": 4,
    "map_bounds": [0.6, 0.0],
    "map_rates": [0.02, 0.1],
    "examples": 100,
    "inner_first": 2,
    "lr": [0.02, 0.02, 0.1],
    "decoder_lr": [0.1, 0.1],
    "bounds": [0.6, 0.6],
    "lr_decay": 0.95,
    "tuning_lr": [0.3, 0.3, 0.3],
}

SCENARIO = Campaign(
    name="tourbillon-figures",
    description="Tourbillon, figures 3 to 9 and table 1; fine-tuning, bounds, schedules, loops within loops",
    settings=TourbillonFiguresSettings,
    members=members,
    finish=finish,
    quick=QUICK,
)
