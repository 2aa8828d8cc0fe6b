"""The first thing to run: digits, recirculation against backpropagation, random backpropagation and the top alone."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from circuitsim.scenarios import autoencoder


class QuickstartSettings(autoencoder.AutoencoderSettings):
    """As `autoencoder`, with settings in which the embedded digits are learned within seconds."""

    batch: int = Field(10, ge=1, description="a whole number >= 1")
    epochs: int = Field(30, ge=0, description="a whole number >= 0")
    lr: float | list[float] = Field(
        0.05, description="a number >= 0, or a list with one for each layer above the input"
    )


SCENARIO = replace(
    autoencoder.SCENARIO,
    name="quickstart",
    description="digits: recirculation against backpropagation, random backpropagation and top only",
    settings=QuickstartSettings,
    vary={"rule": ("rec", "bp", "rbp", "top"), "seed": (0, 1, 2)},
    quick={"epochs": 3},
)
