"""A recurrent convolutional classifier, shown each image for several steps, learns by errors through time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.recurrence import activity_over_steps, errors_over_steps
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import ACTIVATIONS
from circuitsim.circuits.cells import CELLS
from circuitsim.circuits.errors_through_time import FEEDBACK
from circuitsim.circuits.long_range import ROUTES, errors_by
from circuitsim.circuits.recurrent import recurrent_classifier
from circuitsim.engine.decisions import Readout
from circuitsim.errors import CircuitError
from circuitsim.runs.base import Figures
from circuitsim.runs.config import TrainingSettings, expectation, refuse
from circuitsim.runs.design import Design
from circuitsim.runs.scenario import Scenario
from circuitsim.scenarios.fields import CLASSES, Count, Flag, NonNegative, among, must
from circuitsim.scenarios.networks import QUICK, which_are_read
from circuitsim.scenarios.recurrent_classifier.report import finish
from circuitsim.timetable.protocol import Clock, Protocol

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

SHOWN = 100  # examples of which activity is measured
NEURONWISE = tuple(name for name in ACTIVATIONS if name != "softmax")
Odd = Annotated[int, Field(ge=1, le=99, description="a whole number from 1 to 99")]


class RecurrentSettings(TrainingSettings):
    """The settings of `recurrent-classifier`."""

    dataset: str = Field("cluttered-digits", description="a data set's name or the path of an .npz file")
    cell: Literal["none", "decay", "simple", "gru", "lstm", "ugrnn", "intersection", "reciprocal"] = Field(
        "simple", description=f"none, {', '.join(CELLS)}"
    )
    activation: Annotated[str, among(NEURONWISE)] = Field("elu", description=f"one of {', '.join(NEURONWISE)}")
    channels: Annotated[list[int], must(lambda n: bool(n) and min(n) >= 1)] = Field(
        [8, 16], description="a list of at least one whole number >= 1, channels of each layer"
    )
    kernel: Odd = 3
    recurrent_kernel: Odd = 3
    pool: Odd = 2
    top_down: Flag = False
    unroll: Literal["edge", "sweep"] = Field("sweep", description="edge or sweep")
    steps: Count = 4
    shown: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    blank: float = Field(0.0, description="a number")
    judged: Count = 2
    truncated: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    feedback: Literal["bp", "fa", "kp", "ss"] = Field("bp", description=f"one of {', '.join(FEEDBACK)}")
    errors: Literal["layers", "edges", "plastic-edges", "last"] = Field(
        "layers", description=f"one of {', '.join(ROUTES)}"
    )
    readout: Literal["last", "averaged", "confident"] = Field("last", description="last, averaged or confident")
    threshold: float = Field(0.9, gt=0, description="a number above 0")
    lr: NonNegative = 0.003
    lr_bias: float | None = Field(None, ge=0, description="none, or a number >= 0")
    momentum: float = Field(0.9, ge=0, lt=1, description="a number from 0 to below 1")
    nesterov: Flag = False
    weight_decay: NonNegative = 0.0
    batch: Count = 50

    SHAPING: ClassVar[tuple[str, ...]] = ("channels", "cell", "kernel", "recurrent_kernel", "pool")
    FIXED: ClassVar[tuple[str, ...]] = (*TrainingSettings.FIXED, *SHAPING)

    def model_post_init(self, context: object) -> None:
        """Check keys against each other; lr_bias equals lr unless it is given."""
        super().model_post_init(context)
        for key in ("shown", "judged"):
            if (getattr(self, key) or 1) > self.steps:
                refuse(
                    key, getattr(self, key), f"{expectation(type(self), key)}, at most steps={self.steps}", "Lower it."
                )
        try:
            _ = self.circuit
        except CircuitError as error:
            refuse("channels", self.channels, error.expected, f"{error.remedy} Got {error.got}.")
        if self.lr_bias is None:
            object.__setattr__(self, "lr_bias", self.lr)

    @property
    def forward(self) -> tuple[Circuit, dict[str, float]]:
        """The forward circuit, and the values with which its tensors begin."""
        return recurrent_classifier(
            self._shape(), self.channels, CLASSES, self.cell, kernel=self.kernel,
            recurrent_kernel=self.recurrent_kernel, pool=self.pool, top_down=self.top_down, unroll=self.unroll,
            blank=self.blank, activation=self.activation,
        )  # fmt: skip

    @property
    def circuit(self) -> Circuit:
        """The circuit that learns."""
        return errors_by(self.forward[0], self.errors, self.feedback)

    @property
    def clock(self) -> Clock:
        """The steps of a presentation."""
        return Clock(self.steps, self.shown, judged=self.judged, truncated=self.truncated)

    def _shape(self) -> tuple[int, ...]:
        from circuitsim.data import shape_of

        shape = shape_of(self.located(self.dataset))
        if len(shape) != 3:
            refuse("dataset", self.dataset, "a data set of images", "Choose one, or give the .npz file an image shape.")
        return shape[0], shape[1] // self.downsample, shape[2] // self.downsample


def design(settings: RecurrentSettings) -> Design:
    """Return the circuit, protocol and parameters of settings; errors of the judged steps count as their mean."""
    circuit = settings.circuit
    if settings.nesterov:
        circuit = replace(circuit, plasticity=tuple(replace(p, nesterov=True) for p in circuit.plasticity))
    parameters: dict[object, float] = {}
    for name in circuit.rules:
        parameters[name, "lr"] = settings.lr / settings.judged
        parameters[name, "lr_bias"] = float(settings.lr_bias or 0.0) / settings.judged
        parameters[name, "momentum"] = settings.momentum
        parameters[name, "weight_decay"] = settings.weight_decay
    return Design(circuit, Protocol(clock=settings.clock), which_are_read(circuit, parameters))


def check(settings: RecurrentSettings, data: Dataset) -> None:
    """Refuse data without classes, or with more of them than there are output neurons."""
    labels = data.train_labels
    if labels is None or data.test_labels is None or max(labels.max(), data.test_labels.max()) >= CLASSES:
        refuse("dataset", settings.dataset, f"a data set with at most {CLASSES} classes", "Choose another.")


def prepare(settings: RecurrentSettings, data: Dataset) -> dict[str, np.ndarray]:
    """Return the tensors that do not begin at random, such as the biases of gates."""
    circuit, starts = settings.forward
    found = {}
    for name, value in starts.items():
        owner, quantity = name.split(".")
        shape = circuit.tensor_shape(owner) if quantity == "weight" else circuit.bias_shape(owner)
        found[name] = np.full(shape, value)
    return found


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss` of the last step; `examine` has those of the readout."""
    if y is None:
        return {}
    found = errors_over_steps(simulator, x, y, Readout.LAST, 1.0)
    return {key: found[key] for key in ("error", "loss")}


def examine(simulator: Simulator, settings: RecurrentSettings, data: Dataset) -> Figures:
    """Return the test error of the readout, the steps until the decision, and the error at each step."""
    if data.test_labels is None:
        return {}
    found = errors_over_steps(simulator, data.test, data.test_labels, Readout(settings.readout), settings.threshold)
    return {"error_decided": found.pop("error"), **{key: v for key, v in found.items() if key != "loss"}}


def inspect(simulator: Simulator, settings: RecurrentSettings, data: Dataset) -> Figures:
    """Return the mean activity of populations at each step, of the first training examples."""
    return activity_over_steps(simulator, data.train[:SHOWN])


SCENARIO = Scenario(
    name="recurrent-classifier",
    description="a recurrent convolutional classifier learns through time, with seven kinds of cells",
    settings=RecurrentSettings,
    design=design,
    check=check,
    prepare=prepare,
    evaluate=evaluate,
    examine=examine,
    inspect=inspect,
    finish=finish,
    quick={**QUICK, "epochs": 1, "train_limit": 200, "test_limit": 100, "channels": [4, 4], "steps": 3},
)
