"""The settings of `tourbillon-figures`; with the default rates and bounds, blocks above the first do not run away."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from circuitsim.runs.config import refuse
from circuitsim.scenarios.fields import (
    IMAGES,
    CampaignSettings,
    Count,
    CountOrZero,
    NonNegative,
    Positive,
    Replicates,
    Sizes,
    TwoOrMore,
    distinct,
    each_once,
    expected_each_once,
    must,
    numbers,
)
from circuitsim.scenarios.layered import Rates

PARTS = (3, 4, 5, 6, 7, 9, "table1", "tuning", "bounds", "schedules", "nest")
DATASETS = tuple(name for name in IMAGES if name != "cifar10")
_SIZES = "a list of at least one whole number >= 1"
_TWINS = "a list of at least one of true, false, each once: whether the U-Net's output is a block too"
_FIRST = "a whole number >= 0, no more than nest_epochs: epochs of inner loops alone"
_EPOCHS = "a whole number >= 1"
_LAYERS = "a list of three numbers >= 0, for each layer above the input"
_BLOCKS = "a list of two numbers >= 0, for each block"
_GRID = "a list of at least one number >= 0, each once"
_PAIR = "a number >= 0, or a list with one for the encoder and one for the decoder"
Two = Annotated[list[float], numbers(2)]
Three = Annotated[list[float], numbers(3)]
Four = Annotated[list[float], numbers(4)]
Grid = Annotated[list[float], must(lambda values: distinct(values) and min(values) >= 0)]


def _pair(value: Rates) -> list[float]:
    return value if isinstance(value, list) else [value, value]


class TourbillonFiguresSettings(CampaignSettings):
    """The settings of `tourbillon-figures`."""

    figures: Annotated[list[int | str], each_once(PARTS)] = Field(list(PARTS), description=expected_each_once(PARTS))
    datasets: Annotated[list[str], each_once(DATASETS)] = Field(
        ["mnist", "fashion-mnist"],
        description=f"{expected_each_once(DATASETS)}: figures 3 to 9 of each, all else of the first",
    )
    hinges: Annotated[list[int], must(lambda sizes: len(sizes) == 2 and min(sizes) >= 1)] = Field(
        [256, 64], description="a list of two whole numbers >= 1, units of each block's hinge"
    )
    unet: Sizes = Field([128, 64], description=f"{_SIZES}, units of the encoder's layers of the U-Net")
    output_block: Annotated[list[bool], each_once((True, False))] = Field([False, True], description=_TWINS)
    nest_seeds: TwoOrMore = 10
    map_seeds: Replicates = 2
    batch: Count = 64
    single_epochs: Count = Field(10, description=f"{_EPOCHS}, of a block alone (figures 3, 5, 6)")
    epochs: Count = Field(5, description=f"{_EPOCHS}, of each block of a stack")
    top_epochs: Count = Field(5, description=f"{_EPOCHS}, of the top layer alone")
    tuning_epochs: Count = Field(5, description=f"{_EPOCHS}, of fine-tuning")
    nest_epochs: Count = Field(10, description=f"{_EPOCHS}, of circuits with loops in loops")
    single_lr: Annotated[Rates, must(lambda value: len(_pair(value)) == 2 and min(_pair(value)) >= 0)] = Field(
        0.05, description=f"{_PAIR}, of a block alone, beside the paper's"
    )
    lr: Three = Field([0.05, 0.005, 0.1], description=_LAYERS)
    decoder_lr: Two = Field([0.05, 0.1], description=_BLOCKS)
    bounds: Two = Field([0.0, 0.15], description=f"{_BLOCKS}, 0 for none")
    lr_decay: Positive = 0.8
    error_lr: NonNegative = Field(0.05, description="a number >= 0, of blocks that learn from errors")
    tuning_lr: Three = Field([0.3, 0.1, 0.1], description=_LAYERS)
    channel_lr: NonNegative = Field(
        2.0, description="a number >= 0, first encoder's rate in tuning without decoders, beside theirs"
    )
    other_lr: NonNegative = Field(0.01, description="a number >= 0, of what fa and bp train from the start")
    momentum: float = Field(0.8, ge=0, lt=1, description="a number from 0 to below 1, of the same")
    other_decay: Positive = Field(0.9, description="a number above 0, of the same and of the paper's blocks")
    map_bounds: Grid = Field([0.05, 0.1, 0.15, 0.3, 0.0], description=f"{_GRID}, 0 for no bound")
    map_rates: Grid = Field([0.002, 0.005, 0.02, 0.05], description=_GRID)
    examples: int = Field(2000, ge=20, description="a whole number >= 20, test images of figure 7")
    nest_lr: Two = Field([0.05, 0.05], description="a list of two numbers >= 0, of the outer loop")
    nest_inner: Two = Field([0.005, 0.1], description="a list of two numbers >= 0, to the core and back")
    nest_bound: NonNegative = Field(0.15, description="a number >= 0, 0 for none")
    nest_other_lr: Four = Field([0.05] * 4, description="a list of four numbers >= 0, of the plain autoencoder")
    inner_first: CountOrZero = Field(5, description=_FIRST)

    def model_post_init(self, _: Any) -> None:
        """Check the epochs of inner loops against all; runs check the rest."""
        if self.inner_first > self.nest_epochs:
            refuse("inner_first", self.inner_first, _FIRST, "Correct the value of inner_first.")

    def pair(self) -> tuple[float, ...]:
        """Return `single_lr` of the encoder and of the decoder."""
        return tuple(_pair(self.single_lr))
