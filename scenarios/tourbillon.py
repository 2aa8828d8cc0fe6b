"""A Tourbillon: a stack of circular autoencoders that grows, below a top layer that learns classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.blocks import block_alignment, block_errors
from circuitsim.analysis.classification import classification_errors
from circuitsim.circuits.blocks import RULES
from circuitsim.circuits.tourbillon import CHANNELS, growing, tourbillon
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.development import DevelopmentSettings, Grown, stages
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.layered import HIDDEN, Output
from circuitsim.scenarios.networks import QUICK_STAGES, UPDATES, Shapes, check_classes, which_are_read
from circuitsim.scenarios.reporting import finish

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


class TourbillonSettings(DevelopmentSettings):
    """The settings of `tourbillon`."""

    sizes: list[int] = Field(
        [64, 32, 16, 10], description="a list of at least three whole numbers from 1 to 10^9, units by layer"
    )
    top: Output = Field("softmax", description=f"{HIDDEN}; or softmax")
    loss: Literal["error", "hinge"] = Field("error", description="error or hinge")
    block_rule: Literal["rec", "rec-symmetric", "bp", "rbp"] = Field("rec", description=f"one of {', '.join(RULES)}")
    channel: Literal["decoders", "bp", "random", "none"] = Field(
        "decoders", description=f"one of {', '.join(CHANNELS)}"
    )
    top_feedback: Literal["fixed", "learning"] = Field("fixed", description="fixed or learning")
    bias: Flag = True

    FIXED: ClassVar[tuple[str, ...]] = DevelopmentSettings.FIXED

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        if len(self.sizes) < 3:
            refuse("sizes", self.sizes, str(type(self).model_fields["sizes"].description), "Add a block's hinge.")
        super().model_post_init(context)
        if self.channel not in ("decoders", "random") and self.top_feedback == "learning":
            refuse("top_feedback", self.top_feedback, "fixed beside this channel", "Choose decoders or random.")


def design(settings: TourbillonSettings) -> Design:
    """Return the circuit, protocol, parameters and stages of settings."""
    circuit, protocol = tourbillon(
        settings.sizes,
        settings.block_rule,
        channel=settings.channel,
        loss=settings.loss,
        hidden=settings.hidden,
        output=settings.output,
        top=settings.top,
        bias=settings.bias,
        delay=settings.delay,
        bounded=settings.bounded,
        updates=UPDATES[settings.updates],
        window=settings.window,
    )
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


def tensor_shapes(settings: TourbillonSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that a Tourbillon of these sizes can have."""
    sizes, n = settings.sizes, len(settings.sizes) - 1
    shapes: Shapes = {f"W{n}.weight": (sizes[n], sizes[n - 1]), f"W{n}.bias": (sizes[n],)}
    for b in range(1, n):
        up, down = (sizes[b], sizes[b - 1]), (sizes[b - 1], sizes[b])
        shapes |= {f"E{b}.weight": up, f"E{b}.bias": up[:1], f"D{b}.weight": down, f"D{b}.bias": down[:1]}
        shapes |= {f"R{b}.weight": up, f"B{b + 1}.weight": (sizes[b], sizes[b + 1])}
    return shapes


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss` of the top, `mse` and `spread` of each block."""
    return {} if y is None else classification_errors(simulator, x, y) | block_errors(simulator, x)


SCENARIO = Scenario(
    name="tourbillon",
    description="a stack of circular autoencoders grows, a top layer learns classes, decoders pass its error down",
    settings=TourbillonSettings,
    design=design,
    check=check_classes,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=block_alignment,
    finish=finish,
    quick=QUICK_STAGES,
)
