"""The settings of `five-problems`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from circuitsim.runs.config import Settings
from circuitsim.scenarios.fields import CountOrZero, Replicates, Seed, Ticks, distinct, must


class ProblemSettings(Settings):
    """The settings of `five-problems`."""

    method: Literal["tourbillon", "fine-tuning", "fa", "bp"] = Field(
        "tourbillon", description="tourbillon (growth and the top layer), fine-tuning, fa or bp"
    )
    blocks: Annotated[list[int], must(lambda blocks: bool(blocks) and all(1 <= n <= 50 for n in blocks))] = Field(
        list(range(2, 11)), description="a list of at least one whole number from 1 to 50"
    )
    width: int = Field(12, ge=1, le=1000, description="a whole number from 1 to 1000")
    delay: Ticks = 1
    seed: Seed = 0
    seeds: Replicates = 5
    epochs: CountOrZero = Field(15, description="a whole number >= 0, epochs with labels; 0: nothing is trained")
    rates: Annotated[list[float], must(lambda rates: distinct(rates) and min(rates) > 0)] = Field(
        [0.03, 0.1, 0.3, 1.0], description="a list of at least one number above 0, each once"
    )

    FIXED: ClassVar[tuple[str, ...]] = ("blocks", "width", "delay", "seeds", "epochs", "rates")
