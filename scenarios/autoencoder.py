"""A circular autoencoder that learns to reconstruct its input by recirculation or a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.loop import loop_figures
from circuitsim.circuits.autoencoder import (
    ERROR_DRIVEN,
    RULES,
    circular_autoencoder,
    mixing_losses,
    variant_coefficients,
)
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.first_weights import bias_at_mean
from circuitsim.scenarios.layered import ImageSettings
from circuitsim.scenarios.networks import (
    QUICK,
    Parameters,
    check_features,
    errors_of_output,
    layered_shapes,
    which_are_read,
)
from circuitsim.scenarios.own_functions import own_rule
from circuitsim.scenarios.reporting import finish_with_reconstructions

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

_LAMBDA = "a number from 0 to 1, or a list of two"
_PAIR = "none, or a list of two numbers from 0 to 1: layer 0's and that of the hidden layers"
_MIXED = ("emits", "remembers")


class AutoencoderSettings(ImageSettings):
    """The settings of `autoencoder`."""

    rule: str = Field("rec", description=f"one of {', '.join(RULES)}; or FILE.py:FUNCTION, a local rule of your own")
    variant: Literal["pr", "ccr", "rcc", "ccrcc", "rwcc"] = Field("pr", description="pr, ccr, rcc, ccrcc or rwcc")
    lam: float | list[float] = Field(0.5, description=_LAMBDA)
    emits: list[float] | None = Field(None, description=_PAIR)
    remembers: list[float] | None = Field(None, description=_PAIR)
    compensate: Flag = False
    cycles: int = Field(1, ge=1, le=100, description="a whole number from 1 to 100")
    reference_cycle: int = Field(0, ge=0, description="a whole number >= 0 and below cycles")
    top_rule: Literal["same", "gradient", "own"] = Field("same", description="same, gradient or own")
    bias: Flag = True
    output_bias: Literal["data", "zero"] = Field("data", description="data or zero")
    loop_examples: int | None = Field(None, ge=1, description="none, or a whole number >= 1")

    FIXED: ClassVar[tuple[str, ...]] = (*ImageSettings.FIXED, "loop_examples")

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        super().model_post_init(context)
        if self.sizes[0] != self.sizes[-1]:
            refuse("sizes", self.sizes, "the last size equal to the first", "Layer L is layer 0: repeat its size.")
        if self.reference_cycle >= self.cycles:
            refuse(
                "reference_cycle",
                self.reference_cycle,
                f"a whole number below cycles = {self.cycles}",
                "The rule compares an earlier cycle with a later one.",
            )
        lam = self.lam if isinstance(self.lam, list) else [self.lam]
        if len(lam) not in (1, 2) or not all(0 <= value <= 1 for value in lam):
            refuse(
                "lam",
                self.lam,
                _LAMBDA,
                "Give one coefficient, or one for what is emitted and one for what is remembered.",
            )
        self._check_mixing()
        if self.loop_examples and self.output == "softmax":
            refuse("loop_examples", self.loop_examples, "none with a softmax output", "Its units have no slopes.")
        if self.rule not in RULES and ".py:" not in self.rule:
            refuse("rule", self.rule, str(type(self).model_fields["rule"].description), "Choose one of these.")
        mixed = any(sum(getattr(self, key) or []) > 0 for key in _MIXED)
        if self.rule == "error-rec" and (mixed or (self.variant, self.cycles) != ("pr", 1)):
            refuse(
                "rule",
                self.rule,
                "variant = pr and cycles = 1 beside error-rec",
                "Errors recirculate once and do not mix with activities.",
            )

    def _check_mixing(self) -> None:
        for key in _MIXED:
            pair = getattr(self, key)
            if pair is not None and (len(pair) != 2 or not all(0 <= value <= 1 for value in pair)):
                refuse(key, pair, _PAIR, "They replace the coefficients of the variant.")
        if not self.compensate:
            return
        if self.cycles > 1:
            refuse(
                "cycles", self.cycles, "1 with compensate", "Only the mixing of one recirculation can be compensated."
            )
        if min(self.losses) <= 0:
            refuse("compensate", True, "mixing that leaves a part of the post terms", "Mix with less than 1.")

    def code_files(self) -> list[str]:
        """Return the files of a rule and of activations of the user's own."""
        return super().code_files() + ([] if self.rule in RULES else [self.rule.rpartition(":")[0]])

    @property
    def mixing(self) -> dict[str | tuple[str, str], float]:
        """`emits` and `remembers` of layers 0 ... L - 1: the variant's, or those given in the settings."""
        found = variant_coefficients(self.variant, self.lam, self.top)
        for key in _MIXED:
            pair = getattr(self, key)
            if pair is not None:
                found |= {(f"layer{h}", key): float(pair[h > 0]) for h in range(self.top)}
        return found

    @property
    def losses(self) -> list[float]:
        """Factors by which mixing reduces the post terms of layers 1 ... L."""
        return mixing_losses(self.mixing, self.top, self.top_rule)

    @property
    def top(self) -> int:
        """L."""
        return len(self.sizes) - 1


