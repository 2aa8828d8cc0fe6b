"""Tourbillon on images: figures 8 and 9, the CIFAR columns of table 1, and what section 7 proposes.

Source: Tavakoli, Sadowski & Baldi, sections 6.2 to 6.4 and 7, appendix. Increments are summed over positions and
averaged over the batch; the paper's rates diverge under this convention, so those here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.runs.scenario import Campaign, MemberRun
from circuitsim.scenarios.tourbillon_convolution.members import members
from circuitsim.scenarios.tourbillon_convolution.settings import TourbillonConvolutionSettings

QUICK: Mapping[str, Any] = {
    "datasets": ["digits"],
    "seeds": 2,
    "images": "digits",
    "maps": 3,
    "kernel": 3,
    "train_limit": 600,
    "test_limit": 200,
    "few": 400,
    "block_epochs": 3,
    "map_epochs": 2,
    "epochs": 2,
    "top_epochs": 3,
    "tuning_epochs": 2,
    "unet_epochs": 2,
    "untied_epochs": 2,
    "block_lr": 0.005,
    "unet_lr": 0.005,
    "lr": [0.005, 0.001, 0.05],
    "decoder_lr": [0.005, 0.001],
    "map_encoder": [0.005, 0.05],
    "map_decoder": [0.005, 0.05],
    "error_examples": 50,
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    from circuitsim.scenarios.tourbillon_convolution.report import finish as write  # here: a command starts without it

    write(folder, runs, config)


SCENARIO = Campaign(
    name="tourbillon-convolution",
    description="Tourbillon on images: convolutional and untied blocks, stacks, fine-tuning, U-Net twin",
    settings=TourbillonConvolutionSettings,
    members=members,
    finish=finish,
    estimated=lambda settings: settings.level == "full",
    quick=QUICK,
)
