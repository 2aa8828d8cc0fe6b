"""Spatial layouts of autoencoders: circular ones, and standard ones with the learning channels of Table 5."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.metrics import reconstruction_errors
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.channels import ROWS, standard_autoencoder
from circuitsim.circuits.layouts import bidirectional_autoencoder, conjoined_autoencoder
from circuitsim.runs.config import build, refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.autoencoder import AutoencoderSettings, initial_bias
from circuitsim.scenarios.fields import Flag
from circuitsim.scenarios.layered import LayeredSettings
from circuitsim.scenarios.networks import QUICK, Parameters, check_features, layer_rates, which_are_read
from circuitsim.scenarios.reporting import finish_with_reconstructions
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

BIDIRECTIONAL = {"bidirectional": "asymmetric", "bidirectional-symmetric": "symmetric"}
CONJOINED = {"conjoined": "asymmetric", "conjoined-symmetric": "symmetric", "conjoined-mirrored": "mirrored"}
REFERENCES = ("bp", "rbp", "top")
LAYOUTS = (*BIDIRECTIONAL, *CONJOINED, *ROWS, *REFERENCES)


class LayoutSettings(LayeredSettings):
    """The settings of `layouts`."""

    layout: str = Field("conjoined", description=f"one of {', '.join(LAYOUTS)}")
    bias: Flag = True
    output_bias: Literal["data", "zero"] = Field("data", description="data or zero")

    def model_post_init(self, context: Any) -> None:
        """Check settings against each other."""
        super().model_post_init(context)
        if self.layout not in LAYOUTS:
            refuse("layout", self.layout, str(type(self).model_fields["layout"].description), "Choose one of these.")
        if len(self.sizes) != 3 or self.sizes[0] != self.sizes[2]:
            refuse(
                "sizes", self.sizes, "three layers, the last size equal to the first", "These have one hidden layer."
            )
        if self.max_norm is not None:
            refuse("max_norm", self.max_norm, "none: these layouts have no bounds", "Leave it out, or lower lr.")


def described(settings: LayoutSettings) -> tuple[Circuit, Protocol]:
    """Return the circuit of a layout and its protocol; output neurons have biases, hidden ones have none."""
    sizes, name, delay = settings.sizes, settings.layout, settings.delay
    shared: dict[str, Any] = {key: settings.fires(key) for key in settings.ACTIVATIONS}
    shared |= {"bias": settings.bias, "window": settings.window}
    if name in BIDIRECTIONAL:
        return bidirectional_autoencoder(sizes, BIDIRECTIONAL[name], delay=delay, **shared)
    if name in CONJOINED:
        return conjoined_autoencoder(sizes, CONJOINED[name], delays=(delay, delay), **shared)
    if name in ROWS:
        return standard_autoencoder(sizes, ROWS[name], delay=delay, **shared)
    circuit, protocol = circular_autoencoder(sizes, name, delay=delay, **shared)
    alike = tuple(replace(q, bias=False) if q.name == "A1" else q for q in circuit.projections)
    return replace(circuit, projections=alike), protocol


def design(settings: LayoutSettings) -> Design:
    """Return the circuit, protocol and parameters of settings; a channel that learns has the rate of layer 2."""
    circuit, protocol = described(settings)
    parameters: Parameters = {}
    for q in circuit.projections:
        parameters |= layer_rates(settings, q.name, 1 if q.name == "A1" else 2)
        parameters[q.name, "momentum"] = settings.momentum
    return Design(circuit, protocol, which_are_read(circuit, parameters))


def check(settings: LayoutSettings, data: Dataset) -> None:
    """Refuse sizes that do not fit the data, and an output that cannot start at the data's mean."""
    check_features(settings, data)
    _ = _start(settings, data)


def prepare(settings: LayoutSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return the channels that are identities, the output's biases, and weights that start symmetric."""
    channels = ROWS[settings.layout].identities if settings.layout in ROWS else ()
    found = {f"{name}.weight": np.eye(settings.sizes[0]) for name in channels} | _start(settings, data)
    if settings.layout == "conjoined-mirrored":
        from circuitsim.engine.initial import glorot

        visible, inner = settings.sizes[:2]
        found["A1.weight"] = glorot(settings.seed, "A2.weight", (visible, inner), (inner, visible)).T
    return found


def _start(settings: LayoutSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return the output's biases if they follow from the data, by the name of their projection."""
    if not settings.bias or settings.output_bias == "zero":
        return {}
    named = next(q.name for q in described(settings)[0].projections if q.bias)
    alike = build(AutoencoderSettings, {"sizes": settings.sizes, "output": settings.output})
    return {f"{named}.bias": initial_bias(alike, data)}


def tensor_shapes(settings: LayoutSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that a layout of these sizes can have."""
    visible, middle, _ = settings.sizes
    up, down, square = (middle, visible), (visible, middle), (visible, visible)
    matrices = {"A1": up, "A2": down, "B2": up, "C1": square, "C2": up, "C3": square}
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in matrices.items()}
    return shapes | {"A2.bias": (visible,), "C3.bias": (visible,)}


def evaluate(simulator: Simulator, x: np.ndarray, _: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return `mse` of the circuit's output, in row 3 that of the image that C3 carries back."""
    return reconstruction_errors(simulator, x, logistic=False)


SCENARIO = Scenario(
    name="layouts",
    description="circular autoencoders bidirectional or conjoined; standard ones with the learning channels of Table 5",
    settings=LayoutSettings,
    design=design,
    check=check,
    prepare=prepare,
    tensor_shapes=tensor_shapes,
    evaluate=evaluate,
    finish=finish_with_reconstructions,
    quick=QUICK,
)
