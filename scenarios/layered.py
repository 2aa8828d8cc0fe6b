"""The keys of scenarios whose circuits are rows of layers: units, activations, learning rates, timing."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from circuitsim.circuits.layers import TEXTS, parse_layers
from circuitsim.circuits.networks import EVERY
from circuitsim.circuits.places import Layers, dense_layers
from circuitsim.errors import CircuitError
from circuitsim.rules import Activation
from circuitsim.runs.config import TrainingSettings, expectation, refuse
from circuitsim.runs.own import IN_FILE
from circuitsim.scenarios.fields import must
from circuitsim.scenarios.own_functions import own_activation

NAMED = ("identity", "tanh", "logistic", "relu", "saturated", "saturated-half")
Hidden = Annotated[str, must(lambda name: name in NAMED or IN_FILE in name)]
Output = Annotated[str, must(lambda name: name in (*NAMED, "softmax") or IN_FILE in name)]
Rates = float | list[float]
OWN = "FILE.py:FUNCTION, an activation of your own"
HIDDEN = f"{', '.join(NAMED[:-1])} or {NAMED[-1]}; or {OWN}"
OUTPUT = f"{HIDDEN}; or softmax"
_RATES = "a number >= 0, or a list with one for each layer above the input"
MOST_LAYERS = 1000


class LayeredSettings(TrainingSettings):
    """The keys of a circuit with layers 0 (input) to L."""

    sizes: list[int] = Field(
        [64, 16, 64], description="a list of at least two whole numbers from 1 to 10^9, units by layer"
    )
    hidden: Hidden = Field("tanh", description=HIDDEN)
    output: Output = Field("logistic", description=OUTPUT)
    lr: Rates = Field(0.01, description=_RATES)
    lr_bias: Rates | None = Field(None, description=_RATES)
    momentum: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1")
    init: Literal["glorot"] = Field("glorot", description="glorot")
    max_norm: float | None = Field(None, gt=0, description="none, or a number above 0")
    window: int | None = Field(None, ge=0, description="none, or a whole number of ticks >= 0")
    delay: int = Field(1, ge=1, le=1000, description="a whole number of ticks from 1 to 1000")

    FIXED: ClassVar[tuple[str, ...]] = (*TrainingSettings.FIXED, "sizes")
    SHAPING: ClassVar[tuple[str, ...]] = ("sizes",)

    def model_post_init(self, context: Any) -> None:
        """Check keys against each other; lr_bias equals lr unless it is given."""
        super().model_post_init(context)
        if len(self.sizes) < 2 or not all(1 <= size <= 10**9 for size in self.sizes):
            refuse("sizes", self.sizes, expectation(type(self), "sizes"), "Give units for each layer, input first.")
        if len(self.sizes) > MOST_LAYERS:
            refuse("sizes", f"{len(self.sizes)} layers", f"at most {MOST_LAYERS}", "Give fewer.")
        for key in ("lr", "lr_bias"):
            self._check_rates(key)
        if self.lr_bias is None:
            object.__setattr__(self, "lr_bias", self.lr)

    ACTIVATIONS: ClassVar[tuple[str, ...]] = ("hidden", "output")
    """Keys that name activations."""

    @property
    def row(self) -> Layers:
        """The layers."""
        return dense_layers(self.sizes)

    def fires(self, key: str) -> str | Activation:
        """Return the activation that a key such as `hidden` names; one of the user's own is loaded from its file."""
        given: str = getattr(self, key)
        return own_activation(key, given, self.located) if IN_FILE in given else given

    def code_files(self) -> list[str]:
        """Return the files of activations of the user's own."""
        given = (getattr(self, key) for key in self.ACTIVATIONS)
        return [name.rpartition(":")[0] for name in given if IN_FILE in name]

    def _check_rates(self, key: str) -> None:
        value = getattr(self, key)
        rates = value if isinstance(value, list) else [] if value is None else [value]
        layers = len(self.sizes) - 1
        if any(rate < 0 for rate in rates):
            refuse(key, value, expectation(type(self), key), "Rates are not negative.")
        if isinstance(value, list) and len(value) != layers:
            refuse(key, value, f"one number, or {layers} for layers 1 to {layers}", "Match the list to sizes.")

    def rate(self, key: str, h: int) -> float:
        """Return the value of a key of rates, such as `lr`, for layer h = 1 ... L."""
        value = getattr(self, key)
        return float(value[h - 1] if isinstance(value, list) else value)


class ImageSettings(LayeredSettings):
    """The keys of a circuit whose layers may be convolutions, untied, pools and so on, named by texts."""

    layers: list[str] | None = Field(None, description=f"none, or a list of {TEXTS}")
    network: str | None = Field(None, description=f"none, or one of {', '.join(EVERY)}")

    FIXED: ClassVar[tuple[str, ...]] = (*LayeredSettings.FIXED, "layers", "network")
    SHAPING: ClassVar[tuple[str, ...]] = ("sizes", "layers")

    def model_post_init(self, context: Any) -> None:
        """Take the sizes from the layers; then check keys against each other."""
        self._take_layers()
        super().model_post_init(context)

    def _take_layers(self) -> None:
        """Fill in the layers from `network`, and the sizes from the layers."""
        if self.network is not None:
            if self.network not in EVERY:
                refuse("network", self.network, expectation(type(self), "network"), "Choose one of these.")
            if self.layers is not None and self.layers != list(EVERY[self.network]):
                refuse("network", self.network, "none beside layers", "Remove one of the two.")
            object.__setattr__(self, "layers", list(EVERY[self.network]))
        if self.layers is None:
            return
        try:
            sizes = self.row.sizes
        except CircuitError as error:
            refuse("layers", self.layers, error.expected, f"{error.remedy} Got {error.got}.")
        if "sizes" in self.model_fields_set and self.sizes != sizes:
            refuse("sizes", self.sizes, "none beside layers", "Remove one of the two.")
        object.__setattr__(self, "sizes", sizes)

    @property
    def row(self) -> Layers:
        """The layers."""
        return dense_layers(self.sizes) if self.layers is None else parse_layers(self.texts, self._shape())

    @property
    def texts(self) -> list[str]:
        """The layers above the input as texts, with all that other keys add to them."""
        return self.layers or []

    def _shape(self) -> tuple[int, ...]:
        """Return the shape of an example as it is shown."""
        from circuitsim.data import shape_of

        shape = shape_of(self.dataset)
        return shape if len(shape) < 3 else (shape[0], shape[1] // self.downsample, shape[2] // self.downsample)
