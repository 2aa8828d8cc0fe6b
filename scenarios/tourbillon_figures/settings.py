"""The keys of `tourbillon-figures`: rates and bounds with which blocks above the first do not run away are defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from circuitsim.runs.config import Settings, refuse
from circuitsim.scenarios.layered import Rates
from circuitsim.scenarios.tourbillon_figures.members import FEATURES, PARTS

_PARTS = f"a list of at least one of {', '.join(map(str, PARTS))}, each once"
_DATASETS = f"a list of at least one of {', '.join(FEATURES)}, each once: figures 3 to 9 of each, all else of the first"
_SIZES = "a list of at least one whole number >= 1"
_TWINS = "a list of at least one of true, false, each once: whether the U-Net's output is a block too"
_FIRST = "a whole number >= 0, no more than nest_epochs: epochs of inner loops alone"
_EPOCHS = "a whole number >= 1"
_LAYERS = "a list of three numbers >= 0, for each layer above the input"
_BLOCKS = "a list of two numbers >= 0, for each block"
_GRID = "a list of at least one number >= 0, each once"
_PAIR = "a number >= 0, or a list with one for the encoder and one for the decoder"


class FiguresKeys(Settings):
    """The keys of `tourbillon-figures`."""

    figures: list[int | str] = Field(list(PARTS), description=_PARTS)
    datasets: list[str] = Field(["mnist", "fashion-mnist"], description=_DATASETS)
    hinges: list[int] = Field([256, 64], description="a list of two whole numbers >= 1, units of each block's hinge")
    unet: list[int] = Field([128, 64], description=f"{_SIZES}, units of the encoder's layers of the U-Net")
    output_block: list[bool] = Field([False, True], description=_TWINS)
    seeds: int = Field(5, ge=2, le=1000, description="a whole number from 2 to 1000")
    nest_seeds: int = Field(10, ge=2, le=1000, description="a whole number from 2 to 1000")
    map_seeds: int = Field(2, ge=1, le=1000, description="a whole number from 1 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first of the seeds")
    batch: int = Field(64, ge=1, description=_EPOCHS)
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    single_epochs: int = Field(10, ge=1, description=f"{_EPOCHS}, of a block alone (figures 3, 5, 6)")
    epochs: int = Field(5, ge=1, description=f"{_EPOCHS}, of each block of a stack")
    top_epochs: int = Field(5, ge=1, description=f"{_EPOCHS}, of the top layer alone")
    tuning_epochs: int = Field(5, ge=1, description=f"{_EPOCHS}, of fine-tuning")
    nest_epochs: int = Field(10, ge=1, description=f"{_EPOCHS}, of circuits with loops in loops")
    single_lr: Rates = Field(0.05, description=f"{_PAIR}, of a block alone, beside the paper's")
    lr: list[float] = Field([0.05, 0.005, 0.1], description=_LAYERS)
    decoder_lr: list[float] = Field([0.05, 0.1], description=_BLOCKS)
    bounds: list[float] = Field([0.0, 0.15], description=f"{_BLOCKS}, 0 for none")
    lr_decay: float = Field(0.8, gt=0, description="a number above 0")
    error_lr: float = Field(0.05, ge=0, description="a number >= 0, of blocks that learn from errors")
    tuning_lr: list[float] = Field([0.3, 0.1, 0.1], description=_LAYERS)
    channel_lr: float = Field(
        2.0, ge=0, description="a number >= 0, of the first encoder in tuning without decoders, beside theirs"
    )
    other_lr: float = Field(0.01, ge=0, description="a number >= 0, of what fa and bp train from the start")
    momentum: float = Field(0.8, ge=0, lt=1, description="a number from 0 to below 1, of the same")
    other_decay: float = Field(0.9, gt=0, description="a number above 0, of the same and of the paper's blocks")
    map_bounds: list[float] = Field([0.05, 0.1, 0.15, 0.3, 0.0], description=f"{_GRID}, 0 for no bound")
    map_rates: list[float] = Field([0.002, 0.005, 0.02, 0.05], description=_GRID)
    examples: int = Field(2000, ge=20, description="a whole number >= 20, test images of figure 7")
    nest_lr: list[float] = Field([0.05, 0.05], description="a list of two numbers >= 0, of the outer loop")
    nest_inner: list[float] = Field([0.005, 0.1], description="a list of two numbers >= 0, to the core and back")
    nest_bound: float = Field(0.15, ge=0, description="a number >= 0, 0 for none")
    nest_other_lr: list[float] = Field([0.05] * 4, description="a list of four numbers >= 0, of the plain autoencoder")
    inner_first: int = Field(5, ge=0, description=_FIRST)

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make; runs check the rest."""
        for key, fits in (
            ("figures", _chosen(self.figures, PARTS)),
            ("datasets", _chosen(self.datasets, tuple(FEATURES))),
            ("hinges", len(self.hinges) == 2 and min(self.hinges) >= 1),
            ("output_block", _chosen(self.output_block, (True, False))),
            ("unet", bool(self.unet) and min(self.unet) >= 1),
            ("map_bounds", _grid(self.map_bounds)),
            ("map_rates", _grid(self.map_rates)),
            ("single_lr", _rates(self.pair(), 2)),
            ("lr", _rates(self.lr, 3)),
            ("tuning_lr", _rates(self.tuning_lr, 3)),
            ("decoder_lr", _rates(self.decoder_lr, 2)),
            ("bounds", _rates(self.bounds, 2)),
            ("nest_lr", _rates(self.nest_lr, 2)),
            ("nest_inner", _rates(self.nest_inner, 2)),
            ("nest_other_lr", _rates(self.nest_other_lr, 4)),
            ("inner_first", self.inner_first <= self.nest_epochs),
        ):
            if not fits:
                expected = str(type(self).model_fields[key].description)
                refuse(key, getattr(self, key), expected, f"Correct the value of {key}.")

    def pair(self) -> tuple[float, ...]:
        """`single_lr` of the encoder and of the decoder."""
        return tuple(self.single_lr) if isinstance(self.single_lr, list) else (self.single_lr, self.single_lr)


def _chosen(values: Sequence[Any], known: tuple[Any, ...]) -> bool:
    return bool(values) and len(set(values)) == len(values) and set(values) <= set(known)


def _grid(values: Sequence[float]) -> bool:
    return bool(values) and len(set(values)) == len(values) and min(values) >= 0


def _rates(values: Sequence[float], count: int) -> bool:
    return len(values) == count and min(values) >= 0
