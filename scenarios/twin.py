"""The twin of a network trained by backpropagation: each layer a circular autoencoder, then fine-tuned (Table 1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.blocks import block_alignment, block_errors
from circuitsim.analysis.classification import classification_errors
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.blocks import TUNING
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.twin import Twin, tourbillonize
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.development import DevelopmentSettings, Grown, stages
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.layered import HIDDEN, Output
from circuitsim.scenarios.networks import QUICK_STAGES, check_classes, check_features, errors_of_output, which_are_read
from circuitsim.scenarios.reporting import finish

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator


class TwinSettings(DevelopmentSettings):
    """The settings of `twin`."""

    original: Literal["classifier", "autoencoder"] = Field("classifier", description="classifier or autoencoder")
    sizes: list[int] = Field(
        [64, 32, 16, 10], description="a list of at least three whole numbers from 1 to 10^9, units by layer"
    )
    top: Output = Field("softmax", description=f"{HIDDEN}; or softmax")
    output_block: Flag = False
    bias: Flag = True

    FIXED: ClassVar[tuple[str, ...]] = (*DevelopmentSettings.FIXED, "original", "output_block")

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        if len(self.sizes) < 3:
            refuse("sizes", self.sizes, str(type(self).model_fields["sizes"].description), "Add a hidden layer.")
        super().model_post_init(context)
        if self.original == "autoencoder" and self.sizes[0] != self.sizes[-1]:
            refuse("sizes", self.sizes, "the last size equal to the first", "An autoencoder reconstructs its input.")
        if self.updates != "last":
            refuse("updates", self.updates, "last", "Choose the scenario tourbillon for updates at once.")

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.sizes) - (1 if self.output_block else 2)


def twin_of(settings: TwinSettings) -> Twin:
    """Return the twin of the network that the settings describe."""
    shape: dict[str, Any] = {"hidden": settings.hidden, "bias": settings.bias, "delay": settings.delay}
    if settings.original == "autoencoder":
        circuit, _ = circular_autoencoder(settings.sizes, "bp", output=settings.output, **shape)
    else:
        circuit, _ = layered_classifier(settings.sizes, "bp", output=settings.top, **shape)
    bounded = settings.bounded
    return tourbillonize(circuit, image=settings.output, output_block=settings.output_block, bounded=bounded)


def design(settings: TwinSettings) -> Design:
    """Return the circuit, protocol, parameters and stages of settings."""
    twin = twin_of(settings)
    protocol = replace(twin.protocol, window=settings.window)
    blocks = [Grown(b.encoder.name, b.decoder.name, b.hinge.name, b.groups) for b in twin.blocks]
    (top,) = (q.name for q in twin.circuit.projections if q.target == twin.circuit.outputs)
    tuned = any(p.group == TUNING for p in twin.circuit.plasticity)
    return Design(
        twin.circuit,
        protocol,
        which_are_read(twin.circuit, {(q, "momentum"): settings.momentum for q in twin.circuit.rules}),
        decaying=(),  # the rates of each stage have decayed already
        stages=stages(twin.circuit, settings, protocol, blocks, top, tuned=tuned),
    )


def check(settings: TwinSettings, data: Dataset) -> None:
    """Refuse sizes that do not fit the data, and data without classes for a classifier."""
    if settings.original == "classifier":
        check_classes(settings, data)
    else:
        check_features(settings, data)


def tensor_shapes(settings: TwinSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of the twin."""
    circuit, found = twin_of(settings).circuit, dict[str, tuple[int, ...]]()
    for q in circuit.projections:
        if q.has_tensor:
            post, pre = circuit.population(q.target).size, circuit.population(q.source).size
            found |= {f"{q.name}.weight": (post, pre)} | ({f"{q.name}.bias": (post,)} if q.bias else {})
    return found


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss`, or `mse` and `bce`, of the output, `mse/b` and `spread/b` of each block."""
    if simulator.circuit.labels:
        return {} if y is None else classification_errors(simulator, x, y) | block_errors(simulator, x)
    return errors_of_output(simulator, x) | block_errors(simulator, x)


SCENARIO = Scenario(
    name="twin",
    description="the twin of a classifier or autoencoder: each layer a circular autoencoder, fine-tuned by decoders",
    settings=TwinSettings,
    design=design,
    check=check,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=block_alignment,
    finish=finish,
    quick=QUICK_STAGES,
)
