"""Graph: the parts of a circuit with look-ups by name; frozen, unchecked, and without arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from circuitsim.circuit.connectivity import Shape, Synapses
from circuitsim.circuit.parts import (
    RECIRCULATES,
    Carries,
    Exchange,
    Mirror,
    Plasticity,
    Population,
    Projection,
)

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Graph:
    """A directed graph of populations and projections, with look-ups by name. `Circuit` is the checked one.

    Parameters
    ----------
    name : the circuit's name in messages.
    populations, projections, exchanges, plasticity : its parts; an object's index is its place in these tuples.
    inputs : the population that is clamped to the data in cycle 0.
    labels : the population that is clamped to the examples' classes, one neuron a class, or to their real-valued
        targets; "" for none.
    real_targets : the labels are real numbers, one for each neuron, in place of classes.
    outputs : the population whose activity in cycle 0 is the circuit's output.
    mirrors : the projections that have a mirror mode.
    local : declared local in space; then a non-local wire is refused, labels excepted.
    blank : activity of the input neurons in the steps of a clocked protocol in which nothing is shown.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    inputs: str
    outputs: str
    exchanges: tuple[Exchange, ...] = ()
    plasticity: tuple[Plasticity, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    labels: str = ""
    local: bool = False
    blank: float = 0.0
    real_targets: bool = False

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """The networkx graph of the circuit; edges are projections (with delay) and exchanges (within the tick)."""
        import networkx as nx

        graph = nx.MultiDiGraph(name=self.name)
        for population in self.populations:
            graph.add_node(population.name, population=population)
        for projection in self.projections:
            graph.add_edge(projection.source, projection.target, projection.name, delay=projection.delay)
        for exchange in self.exchanges:
            graph.add_edge(exchange.source, exchange.target, exchange.carries.value, delay=0)
        return graph

    def population(self, name: str) -> Population:
        """Return the population of that name."""
        return self.populations[self.index[name]]

    def projection(self, name: str) -> Projection:
        """Return the projection of that name."""
        return self.projections[self.index[name]]

    def ends(self, name: str) -> tuple[Shape, Shape]:
        """Return the shapes of a projection's presynaptic and postsynaptic population."""
        q = self.projection(name)
        return self.population(q.source).shape, self.population(q.target).shape

    def synapses(self, name: str) -> Synapses:
        """Return the synapses of a projection, one at each index."""
        return self.projection(name).connectivity.synapses(*self.ends(name))

    def tensor_shape(self, name: str) -> Shape:
        """Return the shape of a projection's weights."""
        return self.projection(name).connectivity.tensor_shape(*self.ends(name))

    def bias_shape(self, name: str) -> Shape:
        """Return the shape of a projection's biases."""
        return self.projection(name).connectivity.bias_shape(self.ends(name)[1])

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

    @cached_property
    def rules(self) -> dict[str, tuple[Plasticity, ...]]:
        """The plasticity of each projection that learns, in the order given; their increments add up."""
        learning = dict.fromkeys(p.projection for p in self.plasticity)
        return {name: tuple(p for p in self.plasticity if p.projection == name) for name in learning}

    @cached_property
    def text(self) -> str:
        """The circuit and its rules as text; equal circuits have equal texts on every machine."""
        rules = [
            (
                p.projection,
                p.pre,
                p.post,
                p.third,
                p.momentum,
                p.transposed_from,
                p.mirror,
                p.group,
                p.each_step,
                p.nesterov,
                *(rule.text for rule in (p.rule, p.bias_rule, p.trace) if rule),
            )
            for p in self.plasticity
        ]
        parts = (self.populations, self.projections, self.exchanges, self.mirrors)
        own = [p.activation.text for p in self.populations if not isinstance(p.activation, str)]
        own += ["real targets"] if self.real_targets else []
        return repr((parts, self.inputs, self.labels, self.outputs, self.blank, rules, *own))

    @property
    def clamped(self) -> tuple[str, ...]:
        """The populations that take their activity of cycle 0 from the data."""
        return (self.inputs, self.labels) if self.labels else (self.inputs,)

    def exchanged(self, target: str, *kinds: Carries) -> tuple[Exchange, ...]:
        """Return the exchanges of the given kinds that end in a population."""
        return tuple(x for x in self.exchanges if x.target == target and x.carries in kinds)

    def taken(self, target: str, cycle: int) -> Exchange | None:
        """Return the exchange that gives a population its activity of a cycle: an input or a recirculated value."""
        for x in self.exchanged(target, Carries.INPUT):
            if cycle == 0 or (x.period > 1 and cycle % x.period == 0):
                return x
        return next((x for x in self.exchanged(target, *RECIRCULATES) if cycle >= x.period), None)

    def colocated(self, first: str, second: str) -> bool:
        """Return whether two populations are at the same site."""
        return self.population(first).site == self.population(second).site
