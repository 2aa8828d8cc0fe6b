"""Population, Projection, Exchange, Plasticity, Circuit: a frozen, validated description of a circuit.

The only module that knows networkx. A circuit says what exists and what each part may touch; it holds no arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

import networkx as nx

from circuitsim.errors import CircuitError
from circuitsim.locality import Certificate, Wire, refuse_nonlocal, verdict

ACTIVATIONS = ("identity", "tanh", "logistic", "relu", "saturated", "softmax")


class LocalRule(Protocol):
    """What a circuit needs to know of a rule: its name and the certificate of what it reads."""

    @property
    def name(self) -> str: ...
    @property
    def certificate(self) -> Certificate: ...


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


@dataclass(frozen=True)
class Circuit:
    """A directed graph of populations and projections, frozen and checked when it is made.

    Parameters
    ----------
    name : what messages call it.
    populations, projections, exchanges, plasticity : its parts; an object's index is its place in these tuples.
    inputs : the population that is clamped to the data in cycle 0.
    outputs : the population whose activity in cycle 0 is the circuit's output.
    local : declared local in space; then a non-local wire is refused.

    Raises
    ------
    CircuitError : a part is malformed, missing, unreachable from the input, or not colocated where it must be.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    inputs: str
    outputs: str
    exchanges: tuple[Exchange, ...] = ()
    plasticity: tuple[Plasticity, ...] = ()
    local: bool = False

    def __post_init__(self) -> None:
        _check_names(self)
        _check_projections(self)
        _check_exchanges(self)
        _check_inputs(self)
        _check_feedback(self)
        _check_plasticity(self)
        _check_reachable(self)
        if self.local:
            refuse_nonlocal(self.name, verdict(self.wires, (), 0))

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """The circuit as a networkx graph; edges are projections (with delay) and exchanges (within the tick)."""
        graph = nx.MultiDiGraph(name=self.name)
        for population in self.populations:
            graph.add_node(population.name, population=population)
        for projection in self.projections:
            graph.add_edge(projection.source, projection.target, projection.name, delay=projection.delay)
        for exchange in self.exchanges:
            graph.add_edge(exchange.source, exchange.target, exchange.carries.value, delay=0)
        return graph

    @cached_property
    def wires(self) -> tuple[Wire, ...]:
        """The declared non-local wires."""
        found = [
            Wire("weight-transport", q.name, f"the transposed weights of {q.transports}")
            for q in self.projections
            if q.transports
        ]
        for p in self.populations:
            if p.activation == "softmax":  # each neuron divides by the sum over its layer
                found += [Wire("lateral", q.name, f"all neurons of {p.name}") for q in self.incoming[p.name]]
        return tuple(found)

    def population(self, name: str) -> Population:
        """Return the population of that name."""
        return self.populations[self.index[name]]

    def projection(self, name: str) -> Projection:
        """Return the projection of that name."""
        return self.projections[self.index[name]]

    @cached_property
    def index(self) -> dict[str, int]:
        """The index of every population and of every projection, by name."""
        found = {p.name: index for index, p in enumerate(self.populations)}
        return found | {q.name: index for index, q in enumerate(self.projections)}

    @cached_property
    def incoming(self) -> dict[str, tuple[Projection, ...]]:
        """The projections into each population, in the order of their index."""
        return {p.name: tuple(q for q in self.projections if q.target == p.name) for p in self.populations}

    @cached_property
    def outgoing(self) -> dict[str, tuple[Projection, ...]]:
        """The projections out of each population, in the order of their index."""
        return {p.name: tuple(q for q in self.projections if q.source == p.name) for p in self.populations}

    def exchanged(self, target: str, *kinds: Carries) -> tuple[Exchange, ...]:
        """The exchanges of the given kinds that end in a population."""
        return tuple(x for x in self.exchanges if x.target == target and x.carries in kinds)

    def colocated(self, first: str, second: str) -> bool:
        """Whether two populations are at the same site."""
        return self.population(first).site == self.population(second).site


