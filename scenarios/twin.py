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
from circuitsim.scenarios.development import DevelopmentSettings, Grown, hinge_errors, stages
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.layered import OUTPUT, Output
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
    top: Output = Field("softmax", description=OUTPUT)
    output_block: Flag = False
    channel: Literal["decoders", "winners"] = Field("decoders", description="decoders or winners")
    bias: Flag = True

    ACTIVATIONS: ClassVar[tuple[str, ...]] = (*DevelopmentSettings.ACTIVATIONS, "top")
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
    shape: dict[str, Any] = {"hidden": settings.fires("hidden"), "bias": settings.bias, "delay": settings.delay}
    if settings.original == "autoencoder":
        circuit, _ = circular_autoencoder(settings.row, "bp", output=settings.fires("output"), **shape)
    else:
        circuit, _ = layered_classifier(settings.row, "bp", output=settings.fires("top"), **shape)
    return tourbillonize(
        circuit,
        image=settings.fires("output"),
        output_block=settings.output_block,
        unpool=settings.unpool,
        channel=settings.channel,
        bounded=settings.bounded,
    )


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
    prepare(settings, data)


def prepare(settings: TwinSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return first weights that follow from the data or from each other."""
    return settings.first_weights(twin_of(settings).circuit, data)


def tensor_shapes(settings: TwinSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of the twin."""
    circuit, found = twin_of(settings).circuit, dict[str, tuple[int, ...]]()
    for q in circuit.projections:
        if q.has_tensor and not q.constant:
            found[f"{q.name}.weight"] = circuit.tensor_shape(q.name)
            found |= {f"{q.name}.bias": circuit.bias_shape(q.name)} if q.bias else {}
    return found


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss`, or `mse` and `bce`, of the output, `mse/b` and `spread/b` of each block."""
    if simulator.circuit.labels:
        return {} if y is None else classification_errors(simulator, x, y) | block_errors(simulator, x)
    return errors_of_output(simulator, x) | block_errors(simulator, x)


def inspect(simulator: Simulator, settings: TwinSettings, data: Dataset) -> Figures:
    """Return `angle/b` of each block; with `error_examples`, `angle/error{b}` and `norm_ratio/error{b}` of hinges."""
    return block_alignment(simulator) | hinge_errors(simulator, settings, data)


SCENARIO = Scenario(
    name="twin",
    description="the twin of a classifier or autoencoder: each layer a circular autoencoder, fine-tuned by decoders",
    settings=TwinSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=inspect,
    finish=finish,
    quick=QUICK_STAGES,
)
