"""Population, Projection, Exchange, Plasticity: the frozen parts of a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from circuitsim.circuit.connectivity import DENSE, Connectivity, Shape, size_of
from circuitsim.circuit.norms import Norm
from circuitsim.circuit.weights import OWN, Copied, Fixed, Signs, Tied, Transposed, Weights, origin
from circuitsim.errors import CircuitError
from circuitsim.locality import Certificate

ACTIVATIONS = ("identity", "tanh", "logistic", "relu", "saturated", "saturated-half", "elu", "softmax")


class Combine(str, Enum):
    """Ways in which a neuron combines what arrives over its synapses."""

    SUM = "sum"
    PRODUCT = "product"  # of one sum for each projection: gating
    MAX = "max"  # of one projection's synapses; the neuron remembers which synapse won


class Masks(str, Enum):
    """Ways to draw which synapses of a masked projection exist."""

    SYNAPSE = "synapse"  # each stored weight by itself
    LOCATION = "location"  # one pattern of the kernel for all locations of an untied layer
    SOURCE = "source"  # source neurons: those drawn reach all neurons above, the others none


class LocalRule(Protocol):
    """The part of a rule that a circuit uses: its name, its certificate and its text."""

    @property
    def name(self) -> str: ...
    @property
    def certificate(self) -> Certificate: ...
    @property
    def text(self) -> str: ...


class LocalActivation(Protocol):
    """The part of an activation of a user's own that a circuit uses: its name and its text."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...


Activates = str | LocalActivation
"""An activation function: its name, or what `local_activation` makes of one's own."""


@dataclass(frozen=True)
class Population:
    """Neurons of one kind at one site. Populations with equal sites are colocated, neuron by neuron.

    Parameters
    ----------
    name : unique in the circuit.
    size : number of neurons, >= 1; default the product of the shape.
    activation : identity, tanh, logistic, relu, saturated (S between -1 and 1), saturated-half (S / 2, likewise), elu
        (S above 0, else exp(S) - 1), or softmax, which is lateral and has no slope; or a function of one's own, made by
        `local_activation`; ignored by feedback neurons, which are linear.
    site : name of the place; default the population's own name.
    mixes : in a recirculation cycle these neurons combine their new activity with their activity of cycle 0.
    feedback : these neurons carry errors; they fire in the feedback phase.
    bounded : after each update the norm of a neuron's incoming weights is bounded (its parameter `max_norm`).
    replaced : in cycle 1 the feedback signal takes the place of these neurons' forward activity.
    centres : these neurons fire f(S) minus its mean over the batch; batch statistics are a declared non-local wire.
    shape : for example (channel, row, column), whose product is the size; default (size,). The neurons are numbered in
        C order; a shape changes nothing but what connectivities make of it.
    combine : how the neurons combine what arrives, a `Combine` or its value: sum, product of the projections, max of
        one projection's synapses.
    dropout : fraction of these neurons, from 0 to below 1, that are silent in a presentation that teaches, drawn for
        each example; the others fire 1 / (1 - dropout) times their activity (inverted dropout).
    norm : how these neurons, of identity activation, normalise their summed input; None: they do not.
    """

    name: str
    size: int = -1
    activation: Activates = "identity"
    site: str = ""
    mixes: bool = False
    feedback: bool = False
    bounded: bool = False
    replaced: bool = False
    centres: bool = False
    shape: Shape = ()
    combine: Combine = Combine.SUM
    dropout: float = 0.0
    norm: Norm | None = None

    def __post_init__(self) -> None:
        if not self.site:
            object.__setattr__(self, "site", self.name)
        object.__setattr__(self, "shape", _shape(self.name, self.shape))
        if self.size == -1:
            object.__setattr__(self, "size", size_of(self.shape) if self.shape else 0)
        # a row of neurons follows the size
        object.__setattr__(self, "shape", (self.size,) if len(self.shape) < 2 else tuple(self.shape))
        if self.combine in {how.value for how in Combine}:
            object.__setattr__(self, "combine", Combine(self.combine))


def _shape(name: str, given: object) -> Shape:
    """Return a shape as a tuple; CircuitError for what is no sequence of whole numbers."""
    if isinstance(given, (tuple, list)) and all(isinstance(n, int) and not isinstance(n, bool) for n in given):
        return tuple(given)
    raise CircuitError(
        f"population {name}",
        got=f"shape {given!r}",
        expected="whole numbers, such as (channel, row, column)",
        remedy="Correct it.",
    )


