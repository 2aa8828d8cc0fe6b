"""Population, Projection, Exchange, Plasticity: the frozen parts of a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from circuitsim.locality import Certificate

ACTIVATIONS = ("identity", "tanh", "logistic", "relu", "saturated", "softmax")


class LocalRule(Protocol):
    """What a circuit needs to know of a rule: its name and the certificate of what it reads."""

    @property
    def name(self) -> str: ...
    @property
    def certificate(self) -> Certificate: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Population:
    """Neurons of one kind. `site` names where they are: populations with equal sites are colocated, neuron by neuron.

    Parameters
    ----------
    name : unique in the circuit.
    size : number of neurons, >= 1.
    activation : identity, tanh, logistic, relu, saturated, or softmax, which is lateral and has no slope; ignored by
        feedback neurons, which are linear.
    site : default the population's own name.
    mixes : in a recirculation cycle these neurons combine what they compute with what they held at cycle 0.
    feedback : these neurons carry errors; they fire in the feedback phase.
    bounded : after each update the norm of a neuron's incoming weights is bounded (its parameter `max_norm`).
    """

    name: str
    size: int
    activation: str = "identity"
    site: str = ""
    mixes: bool = False
    feedback: bool = False
    bounded: bool = False

    def __post_init__(self) -> None:
        if not self.site:
            object.__setattr__(self, "site", self.name)


@dataclass(frozen=True)
class Projection:
    """Synapses from every neuron of `source` to every neuron of `target`.

    Parameters
    ----------
    name : unique; its tensors are `name.weight` (target size, source size) and `name.bias` (target size).
    delay : ticks from emission to arrival, >= 1.
    bias : each target neuron also has a synapse from a unit whose activity is always 1.
    transports : the projection whose transposed weights this one uses; a declared non-local wire.
    """

    name: str
    source: str
    target: str
    delay: int = 1
    bias: bool = False
    transports: str | None = None


class Carries(str, Enum):
    """What a colocated exchange hands over within the tick."""

    OUTPUT = "output"  # the activity, which the target takes as its own input of the next cycle
    ERROR = "error"  # cycle 0's activity of the target less the source's, likewise
    TARGET = "target"  # the activity, as what an error is measured against
    ACTUAL = "actual"  # the activity, as what is subtracted from the target
    SLOPE = "slope"  # the derivative of the source's activation, which gates the target


RECIRCULATES = (Carries.OUTPUT, Carries.ERROR)


@dataclass(frozen=True)
class Exchange:
    """A value that colocated neurons share within a tick, one to one."""

    source: str
    target: str
    carries: Carries


@dataclass(frozen=True)
class Plasticity:
    """Which rule changes a projection's synapses, and whose memory stands for its two neurons.

    Parameters
    ----------
    projection : the projection that learns.
    rule, bias_rule : traced local rules; the bias's default is `rule`, with a presynaptic activity of 1.
    pre, post : populations colocated with the projection's source and target; default those themselves.
    momentum : whether the synapses have a velocity, which the parameter `momentum` feeds.
    """

    projection: str
    rule: LocalRule
    bias_rule: LocalRule | None = None
    pre: str = ""
    post: str = ""
    momentum: bool = True
