"""The keys of the scenario `mirror-search`, and what they may be."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from circuitsim.runs.config import Settings, refuse

SEARCHED = ("rate", "decay", "scale")
_RANGE = "a list of two numbers above 0, the lower first"
_LISTS = "a list of at least two lists of whole numbers >= 1, hidden units by layer, no list twice and none empty"
_COUNT = "a whole number >= 1"


class MirrorSearchKeys(Settings):
    """The keys of `mirror-search`."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    hidden: list[list[int]] = Field([[32], [32, 32, 32], [32, 32, 32, 32, 32]], description=_LISTS)
    trials: int = Field(30, ge=1, description=_COUNT)
    startup: int = Field(10, ge=1, description=_COUNT)
    rate: list[float] = Field([1e-3, 1.0], description=_RANGE)
    decay: list[float] = Field([1e-3, 1.0], description=_RANGE)
    scale: list[float] = Field([0.03, 3.0], description=_RANGE)
    held_out: float = Field(0.2, gt=0, lt=1, description="a number above 0 and below 1")
    seeds: int = Field(3, ge=1, le=1000, description="a whole number from 1 to 1000")
    test_seeds: int = Field(5, ge=1, le=1000, description="a whole number from 1 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1")
    epochs: int = Field(5, ge=1, description=_COUNT)
    batch: int = Field(20, ge=1, description=_COUNT)
    lr: float = Field(0.1, ge=0, description="a number >= 0")
    train_limit: int | None = Field(None, ge=2, description="none, or a whole number >= 2")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    angle_examples: int = Field(200, ge=1, description=_COUNT)

    FIXED: ClassVar[tuple[str, ...]] = (
        "dataset", "hidden", "trials", "startup", *SEARCHED, "held_out", "seeds", "test_seeds", "seed", "epochs",
        "batch", "lr", "train_limit", "test_limit", "angle_examples",
    )  # fmt: skip

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        layers = [tuple(one) for one in self.hidden]
        if len(set(layers)) < max(2, len(layers)) or any(not one or min(one) < 1 for one in layers):
            refuse("hidden", self.hidden, _LISTS, "Give hidden layers for each depth.")
        for key in SEARCHED:
            value = getattr(self, key)
            if len(value) != 2 or not 0 < value[0] < value[1]:
                refuse(key, value, _RANGE, "It is searched on a logarithmic scale.")
