"""Updated random feedback in networks of convolutions and of untied layers (Amit 2019, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.runs.scenario import Campaign, MemberRun
from circuitsim.scenarios.random_feedback_networks.members import members
from circuitsim.scenarios.random_feedback_networks.settings import NetworkSettings

QUICK: Mapping[str, Any] = {
    "dataset": "digits",
    "seeds": 2,
    "networks": ["simpnet"],
    "rules": ["bp-h", "urfb", "frfb"],
    "frozen": ["simpnet"],
    "desynchronised": ["simpnet"],
    "in_turn": ["simpnet"],
    "turn_images": 200,
    "turns": 1,
    "steps": [0.3],
    "test_limit": 100,
    "angle_examples": 50,
    "training": {"simpnet": {"images": 400, "batch": 20, "epochs": 3}},
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    from circuitsim.scenarios.random_feedback_networks.report import (
        finish as write,
    )  # here: a command starts without it

    write(folder, runs, config)


SCENARIO = Campaign(
    name="random-feedback-networks",
    description="simpnet, deepnet, deepernet, deepnet_s with BP, URFB, FRFB; tied and untied; half of the synapses",
    settings=NetworkSettings,
    members=members,
    finish=finish,
    estimated=lambda settings: settings.level == "full",
    quick=QUICK,
)
