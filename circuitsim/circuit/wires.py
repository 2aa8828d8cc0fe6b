"""Non-local wires that a circuit declares by its parts: quantities that no local rule could read."""

from __future__ import annotations

from collections.abc import Iterator

from circuitsim.circuit.connectivity import OneToOne, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Carries, Plasticity, Projection
from circuitsim.circuit.weights import Own, Signs, Transposed
from circuitsim.locality import Wire


def declared(graph: Graph) -> tuple[Wire, ...]:
    """Return the wires of a circuit, in the order of its parts."""
    kinds = (_transport, _sharing, _lateral, _remote, _broadcasts, _labels)
    return tuple(wire for kind in kinds for wire in kind(graph))


def _transport(graph: Graph) -> Iterator[Wire]:
    for q in graph.projections:
        if q.transposed_from and not _backwards(graph, q) and not own_gain(graph, q):
            what = "the signs of the transposed weights" if isinstance(q.weights, Signs) else "the transposed weights"
            yield Wire("weight-transport", q.name, f"{what} of {q.transposed_from}")
    for learning in graph.plasticity:
        if learning.transposed_from:
            read = f"the transposed weights of {learning.transposed_from}"
            yield Wire("weight-transport", learning.projection, read, learning.rule.name)


def own_gain(graph: Graph, q: Projection) -> bool:
    """Return whether transposed weights are those between compartments of one neuron, which both signals pass."""
    alone = isinstance(q.weights, Transposed) and isinstance(q.connectivity, OneToOne)
    return alone and graph.colocated(q.source, q.target) and same_synapses(
        graph, q, graph.projection(str(q.transposed_from))
    )  # fmt: skip


def _backwards(graph: Graph, q: Projection) -> list[Plasticity]:
    """Return the rules that receive through q the signal that their own synapses would carry backwards."""
    return [p for p in graph.rules.get(q.transposed_from or "", ()) if q.target in (p.pre, p.post)]


def _sharing(graph: Graph) -> Iterator[Wire]:
    for q in graph.projections:
        if q.tied_to and not same_synapses(graph, q, graph.projection(q.tied_to)):
            yield Wire("weight-sharing", q.name, f"the weights of {q.tied_to}")
        elif q.has_tensor and not q.constant and q.connectivity.shared(*graph.ends(q.name)):
            slots = size_of(graph.tensor_shape(q.name))
            yield Wire("weight-sharing", q.name, f"{slots} weights, each of several synapses")


def same_synapses(graph: Graph, first: Projection, second: Projection) -> bool:
    """Return whether two projections join the same sites, so that both can be the same synapses."""
    return graph.colocated(first.source, second.source) and graph.colocated(first.target, second.target)


def _lateral(graph: Graph) -> Iterator[Wire]:
    for p in graph.populations:
        for q in graph.incoming[p.name]:
            if p.activation == "softmax":  # each neuron divides by the sum over its layer
                yield Wire("lateral", q.name, f"all neurons of {p.name}")
            if p.centres:
                yield Wire("lateral", q.name, f"the mean of {p.name} over the batch")
            if p.norm is not None and (read := p.norm.lateral(p.name, p.shape)):
                yield Wire("lateral", q.name, read)
    for q in graph.projections:
        for learning in _backwards(graph, q):
            read = f"all synapses of {q.transposed_from} that share its presynaptic neuron, through {q.name}"
            yield Wire("lateral", learning.projection, read, learning.rule.name)
    for mirror in graph.mirrors:
        if mirror.centre:
            target = graph.projection(mirror.projection).target
            for learning in graph.plasticity:
                if learning.mirror == mirror.projection:
                    read = f"the mean of {target} over the batch"
                    yield Wire("lateral", learning.projection, read, learning.rule.name)
    for q in graph.projections:
        if q.weights == Own(normalised=True):
            yield Wire("lateral", q.name, f"all synapses of {q.name}")


def _remote(graph: Graph) -> Iterator[Wire]:
    for x in graph.exchanges:
        if x.remote:
            kind = "remote-target" if x.carries is Carries.TARGET else "remote-error"
            for name in _learning_from(graph, x.target):
                yield Wire(kind, name, f"{x.source} from another site, as {x.carries.value} for {x.target}")


def _broadcasts(graph: Graph) -> Iterator[Wire]:
    for p in graph.plasticity:
        if p.third and not graph.colocated(p.third, graph.projection(p.projection).target):
            read = f"the activity of {p.third}, which one neuron broadcasts to all synapses"
            yield Wire("third-factor", p.projection, read, p.rule.name)


def _labels(graph: Graph) -> Iterator[Wire]:
    what = f"the {'targets' if graph.real_targets else 'labels'} that {graph.labels} is clamped to"
    for x in graph.exchanges:
        if graph.labels and x.source == graph.labels:
            for name in _learning_from(graph, x.target):
                yield Wire("label", name, what)
    for q in graph.outgoing[graph.labels] if graph.labels else ():
        yield Wire("label", q.name, f"{what}, which it sends")


def _learning_from(graph: Graph, population: str) -> list[str]:
    """Return the projections whose rules read a population as postsynaptic; the population itself if there is none."""
    ends = {q.name: q.target for q in graph.projections}
    found = [p.projection for p in graph.plasticity if population == (p.post or ends[p.projection])]
    return list(dict.fromkeys(found)) or [population]
