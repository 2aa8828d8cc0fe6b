"""A Tourbillon of Tourbillons: fast loops inside a slow loop, each learning by recirculation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.blocks import block_alignment, block_errors
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.blocks import TUNING
from circuitsim.circuits.nest import OUTER, nested_autoencoder
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.runs.design import Design, Stage
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.fields import Flag, Ticks
from circuitsim.scenarios.layered import LayeredSettings, Rates
from circuitsim.scenarios.networks import (
    QUICK,
    Parameters,
    both_rates,
    check_features,
    element,
    errors_of_output,
    fits,
    layer_rates,
    which_are_read,
)
from circuitsim.scenarios.reporting import finish_with_reconstructions

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

_EACH = "a number >= 0, or a list with one for each hidden layer"


class NestSettings(LayeredSettings):
    """The settings of `nest`."""

    sizes: list[int] = Field(
        [64, 32, 64], description="a list of at least three whole numbers from 1 to 10^9, units by layer"
    )
    cores: list[int] = Field([16], description="a list of whole numbers from 1 to 10^9, one for each hidden layer")
    learns: Literal["both", "tuned", "inner", "outer"] = Field("both", description="both, tuned, inner or outer")
    inner_first: int = Field(0, ge=0, description="a whole number of epochs >= 0")
    inner_lr: Rates = Field(0.01, description=_EACH)
    decoder_lr: Rates = Field(0.1, description=_EACH)
    bounds: Rates = Field(0.0, description=f"{_EACH}, 0 for none")
    outer_delay: Ticks = 3
    bias: Flag = True

    FIXED: ClassVar[tuple[str, ...]] = (*LayeredSettings.FIXED, "cores", "inner_first")

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        super().model_post_init(context)
        fields = type(self).model_fields
        if len(self.sizes) < 3 or self.sizes[0] != self.sizes[-1]:
            refuse("sizes", self.sizes, "at least three, the last equal to the first", "Layer L is layer 0.")
        hidden = len(self.sizes) - 2
        if len(self.cores) != hidden or not all(1 <= size <= 10**9 for size in self.cores):
            refuse("cores", self.cores, f"{fields['cores'].description} ({hidden})", "Match the list to sizes.")
        for key in ("inner_lr", "decoder_lr", "bounds"):
            if not fits(getattr(self, key), hidden):
                refuse(key, getattr(self, key), f"{fields[key].description} ({hidden})", "Match the list to sizes.")
        if self.max_norm is not None:
            refuse("max_norm", self.max_norm, "none", "Set bounds, one for each core.")
        if self.inner_first > self.epochs:
            refuse("inner_first", self.inner_first, f"no more than epochs = {self.epochs}", "Lower it.")

    @property
    def bounded(self) -> bool:
        """Return whether any core's incoming synapses are bounded."""
        return any(element(self.bounds, h) for h in range(1, len(self.sizes) - 1))


def design(settings: NestSettings) -> Design:
    """Return the circuit, protocol, parameters and stages of settings; the inner loops may learn alone at first."""
    circuit, protocol = nested_autoencoder(
        settings.sizes,
        settings.cores,
        hidden=settings.fires("hidden"),
        output=settings.fires("output"),
        bias=settings.bias,
        delay=settings.delay,
        outer_delay=settings.outer_delay,
        bounded=settings.bounded,
        window=settings.window,
    )
    inner = tuple(g for h in range(1, len(settings.sizes) - 1) for g in (f"encoder {h}", f"decoder {h}"))
    groups = {"both": (*inner, OUTER), "tuned": (*inner, OUTER, TUNING), "inner": inner, "outer": (OUTER,)}
    first = Stage(settings.inner_first, replace(protocol, groups=inner), name="inner loops")
    rest = Stage(settings.epochs - settings.inner_first, replace(protocol, groups=groups[settings.learns]), name="all")
    return Design(
        circuit,
        protocol,
        which_are_read(circuit, _parameters(settings, circuit)),
        stages=(first, rest) if settings.inner_first else (rest,),
    )


def _parameters(settings: NestSettings, circuit: Circuit) -> Parameters:
    found: Parameters = {(q, "momentum"): settings.momentum for q in circuit.rules}
    for h in range(1, len(settings.sizes)):
        found |= layer_rates(settings, f"A{h}", h)
    for h in range(1, len(settings.sizes) - 1):
        found |= both_rates(f"P{h}", element(settings.inner_lr, h))
        found |= both_rates(f"Q{h}", element(settings.decoder_lr, h))
        if settings.bounded:
            found[f"core{h}", "max_norm"] = element(settings.bounds, h) or np.inf
    return found


def tensor_shapes(settings: NestSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors."""
    n, shapes = settings.sizes, dict[str, tuple[int, ...]]()
    for h in range(1, len(n)):
        shapes |= {f"A{h}.weight": (n[h], n[h - 1]), f"A{h}.bias": (n[h],)}
    for h, core in enumerate(settings.cores, 1):
        shapes |= {f"P{h}.weight": (core, n[h]), f"P{h}.bias": (core,)}
        shapes |= {f"Q{h}.weight": (n[h], core), f"Q{h}.bias": (n[h],)}
    return shapes


def evaluate(simulator: Simulator, x: np.ndarray, _: np.ndarray | None = None) -> Figures:
    """Return `mse` and `bce` of the outer loop, `mse/h` and `spread/h` of each inner loop."""
    return errors_of_output(simulator, x) | block_errors(simulator, x)


SCENARIO = Scenario(
    name="nest",
    description="a Tourbillon of Tourbillons: fast circular autoencoders inside a slow one",
    settings=NestSettings,
    design=design,
    check=check_features,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    inspect=block_alignment,
    finish=finish_with_reconstructions,
    quick=QUICK,
)
