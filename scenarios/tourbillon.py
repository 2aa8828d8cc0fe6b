"""A Tourbillon: a stack of circular autoencoders that grows, below a top layer that learns classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.blocks import block_alignment, block_errors
from circuitsim.analysis.classification import classification_errors
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.blocks import RULES
from circuitsim.circuits.tourbillon import CHANNELS, growing, tourbillon
from circuitsim.data import Dataset
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.development import DevelopmentSettings, Grown, hinge_errors, stages
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.layered import OUTPUT, Output
from circuitsim.scenarios.networks import QUICK_STAGES, UPDATES, Shapes, check_classes, which_are_read
from circuitsim.scenarios.reporting import finish
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


class TourbillonSettings(DevelopmentSettings):
    """The settings of `tourbillon`."""

    sizes: list[int] = Field(
        [64, 32, 16, 10], description="a list of at least three whole numbers from 1 to 10^9, units by layer"
    )
    top: Output = Field("softmax", description=OUTPUT)
    loss: Literal["error", "hinge"] = Field("error", description="error or hinge")
    block_rule: Literal["rec", "rec-symmetric", "bp", "rbp"] = Field("rec", description=f"one of {', '.join(RULES)}")
    images: Literal["same", "identity", "tanh", "logistic", "relu", "saturated"] = Field(
        "same", description="same, identity, tanh, logistic, relu or saturated"
    )
    channel: Literal["decoders", "winners", "bp", "random", "none"] = Field(
        "decoders", description=f"one of {', '.join(CHANNELS)}"
    )
    top_feedback: Literal["fixed", "learning", "transposed"] = Field(
        "fixed", description="fixed, learning or transposed"
    )
    bias: Flag = True

    ACTIVATIONS: ClassVar[tuple[str, ...]] = (*DevelopmentSettings.ACTIVATIONS, "top")
    FIXED: ClassVar[tuple[str, ...]] = DevelopmentSettings.FIXED

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        if len(self.sizes) < 3:
            refuse("sizes", self.sizes, str(type(self).model_fields["sizes"].description), "Add a block's hinge.")
        super().model_post_init(context)
        if self.channel in ("bp", "none") and self.top_feedback != "fixed":
            refuse("top_feedback", self.top_feedback, "fixed beside this channel", "Choose decoders or random.")


def design(settings: TourbillonSettings) -> Design:
    """Return the circuit, protocol, parameters and stages of settings."""
    circuit, protocol = described(settings)
    n = len(settings.sizes) - 1
    blocks = [Grown(f"E{b}", f"D{b}", f"layer{b}", growing(b)) for b in range(1, n)]
    feedback = f"B{n}" if settings.top_feedback == "learning" else None
    return Design(
        circuit,
        protocol,
        which_are_read(circuit, {(q, "momentum"): settings.momentum for q in circuit.rules}),
        decaying=(),  # the rates of each stage have decayed already
        stages=stages(circuit, settings, protocol, blocks, f"W{n}", feedback, tuned=settings.channel != "none"),
    )


def described(settings: TourbillonSettings) -> tuple[Circuit, Protocol]:
    """Return the circuit and a presentation in which everything learns."""
    return tourbillon(
        settings.row,
        settings.block_rule,
        channel=settings.channel,
        top_weights="transposed" if settings.top_feedback == "transposed" else "own",
        loss=settings.loss,
        hidden=settings.fires("hidden"),
        output=settings.fires("output"),
        images="" if settings.images == "same" else settings.images,
        unpool=settings.unpool,
        top=settings.fires("top"),
        bias=settings.bias,
        delay=settings.delay,
        bounded=settings.bounded,
        updates=UPDATES[settings.updates],
        window=settings.window,
    )


def tensor_shapes(settings: TourbillonSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that a Tourbillon of these layers can have."""
    row, n, shapes = settings.row, len(settings.sizes) - 1, Shapes()
    for h, place in row.weighted.items():
        pre, post, up = row.source(h).shape, place.shape, place.connectivity
        shape, down = up.tensor_shape(pre, post), up.transposed()
        name = f"E{h}" if h < n else f"W{n}"
        shapes |= {f"{name}.weight": shape, f"{name}.bias": up.bias_shape(post)}
        shapes |= {f"B{h}.weight": down.tensor_shape(post, pre)} if h > 1 else {}
        if h < n:
            shapes |= {f"D{h}.weight": down.tensor_shape(post, pre), f"D{h}.bias": down.bias_shape(pre)}
            shapes |= {f"R{h}.weight": shape}
    return shapes


def check(settings: TourbillonSettings, data: Dataset) -> None:
    """Refuse layers and first biases that do not fit the data."""
    check_classes(settings, data)
    prepare(settings, data)


def prepare(settings: TourbillonSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return first weights that follow from the data or from each other."""
    return settings.first_weights(described(settings)[0], data)


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss` of the top, `mse` and `spread` of each block."""
    return {} if y is None else classification_errors(simulator, x, y) | block_errors(simulator, x)


def inspect(simulator: Simulator, settings: TourbillonSettings, data: Dataset) -> Figures:
    """Return `angle/b` of each block; with `error_examples`, `angle/error{b}` and `norm_ratio/error{b}` of hinges."""
    return block_alignment(simulator) | hinge_errors(simulator, settings, data)


SCENARIO = Scenario(
    name="tourbillon",
    description="a stack of circular autoencoders grows, a top layer learns classes, decoders pass its error down",
    settings=TourbillonSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=inspect,
    finish=finish,
    quick=QUICK_STAGES,
)
