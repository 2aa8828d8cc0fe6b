"""The keys of the scenario `classifier`, and what they may be."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from circuitsim.circuits.classifier import FEEDBACK, KNOWN, PRIMITIVES
from circuitsim.runs.config import build, refuse
from circuitsim.scenarios.layered import LayeredSettings, Output

_ANY = "a number"
_POSITIVE = "a number >= 0"
_FRACTION = "a number above 0, up to 1"
STEPS = {"fa": 0.0, "urfb": 1.0, "kp": 1.0}
NEVER = "never"


class Table(BaseModel):
    """A key whose value is a table."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Primitives(Table):
    """The coefficients of the primitives whose sum moves feedback synapses, and the rate."""

    decay: float = Field(0.0, description=_ANY)
    amp: float = Field(0.0, description=_ANY)
    null: float = Field(0.0, description=_ANY)
    sparse: float = Field(0.0, description=_ANY)
    self: float = Field(0.0, description=_ANY)
    rate: float = Field(0.01, ge=0, description=_POSITIVE)


class Mirroring(Table):
    """What is fired in mirror mode, when, and what feedback synapses make of it."""

    noise: Literal["gaussian", "uniform"] = Field("gaussian", description="gaussian or uniform")
    scale: float = Field(0.5, ge=0, description=_POSITIVE)
    rate: float = Field(0.1, ge=0, description=_POSITIVE)
    decay: float = Field(0.01, ge=0, description=_POSITIVE)
    centre: bool = Field(False, description="true or false")
    block_bias: bool = Field(False, description="true or false")
    normalise: bool = Field(False, description="true or false")
    passes_before: int = Field(0, ge=0, description="a whole number >= 0")
    passes_per_update: int = Field(1, ge=0, description="a whole number >= 0")


class ClassifierSettings(LayeredSettings):
    """The keys of `classifier` beside those that all scenarios share."""

    sizes: list[int] = Field(
        [64, 32, 10], description="a list of at least two whole numbers from 1 to 10^9, units by layer"
    )
    output: Output = Field("softmax", description="identity, tanh, logistic, relu or saturated; or softmax")
    feedback: Literal["bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa"] = Field(
        "bp", description=f"one of {', '.join(FEEDBACK)}"
    )
    loss: Literal["error", "hinge"] = Field("error", description="error or hinge")
    hinge_margin: Literal["one", "mu"] = Field("one", description="one or mu")
    feedback_step: float | None = Field(None, ge=0, description="none, or a number >= 0")
    weight_decay: float = Field(0.0, ge=0, description=_POSITIVE)
    ss_kind: Literal["uniform", "fixed", "batch"] = Field("uniform", description="uniform, fixed or batch")
    primitives: dict[str, Any] | None = Field(None, description=f"none, or a table of {', '.join(KNOWN)} and rate")
    mirror: dict[str, Any] = Field(default_factory=dict, description="a table")
    density: float = Field(1.0, gt=0, le=1, description=_FRACTION)
    updates: Literal["last", "at-once", "either"] = Field("last", description="last, at-once or either")
    update_chance: float = Field(1.0, gt=0, le=1, description=_FRACTION)
    feedback_refresh: Annotated[int, Field(ge=0, le=2**24)] | Literal["never"] | None = Field(
        None, description="none, never, or a whole number of presentations from 0 (none) to 2^24"
    )
    feedback_delay: int | None = Field(
        None, ge=1, le=1000, description="none, or a whole number of ticks from 1 to 1000"
    )
    angle_examples: int = Field(1000, ge=1, description="a whole number >= 1")

    FIXED: ClassVar[tuple[str, ...]] = (*LayeredSettings.FIXED, "angle_examples")

    def model_post_init(self, context: Any) -> None:
        """Checks across keys; fills what follows from the kind of feedback."""
        super().model_post_init(context)
        if self.feedback not in STEPS and self.feedback_step is not None:
            refuse(
                "feedback_step",
                self.feedback_step,
                f"none with feedback {self.feedback}",
                f"Leave it out, or choose feedback {', '.join(STEPS)}.",
            )
        if self.feedback != "bp" and self.feedback_refresh:
            refuse(
                "feedback_refresh",
                self.feedback_refresh,
                f"none with feedback {self.feedback}",
                "Leave it out, or choose feedback bp, whose weights can be copies.",
            )
        if self.feedback_step is None and self.feedback in STEPS:
            object.__setattr__(self, "feedback_step", STEPS[self.feedback])
        object.__setattr__(self, "mirror", build(Mirroring, self.mirror, "mirror.").model_dump())
        object.__setattr__(self, "primitives", self._coefficients())

    def _coefficients(self) -> dict[str, Any] | None:
        """A table with a coefficient takes the place of the rule's, and what it does not name is 0."""
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
