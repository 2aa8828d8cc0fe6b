"""Figures 4 to 10 of "Recirculation is random backpropagation", and experiments beyond them.

Source: Baldi & Sadowski 2018, section 7, which gives everything but the number of epochs; ten are the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.runs.scenario import Campaign, MemberRun
from circuitsim.scenarios.recirculation_figures.members import members
from circuitsim.scenarios.recirculation_figures.settings import RecirculationFiguresSettings


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    from circuitsim.scenarios.recirculation_figures import report  # imports what draws

    report.finish(folder, runs, config)


QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "narrow": 8,
    "wide": 16,
    "depth": 5,
    "seeds": 2,
    "epochs": 4,
    "batch": 20,
    "lr": 0.02,
    "train_limit": 800,
    "test_limit": 200,
    "mixing": [0.0, 0.5],
    "cycles": 3,
    "bounds": ["none", 1.0],
    "rates": [10.0, 20.0],
    "interval": 40,
    "intervals": 12,
}

SCENARIO = Campaign(
    name="recirculation-figures",
    description="Baldi & Sadowski 2018, figures 4 to 10; mixtures of activities, pairs of cycles, loops that diverge",
    settings=RecirculationFiguresSettings,
    members=members,
    finish=finish,
    quick=QUICK,
)
