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
    replaced : in cycle 1 the feedback signal takes the place of these neurons' forward activity.
    centres : these neurons fire f(S) less its mean over the batch; batch statistics are a declared non-local wire.
    """

    name: str
    size: int
    activation: str = "identity"
    site: str = ""
    mixes: bool = False
    feedback: bool = False
    bounded: bool = False
    replaced: bool = False
    centres: bool = False

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
    signs : of the transported weights only the signs are used; the magnitudes are this projection's own.
    refreshed : the transported weights are taken over at the start of every `every`-th presentation (a parameter) and
        kept in between: weight transport that comes late.
    redrawn : the magnitudes beside `signs` are drawn anew for every presentation.
    waits : its increments add up until a presentation at which they are applied, with the probability `chance`.
    shares : the projection whose weights this one uses as they are. Between the same sites these are the same synapses
        passing another signal at another time; anywhere else it is weight sharing, a declared non-local wire.
    normalised : after each update its weights are divided by their Frobenius norm; a declared non-local wire.
    feedback : between replaced neurons: it carries the feedback signal of cycle 1 down, and nothing else.
    masked : only some of its synapses exist, each with the probability `density` (a parameter); the others stay zero.
    """

    name: str
    source: str
    target: str
    delay: int = 1
    bias: bool = False
    transports: str | None = None
    signs: bool = False
    refreshed: bool = False
    redrawn: bool = False
    waits: bool = False
    shares: str | None = None
    normalised: bool = False
    feedback: bool = False
    masked: bool = False

    @property
    def weights(self) -> str:
        """The projection whose weights pass the signals."""
        return (None if self.signs or self.refreshed else self.transports) or self.shares or self.name

    @property
    def own(self) -> bool:
        """Whether it has weights of its own."""
        return self.weights == self.name


class Carries(str, Enum):
    """What a colocated exchange hands over within the tick."""

    INPUT = "input"  # the activity of cycle 0, which the target takes as its own of cycle 0
    OUTPUT = "output"  # the activity, which the target takes as its own input of the next cycle
    ERROR = "error"  # cycle 0's activity of the target less the source's, likewise
    TARGET = "target"  # the activity, as what an error is measured against
    ACTUAL = "actual"  # the activity, as what is subtracted from the target
    MARGIN = "margin"  # the summed input, which a target class must bring above a margin and the others below
    SLOPE = "slope"  # the derivative of the source's activation, which gates the target


RECIRCULATES = (Carries.OUTPUT, Carries.ERROR)
TAKEN = (Carries.INPUT, *RECIRCULATES)  # as the target's own activity
COMPARED = (Carries.ACTUAL, Carries.MARGIN)


@dataclass(frozen=True)
class Exchange:
    """A value that colocated neurons share within a tick, one to one.

    With `remote` the two are at different sites and the value comes through no projection: a declared non-local wire.
    `turns` is for loops within loops, whose cycles are those of the fastest: what recirculates is taken over `turns`
    cycles later, an input in cycle 0 and, where turns > 1, in every turns-th cycle.
    """

    source: str
    target: str
    carries: Carries
    remote: bool = False
    turns: int = 1


class Noise(str, Enum):
    """What neurons fire in mirror mode."""

    GAUSSIAN = "gaussian"  # its scale is the standard deviation
    UNIFORM = "uniform"  # its scale is the half-width


@dataclass(frozen=True)
class Mirror:
    """Mirror mode of one forward projection: its source fires noise, its target answers, nothing else happens.

    Parameters
    ----------
    projection : the projection that the noise goes through; the parameter `noise_scale` is its own.
    noise : gaussian or uniform, drawn afresh for each wave and each of the batch's examples.
    block_bias : the answering neurons leave out their biases.
    centre : the answers are taken less their mean over the batch; batch statistics are a declared non-local wire.
    """

    projection: str
    noise: Noise = Noise.GAUSSIAN
    block_bias: bool = False
    centre: bool = False


@dataclass(frozen=True)
class Plasticity:
    """Which rule changes a projection's synapses, and whose memory stands for its two neurons.

    Parameters
    ----------
    projection : the projection that learns.
    rule, bias_rule : traced local rules; the bias's default is `rule`, with a presynaptic activity of 1.
    pre, post : populations colocated with the projection's source and target; default those themselves.
    momentum : whether the synapses have a velocity, which the parameter `momentum` feeds.
    transports : the projection whose transposed weights the rule reads as `far`; a declared non-local wire.
    mirror : the mirrored projection in whose mirror mode the rule applies; otherwise it applies in presentations.
    group : a name by which protocols choose what learns; any number of rules may have the same.
    """

    projection: str
    rule: LocalRule
    bias_rule: LocalRule | None = None
    pre: str = ""
    post: str = ""
    momentum: bool = True
    transports: str | None = None
    mirror: str = ""
    group: str = ""
