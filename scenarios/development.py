"""The development of a Tourbillon: the parts that learn in each epoch, and their rates.

Blocks grow in sequence, with a lag, or all from the start; each learns for `epochs`. The supervised top layer follows
like a further block and learns for `top_epochs`. Then everything is fine-tuned for `tuning_epochs`. Rates fall
by the factor `lr_decay` after each epoch of a part's own growth, and anew in fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.tuning import tuning_alignment
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.blocks import TOP, TOP_FEEDBACK, TUNING
from circuitsim.data import Dataset
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Stage
from circuitsim.scenarios.fields import Count, CountOrZero, Limit, Positive
from circuitsim.scenarios.first_weights import alike, images_at_mean
from circuitsim.scenarios.layered import ImageSettings, Rates
from circuitsim.scenarios.networks import both_rates, element, fits, layer_rates, which_are_read
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

MOST_EPOCHS = 100_000
_EACH_BLOCK = "a number >= 0, or a list with one for each block"
_EACH_LAYER = "a number >= 0, or a list with one for each layer above the input"


class DevelopmentSettings(ImageSettings):
    """The settings of circuits that develop."""

    batch: Count = 20
    lr: Rates = Field(0.02, description=_EACH_LAYER)
    lr_decay: Positive = 0.95
    epochs: CountOrZero = 10
    top_epochs: CountOrZero = 0
    tuning_epochs: CountOrZero = 20
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
    memories: Limit = None
    unpool: Literal["upsample", "winners"] = Field("upsample", description="upsample or winners")
    image_bias: Literal["zero", "data"] = Field("zero", description="zero or data")
    alike: float | None = Field(None, ge=0, description="none, or a number >= 0")
    error_examples: Limit = None

    FIXED: ClassVar[tuple[str, ...]] = (
        *ImageSettings.FIXED,
        "schedule",
        "lag",
        "top_epochs",
        "tuning_epochs",
        "error_examples",
    )

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        super().model_post_init(context)
        self._check_rates("tuning_lr")
        for key in ("decoder_lr", "bounds"):
            if not fits(getattr(self, key), self.blocks):
                expected = f"{type(self).model_fields[key].description} ({self.blocks} blocks)"
                refuse(key, getattr(self, key), expected, "Match the list to sizes.")
        if (count := self.blocks * max(self.epochs, self.lag) + self.top_epochs + self.tuning_epochs) > MOST_EPOCHS:
            remedy = "Lower epochs, lag, top_epochs or tuning_epochs."
            refuse("epochs", f"{count} epochs in all", f"at most {MOST_EPOCHS}, each with its own rates", remedy)
        if self.memories is not None and self.interval is None:
            refuse("memories", self.memories, "none without an interval", "Set interval too: presentations overlap.")
        if self.max_norm is not None:
            refuse("max_norm", self.max_norm, "none", "Set bounds, one for each block's hinge.")
        if self.alike is not None and not any("local" in text for text in self.layers or []):
            refuse("alike", self.alike, "none without untied layers", 'Name some in layers, such as "local 6 5".')

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.sizes) - 2

    def first_weights(self, circuit: Circuit, data: Dataset) -> dict[str, np.ndarray]:
        """Return tensors of a replica that follow from the data, or locations that begin alike."""
        found = {} if self.alike is None else alike(circuit, self.alike, self.seed)
        return found | (images_at_mean(circuit, data) if self.image_bias == "data" else {})

    @property
    def bounded(self) -> bool:
        """Return whether any hinge's incoming synapses are bounded."""
        return any(element(self.bounds, b) for b in range(1, self.blocks + 1))


def hinge_errors(simulator: Simulator, settings: DevelopmentSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Compare the errors of fine-tuning with backpropagation's over the first `error_examples` examples."""
    if not settings.error_examples or all(p.group != TUNING for p in simulator.circuit.plasticity):
        return {}
    first = slice(settings.error_examples)
    labels = data.train_labels if simulator.circuit.labels else None
    return tuning_alignment(simulator, data.train[first], None if labels is None else labels[first])


@dataclass(frozen=True)
class Grown:
    """A block that grows: the names of its encoder, decoder and hinge, and its groups of rules."""

    encoder: str
    decoder: str
    hinge: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """A block, or the top: the epochs in which it grows, and its groups of rules."""

    name: str
    first: int
    last: int
    groups: tuple[str, ...]

    def grows(self, epoch: int) -> bool:
        return self.first <= epoch < self.last


def stages(
    circuit: Circuit,
    settings: DevelopmentSettings,
    protocol: Protocol,
    blocks: Sequence[Grown],
    top: str,
    feedback: str | None = None,
    *,
    tuned: bool = True,
) -> tuple[Stage, ...]:
    """Return a stage for each epoch of a development.

    Parameters
    ----------
    protocol : a presentation in which everything learns. blocks : from the input up.
    top : the projection that learns from the output's error. feedback : the one that passes it on, if it learns.
    tuned : whether a projection carries the error on; otherwise the top alone continues to learn.
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
    return tuple(replace(stage, parameters=which_are_read(circuit, stage.parameters)) for stage in found)


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
    """Return rates and bounds in an epoch of growth; parts that have grown keep those of their last epoch."""
    found: dict[tuple[str, str], float] = {}
    for b, (part, block) in enumerate(zip(parts[:-1], blocks, strict=True), 1):
        factor = _decayed(settings, part, epoch)
        found |= layer_rates(settings, block.encoder, b, factor)
        found |= both_rates(block.decoder, element(settings.decoder_lr, b) * factor)
        found[block.hinge, "max_norm"] = element(settings.bounds, b) or np.inf
    if all(block.encoder != top for block in blocks):
        found |= layer_rates(settings, top, len(settings.sizes) - 1, _decayed(settings, parts[-1], epoch))
    return found


def _decayed(settings: DevelopmentSettings, part: _Part, epoch: int) -> float:
    return _power(settings.lr_decay, min(max(epoch, part.first), max(part.last - 1, part.first)) - part.first)


def _power(decay: float, epochs: int) -> float:
    """Return the factor of rates after some epochs; one that overflows is infinite, and the run diverges."""
    with np.errstate(over="ignore"):
        return float(np.float64(decay) ** epochs)


def _tuned(
    settings: DevelopmentSettings, blocks: Sequence[Grown], top: str, feedback: str | None, epoch: int
) -> dict[tuple[str, str], float]:
    """Return the rates of fine-tuning, in which there are no bounds."""
    layers, factor = len(settings.sizes) - 1, _power(settings.lr_decay, epoch)
    found: dict[tuple[str, str], float] = {}
    for b, block in enumerate(blocks, 1):
        found |= both_rates(block.encoder, settings.rate("tuning_lr", b) * factor)
        found[block.hinge, "max_norm"] = np.inf
    if blocks:
        found |= both_rates(top, settings.rate("tuning_lr", layers) * factor)
    if feedback:
        found[feedback, "lr"] = settings.rate("tuning_lr", layers) * factor
    return found
