"""The first scenario to run: recirculation against baselines on the embedded digits."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from circuitsim.scenarios import autoencoder
from circuitsim.scenarios.fields import Count, CountOrZero


class QuickstartSettings(autoencoder.AutoencoderSettings):
    """The settings of `autoencoder`, with defaults that learn the embedded digits within seconds."""

    batch: Count = 10
    epochs: CountOrZero = 30
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
