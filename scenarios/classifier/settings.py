"""The settings of `classifier`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from circuitsim.circuit.norms import NORMS
from circuitsim.circuits.classifier import FEEDBACK, KNOWN, PRIMITIVES
from circuitsim.circuits.networks import EVERY, normalised
from circuitsim.runs.config import build, refuse
from circuitsim.scenarios.fields import Count, CountOrZero, Flag, NonNegative
from circuitsim.scenarios.layered import OUTPUT, ImageSettings, Output

Coefficient = Annotated[float, Field(description="a number")]
_FRACTION = "a number above 0, up to 1"
STEPS = {"fa": 0.0, "urfb": 1.0, "kp": 1.0}
NEVER = "never"


class Table(BaseModel):
    """A key whose value is a table."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Primitives(Table):
    """The coefficients of the primitives whose sum changes feedback synapses, the rate, and what they read."""

    decay: Coefficient = 0.0
    amp: Coefficient = 0.0
    null: Coefficient = 0.0
    sparse: Coefficient = 0.0
    self: Coefficient = 0.0
    rate: NonNegative = 0.01
    reads: Literal["input", "activity"] = Field("input", description="input or activity")


class Mirroring(Table):
    """The noise of mirror mode, its passes, and the learning of feedback synapses."""

    noise: Literal["gaussian", "uniform"] = Field("gaussian", description="gaussian or uniform")
    scale: NonNegative = 0.5
    rate: NonNegative = 0.1
    decay: NonNegative = 0.01
    centre: Flag = False
    block_bias: Flag = False
    normalise: Flag = False
    passes_before: CountOrZero = 0
    passes_per_update: CountOrZero = 1


class ClassifierSettings(ImageSettings):
    """The settings of `classifier`."""

    sizes: list[int] = Field(
        [64, 32, 10], description="a list of at least two whole numbers from 1 to 10^9, units by layer"
    )
    norm: Literal["none", "online", "batch", "divisive"] = Field("none", description="none, online, batch or divisive")
    output: Output = Field("softmax", description=OUTPUT)
    feedback: Literal["bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa"] = Field(
        "bp", description=f"one of {', '.join(FEEDBACK)}"
    )
    loss: Literal["error", "hinge"] = Field("error", description="error or hinge")
    hinge_margin: Literal["one", "mu"] = Field("one", description="one or mu")
    feedback_step: float | None = Field(None, ge=0, description="none, or a number >= 0")
    weight_decay: NonNegative = 0.0
    bias: Flag = True
    ss_kind: Literal["uniform", "fixed", "batch"] = Field("uniform", description="uniform, fixed or batch")
    primitives: dict[str, Any] | None = Field(
        None, description=f"none, or a table of {', '.join(KNOWN)}, rate and reads"
    )
    mirror: dict[str, Any] = Field(default_factory=dict, description="a table")
    noise: str | None = Field(None, description="none, or the path of an .npz or .safetensors file")
    density: float = Field(1.0, gt=0, le=1, description=_FRACTION)
    masks: Literal["synapse", "location", "source"] = Field("synapse", description="synapse, location or source")
    shifted_test: float = Field(0.0, ge=0, lt=1, description="a fraction of an image's size, from 0 to below 1")
    updates: Literal["last", "at-once", "either"] = Field("last", description="last, at-once or either")
    update_probability: float = Field(1.0, gt=0, le=1, description=_FRACTION)
    copy_interval: Annotated[int, Field(ge=0, le=2**24)] | Literal["never"] | None = Field(
        None, description="none, never, or a whole number of presentations from 0 (none) to 2^24"
    )
    feedback_delay: int | None = Field(
        None, ge=1, le=1000, description="none, or a whole number of ticks from 1 to 1000"
    )
    angle_examples: Count = 1000
    class_errors: Flag = False
    running_loss: Flag = False

    FIXED: ClassVar[tuple[str, ...]] = (
        *ImageSettings.FIXED, "angle_examples", "class_errors", "running_loss", "shifted_test", "norm", "noise",
    )  # fmt: skip
    SHAPING: ClassVar[tuple[str, ...]] = (*ImageSettings.SHAPING, "norm")
    REAL_TARGETS: ClassVar[bool] = False
    """Whether the targets are real numbers in place of classes."""

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other; fill in those that follow from the kind of feedback."""
        super().model_post_init(context)
        if self.feedback not in STEPS and self.feedback_step is not None:
            refuse(
                "feedback_step",
                self.feedback_step,
                f"none with feedback {self.feedback}",
                f"Leave it out, or choose feedback {', '.join(STEPS)}.",
            )
        if self.feedback != "bp" and self.copy_interval:
            refuse(
                "copy_interval",
                self.copy_interval,
                f"none with feedback {self.feedback}",
                "Leave it out, or choose feedback bp, whose weights can be copies.",
            )
        if self.feedback != "wm" and self.noise is not None:
            refuse("noise", self.noise, f"none with feedback {self.feedback}", "Leave it out, or choose feedback wm.")
        if self.feedback_step is None and self.feedback in STEPS:
            object.__setattr__(self, "feedback_step", STEPS[self.feedback])
        object.__setattr__(self, "mirror", build(Mirroring, self.mirror, "mirror.").model_dump())
        object.__setattr__(self, "primitives", self._coefficients())

    @property
    def texts(self) -> list[str]:
        """The layers above the input as texts, with the norms that `norm` adds."""
        return super().texts if self.norm == "none" else normalised(super().texts, self.norm)

    def _take_layers(self) -> None:
        layers = self.layers or EVERY.get(self.network or "") or ()
        if self.norm != "none" and (not layers or any(str(text).endswith(tuple(NORMS)) for text in layers)):
            expected = "none without layers, and beside layers that normalise"
            refuse("norm", self.norm, expected, "Give layers without a norm of their own, or norm=none.")
        super()._take_layers()

    def noise_file(self) -> str | None:
        """Return the file with the noise of mirror mode."""
        return self.noise

    def _coefficients(self) -> dict[str, Any] | None:
        """Return the rule's coefficients, or those given, with 0 for each that is left out."""
        given = build(Primitives, self.primitives or {}, "primitives.").model_dump()
        if self.feedback not in PRIMITIVES:
            return self.primitives
        if not {*(self.primitives or {})} & {*KNOWN}:
            given |= dict.fromkeys(PRIMITIVES[self.feedback], 1.0)
        return given

    @property
    def top(self) -> int:
        """L."""
        return len(self.sizes) - 1
