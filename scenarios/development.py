"""How a Tourbillon develops: which parts learn in which epoch, and at which rates.

Blocks grow in sequence, with a lag, or all from the start; each learns for `epochs`. The supervised top layer follows
as a further block would, and learns for `top_epochs`. Then the whole is fine-tuned for `tuning_epochs`. Rates fall by
`lr_decay` with each epoch of a part's own growth, and anew in fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.circuits.blocks import TOP, TOP_FEEDBACK, TUNING
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Stage
from circuitsim.scenarios.layered import LayeredSettings, Rates
from circuitsim.timetable.protocol import Protocol, Updates

UPDATES = {"last": Updates.LAST, "at-once": Updates.AT_ONCE}
_EACH_BLOCK = "a number >= 0, or a list with one for each block"
_EACH_LAYER = "a number >= 0, or a list with one for each layer above the input"
_EPOCHS = "a whole number >= 0"


class DevelopmentSettings(LayeredSettings):
    """The keys of circuits that develop, beside those that all scenarios share."""

    batch: int = Field(20, ge=1, description="a whole number >= 1")
    lr: Rates = Field(0.02, description=_EACH_LAYER)
    lr_decay: float = Field(0.95, gt=0, description="a number above 0")
    epochs: int = Field(10, ge=0, description=_EPOCHS)
    top_epochs: int = Field(0, ge=0, description=_EPOCHS)
    tuning_epochs: int = Field(20, ge=0, description=_EPOCHS)
    schedule: Literal["sequential", "lag", "asynchronous"] = Field(
        "sequential", description="sequential, lag or asynchronous"
    )
    lag: int = Field(1, ge=0, description="a whole number of epochs >= 0")
    decoder_lr: Rates = Field(0.1, description=_EACH_BLOCK)
    tuning_lr: Rates = Field(0.3, description=_EACH_LAYER)
    bounds: Rates = Field(0.6, description=f"{_EACH_BLOCK}, 0 for none")
    decoders: Literal["fixed", "learning"] = Field("fixed", description="fixed or learning")
    updates: Literal["last", "at-once"] = Field("last", description="last or at-once")
    interval: int | None = Field(None, ge=1, description="none, or a whole number of ticks >= 1")
    memories: int | None = Field(None, ge=1, description="none, or a whole number >= 1")

    FIXED: ClassVar[tuple[str, ...]] = (*LayeredSettings.FIXED, "schedule", "lag", "top_epochs", "tuning_epochs")

    def model_post_init(self, context: Any) -> None:
        """Checks across keys."""
        super().model_post_init(context)
        self._check_rates("tuning_lr")
        for key, value in (("decoder_lr", self.decoder_lr), ("bounds", self.bounds)):
            wrong = isinstance(value, list) and len(value) != self.blocks
            if wrong or any(number < 0 for number in (value if isinstance(value, list) else [value])):
                expected = str(type(self).model_fields[key].description)
                refuse(key, value, f"{expected} ({self.blocks} blocks)", "Match the list to sizes.")
        if self.memories is not None and self.interval is None:
            refuse("memories", self.memories, "none without an interval", "Set interval too: presentations overlap.")
        if self.max_norm is not None:
            refuse("max_norm", self.max_norm, "none", "Set bounds, one for each block's hinge.")

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.sizes) - 2

    def of_block(self, key: str, b: int) -> float:
        """The value of `decoder_lr` or `bounds` for block b, counted from 1."""
        value = getattr(self, key)
        return float(value[b - 1] if isinstance(value, list) else value)

    @property
    def bounded(self) -> bool:
        """Whether any hinge neuron bounds its incoming synapses."""
        return any(self.of_block("bounds", b) for b in range(1, self.blocks + 1))


@dataclass(frozen=True)
class Grown:
    """A block as development sees it: the names of its encoder, decoder and hinge, and its groups of rules."""

    encoder: str
    decoder: str
    hinge: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """A block, or the top: the epochs in which it grows, and the groups that do."""

    name: str
    first: int
    last: int
    groups: tuple[str, ...]

    def grows(self, epoch: int) -> bool:
        return self.first <= epoch < self.last


def stages(
    settings: DevelopmentSettings,
    protocol: Protocol,
    blocks: Sequence[Grown],
    top: str,
    feedback: str | None = None,
    *,
    tuned: bool = True,
) -> tuple[Stage, ...]:
    """One stage for each epoch of a development.

    Parameters
    ----------
    protocol : a presentation in which everything learns. blocks : from the input up.
    top : the projection that learns from the output's error. feedback : the one that passes this on, if it may learn.
    tuned : whether anything passes the error on; otherwise the top alone goes on learning.
    """
    protocol = replace(protocol, interval=settings.interval, memories=settings.memories)
    parts = _parts(settings, blocks)
    growth = max((part.last for part in parts), default=0)
    found = []
    for epoch in range(growth):
        groups = tuple(group for part in parts if part.grows(epoch) for group in part.groups)
        names = [part.name for part in parts if part.grows(epoch)]
        rates = _growing(settings, parts, blocks, top, epoch) | _tuned(settings, (), top, feedback, 0)
        found.append(Stage(1, replace(protocol, groups=groups), rates, " and ".join(names) or "nothing"))
    for epoch in range(settings.tuning_epochs):
        rates = _growing(settings, parts, blocks, top, growth + epoch)
        rates |= _tuned(settings, blocks, top, feedback, epoch)
        learning = [block.groups[-1] for block in blocks if settings.decoders == "learning"]
        groups = (TOP, *([TUNING] if tuned else []), *([TOP_FEEDBACK] if feedback else []), *learning)
        found.append(Stage(1, replace(protocol, groups=groups), rates, "fine-tuning"))
    return tuple(found)


def _parts(settings: DevelopmentSettings, blocks: Sequence[Grown]) -> list[_Part]:
    step = {"sequential": settings.epochs, "lag": settings.lag, "asynchronous": 0}[settings.schedule]
    found = [
        _Part(f"block {b}", (b - 1) * step, (b - 1) * step + settings.epochs, block.groups)
        for b, block in enumerate(blocks, 1)
    ]
    return [*found, _Part("top", len(blocks) * step, len(blocks) * step + settings.top_epochs, (TOP,))]


def _growing(
    settings: DevelopmentSettings, parts: Sequence[_Part], blocks: Sequence[Grown], top: str, epoch: int
) -> dict[tuple[str, str], float]:
    """Rates and bounds of growth in an epoch; of what has grown already, those of its last epoch."""
    found: dict[tuple[str, str], float] = {}
    for b, (part, block) in enumerate(zip(parts[:-1], blocks, strict=True), 1):
        factor = _fallen(settings, part, epoch)
        found[block.encoder, "lr"] = settings.rate("lr", b) * factor
        found[block.encoder, "lr_bias"] = settings.rate("lr_bias", b) * factor
        for quantity in ("lr", "lr_bias"):
            found[block.decoder, quantity] = settings.of_block("decoder_lr", b) * factor
        found[block.hinge, "max_norm"] = settings.of_block("bounds", b) or np.inf
    layers, factor = len(settings.sizes) - 1, _fallen(settings, parts[-1], epoch)
    if all(block.encoder != top for block in blocks):
        found[top, "lr"] = settings.rate("lr", layers) * factor
        found[top, "lr_bias"] = settings.rate("lr_bias", layers) * factor
    return found


def _fallen(settings: DevelopmentSettings, part: _Part, epoch: int) -> float:
    return float(settings.lr_decay ** (min(max(epoch, part.first), max(part.last - 1, part.first)) - part.first))


def _tuned(
    settings: DevelopmentSettings, blocks: Sequence[Grown], top: str, feedback: str | None, epoch: int
) -> dict[tuple[str, str], float]:
    """Rates of fine-tuning, in which no bound holds."""
    layers, factor = len(settings.sizes) - 1, settings.lr_decay**epoch
    found: dict[tuple[str, str], float] = {}
    for b, block in enumerate(blocks, 1):
        for quantity in ("lr", "lr_bias"):
            found[block.encoder, quantity] = settings.rate("tuning_lr", b) * factor
        found[block.hinge, "max_norm"] = np.inf
    if blocks:
        found |= {(top, quantity): settings.rate("tuning_lr", layers) * factor for quantity in ("lr", "lr_bias")}
    if feedback:
        found[feedback, "lr"] = settings.rate("tuning_lr", layers) * factor
    return found