def _refuse(what: str, got: object, expected: str, remedy: str) -> None:
    raise CircuitError(what, got=str(got), expected=expected, remedy=remedy)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_names(circuit: Circuit) -> None:
    parts: Iterable[Population | Projection] = (*circuit.populations, *circuit.projections)
    seen: set[str] = set()
    for part in parts:
        if not isinstance(part.name, str) or not part.name:
            _refuse(f"{type(part).__name__.lower()} of circuit {circuit.name}", repr(part.name), "a name", "Name it.")
        if part.name in seen:
            _refuse(f"circuit {circuit.name}", f"two parts called {part.name!r}", "unique names", "Rename one of them.")
        seen.add(part.name)
    for p in circuit.populations:
        if not _whole(p.size) or p.size < 1:
            _refuse(f"population {p.name}", f"size {p.size!r}", "a whole number >= 1", "Give it at least one neuron.")
        if p.activation not in ACTIVATIONS:
            _refuse(
                f"population {p.name}", f"activation {p.activation!r}", " ".join(ACTIVATIONS), "Choose one of these."
            )
    for role in (circuit.inputs, circuit.outputs):
        if role not in {p.name for p in circuit.populations}:
            _refuse(f"circuit {circuit.name}", f"input or output {role!r}", "one of its populations", "Name one.")


def _check_projections(circuit: Circuit) -> None:
    names = {p.name for p in circuit.populations}
    for q in circuit.projections:
        for end in (q.source, q.target):
            if end not in names:
                _refuse(
                    f"projection {q.name}", f"population {end!r}", f"one of {sorted(names)}", "Add it or rename it."
                )
        if not _whole(q.delay) or q.delay < 1:
            _refuse(
                f"projection {q.name}",
                f"delay {q.delay!r}",
                "a whole number of ticks >= 1",
                "Use an Exchange between colocated populations for what happens within the tick.",
            )
        if q.transports is not None:
            _check_transport(circuit, q)


def _check_transport(circuit: Circuit, q: Projection) -> None:
    origin = next((p for p in circuit.projections if p.name == q.transports), None)
    if origin is None or origin.transports is not None:
        _refuse(f"projection {q.name}", f"transports {q.transports!r}", "a projection with weights", "Name one.")
        return
    shape = (circuit.population(q.target).size, circuit.population(q.source).size)
    other = (circuit.population(origin.source).size, circuit.population(origin.target).size)
    if shape != other:
        _refuse(f"projection {q.name}", f"shape {shape}", f"{other}, {origin.name} transposed", "Match the layers.")
    if q.bias:
        _refuse(f"projection {q.name}", "a bias beside transported weights", "no bias", "Remove it.")


def _check_exchanges(circuit: Circuit) -> None:
    names = {p.name for p in circuit.populations}
    for x in circuit.exchanges:
        label = f"exchange {x.source} -> {x.target}"
        if x.source not in names or x.target not in names:
            _refuse(label, "an unknown population", f"two of {sorted(names)}", "Add it or rename it.")
        if not circuit.colocated(x.source, x.target):
            _refuse(
                label, "populations at different sites", "colocated ones", "Give both one site, or use a Projection."
            )
        if circuit.population(x.source).size != circuit.population(x.target).size:
            _refuse(label, "populations of different size", "equal sizes, neuron by neuron", "Match the sizes.")
        if x.carries is Carries.SLOPE and circuit.population(x.source).activation == "softmax":
            _refuse(label, "the slope of a softmax", "an activation with a slope of its own", "Use another activation.")
        kind = f"the {x.carries.value} for {x.target}"
        if x.carries not in RECIRCULATES and not circuit.population(x.target).feedback:
            _refuse(label, kind, "feedback neurons, which alone use it", "Make the target a feedback population.")
        if x.carries is Carries.SLOPE and _without_slope(circuit, x.source):
            _refuse(label, f"the slope of {x.source}", "neurons that fire by their own activation", "Name such a one.")
        if x.carries in RECIRCULATES and not _recirculated(circuit, x.target):
            _refuse(
                label, kind, "one such exchange, into mixing neurons without projections", "Set mixes=True, keep one."
            )