def design(settings: AutoencoderSettings) -> Design:
    """Return the circuit, protocol and parameters of settings."""
    circuit, protocol = circular_autoencoder(
        settings.row,
        settings.rule if settings.rule in RULES else own_rule(settings.rule, settings.located),
        hidden=settings.fires("hidden"),
        output=settings.fires("output"),
        bias=settings.bias,
        delay=settings.delay,
        cycles=settings.cycles,
        reference_cycle=settings.reference_cycle,
        top_rule=settings.top_rule,
        bounded=settings.max_norm is not None,
        window=settings.window,
    )
    parameters: Parameters = {}
    compensated = settings.compensate and settings.rule not in ERROR_DRIVEN
    left = settings.losses if compensated else [1.0] * settings.top
    for q in (q for q in circuit.projections if not q.constant):
        h = int(q.name[1:])
        parameters[q.name, "lr"] = settings.rate("lr", h) / left[h - 1]
        parameters[q.name, "lr_bias"] = settings.rate("lr_bias", h) / left[h - 1]
        parameters[q.name, "momentum"] = settings.momentum
    if settings.max_norm is not None:
        parameters |= {(p.name, "max_norm"): settings.max_norm for p in circuit.populations if p.bounded}
    if settings.rule not in ERROR_DRIVEN:
        parameters |= settings.mixing
    return Design(circuit, protocol, which_are_read(circuit, parameters))


def check(settings: AutoencoderSettings, data: Dataset) -> None:
    """Refuse sizes that do not fit the data, and an output that cannot start at the data's mean."""
    check_features(settings, data)
    if settings.bias and settings.output_bias == "data":
        initial_bias(settings, data)


def initial_bias(settings: AutoencoderSettings, data: Dataset) -> np.ndarray:
    """Return the top bias at which the output of a silent circuit is the training mean: f_L(b) = mean.

    Where neurons of a channel share their bias, it is the channel's mean.
    """
    shape = layered_shapes(settings.row, "A")[f"A{settings.top}.bias"]
    return bias_at_mean("output_bias", settings.fires("output"), shape, data)


def prepare(settings: AutoencoderSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return the top bias, if it follows from the data."""
    if settings.bias and settings.output_bias == "data":
        bias = initial_bias(settings, data)
        shape = layered_shapes(settings.row, "A")[f"A{settings.top}.bias"]
        return {f"A{settings.top}.bias": bias.reshape(shape)}
    return {}


def inspect(simulator: Simulator, settings: AutoencoderSettings, data: Dataset) -> Figures:
    """Return `loop/gain`, and `loop/step` of rules that it describes, over the first `loop_examples` examples."""
    if not settings.loop_examples:
        return {}
    found = loop_figures(simulator, data.train[: settings.loop_examples])
    return found if settings.rule in ("rec", "error-rec") else {"loop/gain": found["loop/gain"]}


SCENARIO = Scenario(
    name="autoencoder",
    description="a circular autoencoder learns by recirculation (five variants) or a baseline",
    settings=AutoencoderSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=lambda settings: layered_shapes(settings.row, "A"),
    evaluate=errors_of_output,
    inspect=inspect,
    finish=finish_with_reconstructions,
    quick=QUICK,
)
