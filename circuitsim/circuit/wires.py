"""The non-local wires that a circuit declares: what its parts bring from where no local rule could get it."""

from __future__ import annotations

from collections.abc import Iterator

from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Carries, Plasticity, Projection
from circuitsim.locality import Wire


def declared(graph: Graph) -> tuple[Wire, ...]:
    """The wires of a graph, in the order of its parts."""
    kinds = (_transport, _sharing, _lateral, _remote, _labels)
    return tuple(wire for kind in kinds for wire in kind(graph))


def _transport(graph: Graph) -> Iterator[Wire]:
    for q in graph.projections:
        if q.transports and not _backwards(graph, q):
            what = "the signs of the transposed weights" if q.signs else "the transposed weights"
            yield Wire("weight-transport", q.name, f"{what} of {q.transports}")
    for learning in graph.plasticity:
        if learning.transports:
            read = f"the transposed weights of {learning.transports}"
            yield Wire("weight-transport", learning.projection, read, learning.rule.name)


def _backwards(graph: Graph, q: Projection) -> list[Plasticity]:
    """The rules that get from it what their own projection's synapses would carry backwards."""
    return [p for p in graph.rules.get(q.transports or "", ()) if q.target in (p.pre, p.post)]


def _sharing(graph: Graph) -> Iterator[Wire]:
    for q in graph.projections:
        if q.shares and not same_synapses(graph, q, graph.projection(q.shares)):
            yield Wire("weight-sharing", q.name, f"the weights of {q.shares}")


def same_synapses(graph: Graph, first: Projection, second: Projection) -> bool:
    """Whether two projections join the same sites: then they can be the same synapses, passing different signals."""
    return graph.colocated(first.source, second.source) and graph.colocated(first.target, second.target)


def _lateral(graph: Graph) -> Iterator[Wire]:
    for p in graph.populations:
        for q in graph.incoming[p.name]:
            if p.activation == "softmax":  # each neuron divides by the sum over its layer
                yield Wire("lateral", q.name, f"all neurons of {p.name}")
            if p.centres:
                yield Wire("lateral", q.name, f"the mean of {p.name} over the batch")
    for q in graph.projections:
        for learning in _backwards(graph, q):
            read = f"all synapses of {q.transports} that share its presynaptic neuron, through {q.name}"
            yield Wire("lateral", learning.projection, read, learning.rule.name)
    for mirror in graph.mirrors:
        if mirror.centre:
            target = graph.projection(mirror.projection).target
            for learning in graph.plasticity:
                if learning.mirror == mirror.projection:
                    read = f"the mean of {target} over the batch"
                    yield Wire("lateral", learning.projection, read, learning.rule.name)
    for q in graph.projections:
        if q.normalised:
            yield Wire("lateral", q.name, f"all synapses of {q.name}")


def _remote(graph: Graph) -> Iterator[Wire]:
    for x in graph.exchanges:
        if x.remote:
            kind = "remote-target" if x.carries is Carries.TARGET else "remote-error"
            for name in _learning_from(graph, x.target):
                yield Wire(kind, name, f"{x.source} from another site, as {x.carries.value} for {x.target}")


def _labels(graph: Graph) -> Iterator[Wire]:
    for x in graph.exchanges:
        if graph.labels and x.source == graph.labels:
            for name in _learning_from(graph, x.target):
                yield Wire("label", name, f"the labels that {graph.labels} is clamped to")


def _learning_from(graph: Graph, population: str) -> list[str]:
    """The projections whose rules have a population as postsynaptic side; where there is none, its own name."""
    ends = {q.name: q.target for q in graph.projections}
    found = [p.projection for p in graph.plasticity if population == (p.post or ends[p.projection])]
    return list(dict.fromkeys(found)) or [population]