def _without_slope(circuit: Circuit, name: str) -> bool:
    return name == circuit.inputs or circuit.population(name).feedback


def _recirculated(circuit: Circuit, name: str) -> bool:
    """Whether a population can take its input of later cycles from an exchange: from one, and from nothing else."""
    mixes = circuit.population(name).mixes and not circuit.population(name).feedback
    clamped = name == circuit.inputs or not circuit.incoming[name]
    return mixes and clamped and len(circuit.exchanged(name, *RECIRCULATES)) == 1


def _check_inputs(circuit: Circuit) -> None:
    for q in circuit.incoming[circuit.inputs]:
        _refuse(
            f"projection {q.name}",
            f"a way into the input {q.target}, which is clamped",
            "inputs that nothing projects to",
            "Close the loop with an Exchange from a population colocated with the input.",
        )


def _check_feedback(circuit: Circuit) -> None:
    for p in circuit.populations:
        if not p.feedback:
            continue
        compares = [x.carries for x in circuit.exchanged(p.name, Carries.TARGET, Carries.ACTUAL)]
        slopes, incoming = circuit.exchanged(p.name, Carries.SLOPE), circuit.incoming[p.name]
        comparing = sorted(compares) == [Carries.ACTUAL, Carries.TARGET] and not slopes and not incoming
        gating = not compares and len(slopes) == 1 and incoming
        if not (comparing or gating):
            _refuse(
                f"feedback population {p.name}",
                f"{len(compares)} target(s) and actual(s), {len(slopes)} slope(s), {len(incoming)} projection(s)",
                "one target and one actual, or one slope and projections",
                "Give it what it compares, or what it gates.",
            )
        for q in incoming:
            if q.bias:
                _refuse(f"projection {q.name}", "a bias of feedback neurons", "no bias", "Remove it.")


def _check_plasticity(circuit: Circuit) -> None:
    projections = {q.name: q for q in circuit.projections}
    sizes = {p.name: p.size for p in circuit.populations}
    seen: set[str] = set()
    for learning in circuit.plasticity:
        label = f"plasticity of {learning.projection}"
        if learning.projection not in projections or learning.projection in seen:
            _refuse(label, "an unknown projection or a second rule for it", "one rule a projection", "Sum the rules.")
        seen.add(learning.projection)
        q = projections[learning.projection]
        if q.transports:
            _refuse(label, f"weights that are {q.transports}'s", "a projection with weights of its own", "Remove it.")
        other = learning.bias_rule
        if other and other.name == learning.rule.name and _numbers(other) != _numbers(learning.rule):
            _refuse(label, f"two rules called {other.name}", "other names or equal parameters", "Rename one of them.")
        for neuron, end in ((learning.pre, q.source), (learning.post, q.target)):
            if not neuron:
                continue
            if neuron not in sizes or not circuit.colocated(neuron, end):
                _refuse(label, f"memory of {neuron!r}", f"a population colocated with {end}", "Move it there.")
            if sizes[neuron] != sizes[end]:
                _refuse(label, f"memory of {neuron}, size {sizes[neuron]}", f"size {sizes[end]}", "Match the sizes.")


def _numbers(rule: LocalRule) -> object:
    """The parameters that a simulator is given by the rule's name."""
    return getattr(rule, "free", {})


def _check_reachable(circuit: Circuit) -> None:
    lost = {p.name for p in circuit.populations} - nx.descendants(circuit.graph, circuit.inputs) - {circuit.inputs}
    if lost:
        _refuse(
            f"circuit {circuit.name}",
            f"populations that no signal reaches: {sorted(lost)}",
            f"a path from {circuit.inputs} to each",
            "Add a projection or remove them.",
        )
