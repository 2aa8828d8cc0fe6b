"""The settings of `tourbillon-convolution`; rates are for increments that are summed over positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from circuitsim.scenarios.fields import (
    CampaignSettings,
    Count,
    CountOrZero,
    Flag,
    Limit,
    NonNegative,
    Replicates,
    distinct,
    each_once,
    expected_each_once,
    must,
    numbers,
)

PARTS = ("blocks", "stability", "stack", "figure9", "tuning", "table1", "untied", "scorecard")
DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")
_EPOCHS = "a whole number >= 1"
_GRID = "a list of at least one number >= 0, each once"
_THREE = "a list of three numbers >= 0: encoder 1, encoder 2, top"
_TWO = "a list of two numbers >= 0, for each block"
Two = Annotated[list[float], numbers(2)]
Three = Annotated[list[float], numbers(3)]
Grid = Annotated[list[float], must(lambda values: distinct(values) and min(values) >= 0)]

LEVELS: Mapping[str, Mapping[str, Any]] = {
    "standard": {},
    "full": {
        "seeds": 5,
        "map_seeds": 3,
        "train_limit": None,
        "test_limit": None,
        "few": None,
        "block_epochs": 50,
        "map_epochs": 10,
        "epochs": 20,
        "top_epochs": 50,
        "tuning_epochs": 20,
        "unet_epochs": 20,
        "untied_epochs": 50,
    },
}
"""What a level sets unless it is given: the paper has all images, five seeds, and does not say how many epochs."""


class TourbillonConvolutionSettings(CampaignSettings):
    """The settings of `tourbillon-convolution`."""

    figures: Annotated[list[str], each_once(PARTS)] = Field(list(PARTS), description=expected_each_once(PARTS))
    level: Literal["standard", "full"] = Field("standard", description="standard or full")
    datasets: Annotated[list[str], each_once(DATASETS)] = Field(
        ["mnist", "cifar10"], description=f"{expected_each_once(DATASETS)}: fine-tuning and untied layers of the first"
    )
    images: Literal["cifar10", "mnist", "fashion-mnist", "digits"] = Field(
        "cifar10", description="cifar10, mnist, fashion-mnist or digits: of the map and of table 1"
    )
    maps: Count = Field(6, description="a whole number >= 1, maps of a hinge")
    kernel: Count = Field(5, description="a whole number >= 1, side of a kernel")
    seeds: Annotated[int, Field(ge=2, le=1000, description="a whole number from 2 to 1000")] = 5
    map_seeds: Replicates = 1
    batch: Count = 64
    train_limit: Limit = 10000
    test_limit: Limit = 2000
    few: Limit = Field(5000, description="none, or a whole number >= 1: training images of table 1, untied layers, map")
    block_epochs: Count = Field(5, description=f"{_EPOCHS}, of a block alone")
    map_epochs: Count = Field(3, description=f"{_EPOCHS}, of a block in the map of rates")
    epochs: Count = Field(3, description=f"{_EPOCHS}, of each block of a stack")
    top_epochs: Count = Field(10, description=f"{_EPOCHS}, of the top layer alone")
    tuning_epochs: Count = Field(4, description=f"{_EPOCHS}, of fine-tuning")
    unet_epochs: Count = Field(3, description=f"{_EPOCHS}, of the U-Net's block, and again of its fine-tuning")
    untied_epochs: Count = Field(4, description=f"{_EPOCHS}, of untied blocks")
    block_lr: NonNegative = Field(0.001, description="a number >= 0, both rates of a block of grey images")
    colour_lr: NonNegative = Field(0.0001, description="a number >= 0, the same for images of three channels")
    lr: Three = Field([0.001, 0.0001, 0.05], description=_THREE)
    decoder_lr: Two = Field([0.001, 0.0001], description=_TWO)
    bounds: Two = Field([0.0, 0.5], description=f"{_TWO}, 0 for none")
    tuning_lr: Three = Field([0.05, 0.05, 0.05], description=_THREE)
    slow_lr: NonNegative = Field(0.01, description="a number >= 0, of encoder 1 where decoders tune it")
    unet_lr: NonNegative = Field(0.0001, description="a number >= 0, all rates of the U-Net")
    untied_lr: NonNegative = Field(0.1, description="a number >= 0, rates of untied blocks, for each location")
    spread: NonNegative = Field(0.1, description="a number >= 0, of locations that begin alike, relative")
    shift: Annotated[float, Field(ge=0, lt=1, description="a number from 0 to below 1, of translations")] = 0.1
    map_encoder: Grid = Field([1e-4, 2e-4, 3e-4, 5e-4], description=_GRID)
    map_decoder: Grid = Field([1e-4, 2e-4, 3e-4], description=_GRID)
    drop_last: Flag = Field(True, description="true or false: leave out an epoch's short last batch")
    error_examples: CountOrZero = Field(200, description="a whole number >= 0, training images of angles of errors")

    def shared(self, *keys: str) -> dict[str, Any]:
        """Return the settings that all members have, with the values of further keys."""
        return super().shared("drop_last", *keys)

    def model_post_init(self, _: Any) -> None:
        """Fill in from the level what is not given."""
        for key, value in LEVELS[self.level].items():
            if key not in self.model_fields_set:
                object.__setattr__(self, key, value)