@dataclass(frozen=True)
class Projection:
    """Synapses from neurons of `source` to neurons of `target`.

    Parameters
    ----------
    name : unique; its tensors are `name.weight` and `name.bias`, with shapes that its connectivity gives.
    delay : ticks from emission to arrival, >= 1.
    bias : each target neuron also has a synapse from a unit whose activity is always 1.
    weights : the source of its weights; default weights of its own.
    masked : only some of its synapses exist, each with the probability `density` (a parameter); the others stay zero.
    masks : how the synapses of a masked projection are drawn.
    deferred : its increments add up until a presentation at which they are applied, with the probability
        `update_probability` (a parameter).
    feedback : it joins replaced neurons, carries their feedback signal of cycle 1 down, and nothing else.
    connectivity : which synapses exist; default all. Pools and upsampling have fixed weights of 1 unless other weights
        are named.
    winners : a population that combines by max, colocated with the source: of the synapses of its incoming projection,
        read backwards, only those that won pass the signal. "": none is chosen.
    lag : in a clocked protocol the signal of step t belongs to the target's step t + lag: 0 within a step, >= 1 from a
        step to a later one. Feedback neurons, whose events run over the steps backwards, may have lags below 0.
    """

    name: str
    source: str
    target: str
    delay: int = 1
    bias: bool = False
    weights: Weights = OWN
    masked: bool = False
    masks: Masks = Masks.SYNAPSE
    deferred: bool = False
    feedback: bool = False
    connectivity: Connectivity = DENSE
    winners: str = ""
    lag: int = 0

    def __post_init__(self) -> None:
        if self.weights == OWN and getattr(self.connectivity, "fixed", False):
            object.__setattr__(self, "weights", Fixed(1.0))

    @property
    def tensor_owner(self) -> str:
        """The projection whose weight tensor passes the signals."""
        return str(origin(self.weights)) if isinstance(self.weights, (Transposed, Tied)) else self.name

    @property
    def has_tensor(self) -> bool:
        """True if a weight tensor is stored under its own name."""
        return self.tensor_owner == self.name

    @property
    def dense(self) -> bool:
        """True if every pair of neurons has a synapse."""
        return self.connectivity == DENSE

    @property
    def constant(self) -> bool:
        """True if its weights never change; they are no tensor that anyone loads."""
        return isinstance(self.weights, Fixed)

    @property
    def refreshed(self) -> bool:
        """True if its weights are copied or drawn anew at the start of presentations."""
        return isinstance(self.weights, Copied) or (isinstance(self.weights, Signs) and self.weights.redrawn)

    @property
    def transposed_from(self) -> str | None:
        """The projection whose transposed weights, or their signs, it uses or copies; None for no weight transport."""
        return None if isinstance(self.weights, Tied) else origin(self.weights)

    @property
    def tied_to(self) -> str | None:
        """The projection whose weights it uses as they are, or None."""
        return self.weights.to if isinstance(self.weights, Tied) else None


class Carries(str, Enum):
    """The value that a colocated exchange passes within the tick."""

    INPUT = "input"  # the activity of cycle 0; the target takes it as its own of cycle 0
    OUTPUT = "output"  # the activity; the target takes it as its input of the next cycle
    ERROR = "error"  # the target's activity of cycle 0 minus the source's activity, likewise
    TARGET = "target"  # the activity, as the target of an error
    ACTUAL = "actual"  # the activity that is subtracted from the target
    MARGIN = "margin"  # the summed input: above a margin for the target class, below it for the others
    SLOPE = "slope"  # the derivative of the source's activation; it gates the target


RECIRCULATES = (Carries.OUTPUT, Carries.ERROR)
TAKEN = (Carries.INPUT, *RECIRCULATES)  # as the target's own activity
COMPARED = (Carries.ACTUAL, Carries.MARGIN)


@dataclass(frozen=True)
class Exchange:
    """A value that one neuron passes to a colocated one within a tick, one to one.

    With `remote` the neurons are at different sites and the value passes no projection: a declared non-local wire.
    `period` serves loops within loops, which count the cycles of the fastest loop: a recirculated value is taken over
    `period` cycles later; an input is taken over in cycle 0 and, if period > 1, in every period-th cycle.
    """

    source: str
    target: str
    carries: Carries
    remote: bool = False
    period: int = 1


class Noise(str, Enum):
    """Distribution of the noise that neurons fire in mirror mode, or noise from outside."""

    GAUSSIAN = "gaussian"  # its scale is the standard deviation
    UNIFORM = "uniform"  # its scale is the half-width
    GIVEN = "given"  # read from the arrays that `Simulator.use_noise` takes; it has no scale


@dataclass(frozen=True)
class Mirror:
    """Mirror mode of one forward projection: its source fires noise, its target answers, all else rests.

    Parameters
    ----------
    projection : the projection that passes the noise; the parameter `noise_scale` belongs to it.
    noise : gaussian or uniform, drawn anew for each pass and each example of the batch; or given, row by row.
    block_bias : the answering neurons leave out their biases.
    centre : the mean over the batch is subtracted from the answers; batch statistics are a declared non-local wire.
    """

    projection: str
    noise: Noise = Noise.GAUSSIAN
    block_bias: bool = False
    centre: bool = False


@dataclass(frozen=True)
class Plasticity:
    """A rule of a projection's synapses, and the populations whose memory it reads as presynaptic and postsynaptic.

    Parameters
    ----------
    projection : the projection that learns.
    rule, bias_rule : traced local rules; `bias_rule` defaults to `rule` with a presynaptic activity of 1.
    pre, post : populations colocated with the projection's source and target; default those themselves.
    momentum : the synapses have a velocity, with the parameter `momentum`.
    nesterov : a step looks ahead (Nesterov momentum): it adds the increment and the momentum's part of the new velocity
        in place of the velocity; for all rules of a projection or for none.
    transposed_from : the projection whose transposed weights the rule reads as `w_remote`; a declared non-local wire.
    mirror : the projection in whose mirror mode the rule applies; "" for a rule that applies in presentations.
    group : a name by which protocols choose the rules that learn; several rules may share it.
    each_step : in a clocked protocol the rule runs at every step t at which all that it reads happens, and its
        increments add up. `at(k)` then counts steps back from the present: `post.at(k)` is the neuron at step t - k,
        `pre.at(k)` what the synapse passed on to that step. Before the first step neurons are silent.
    trace : the rule that gives each synapse's `trace` its next value, from pre, post, w and the trace itself, at every
        step and for each example; it is 0 before the first step. Then `rule` reads `trace`.
    third : the population whose memory `rule` reads as `third`: colocated with the target and of its size, or a single
        neuron anywhere, whose broadcast is a declared non-local wire.
    """

    projection: str
    rule: LocalRule
    bias_rule: LocalRule | None = None
    pre: str = ""
    post: str = ""
    momentum: bool = True
    transposed_from: str | None = None
    mirror: str = ""
    group: str = ""
    each_step: bool = False
    trace: LocalRule | None = None
    third: str = ""
    nesterov: bool = False
