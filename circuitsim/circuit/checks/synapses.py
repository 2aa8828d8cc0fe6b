"""Checks of connectivities: that synapses fit their populations, and that neurons can combine what arrives."""

from __future__ import annotations

from circuitsim.circuit.checks.common import refuse
from circuitsim.circuit.connectivity import Convolution, MaxPool, Reverse, Shape, Table, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Combine, Population, Projection

LARGEST = 2**31 - 1
"""Numbers in one array, at most: more are a mistake, and would be allocated before anyone could say so."""


def check_synapses(graph: Graph) -> None:
    """Raise CircuitError for winners that nobody chose, and for neurons that cannot combine what arrives."""
    for q in graph.projections:
        if q.winners:
            _check_winners(graph, q)
    for p in graph.populations:
        if p.combine is not Combine.SUM:
            _check_combined(graph, p)
        if p.bounded:
            _check_bounded(graph, p)


def check_connectivity(graph: Graph, q: Projection) -> None:
    """Raise CircuitError for a connectivity that does not fit the shapes of its ends."""
    pre, post = graph.ends(q.name)
    if isinstance(q.connectivity, type) or not hasattr(q.connectivity, "synapses"):
        expected = "Dense(), Convolution(...) or another connectivity"
        refuse(f"projection {q.name}", f"connectivity {q.connectivity!r}", expected, "Import one from circuitsim.")
    backwards = isinstance(q.connectivity, Reverse) and isinstance(q.connectivity.of, MaxPool)
    if backwards and not q.winners:
        expected = "winners, the pooling population whose synapses pass the signal if they won"
        refuse(
            f"projection {q.name}", "a max-pool read backwards, and no winners", expected, "Name it, or use MeanPool."
        )
    expected = q.connectivity.problem(pre, post)
    if expected:
        got = f"{q.connectivity} from {q.source} of shape {pre} to {q.target} of shape {post}"
        refuse(f"projection {q.name}", got, expected, "Match the shapes.")
    numbers = _largest_array(q, pre, post)
    if numbers > LARGEST:
        got = f"{q.connectivity} from {q.source} of shape {pre} to {q.target} of shape {post}: {numbers:,} numbers"
        refuse(
            f"projection {q.name}", got, f"at most {LARGEST:,} in one array", "Use fewer neurons or smaller windows."
        )
    if isinstance(q.connectivity, MaxPool) and graph.population(q.target).combine is not Combine.MAX:
        expected = "a target that combines by max"
        refuse(
            f"projection {q.name}", f"{q.connectivity} to {q.target}, which does not", expected, "Set combine there."
        )


def _largest_array(q: Projection, pre: Shape, post: Shape) -> int:
    """Return the most numbers in one array of a projection: weights, an unfolded image, or a list of synapses."""
    weights = size_of(q.connectivity.tensor_shape(pre, post))
    made, ends = q.connectivity, (pre, post)
    if isinstance(made, Reverse):
        made, ends = made.of, (post, pre)
    if q.dense or isinstance(made, Table):
        return weights
    positions = size_of(ends[1][1:]) if isinstance(made, Convolution) else size_of(ends[1])
    return max(weights, made.fan(*ends)[0] * positions)


def _check_winners(graph: Graph, q: Projection) -> None:
    """Raise CircuitError unless a projection reads backwards the synapses of a colocated population of winners."""
    names = {p.name for p in graph.populations}
    label, expected = f"projection {q.name}", "a population that combines by max, colocated with the source"
    found = graph.population(q.winners) if q.winners in names else None
    if found is None or found.combine is not Combine.MAX or not graph.colocated(found.name, q.source):
        refuse(label, f"winners {q.winners!r}", expected, "Name one.")
        return
    (pool,) = graph.incoming[found.name]
    ends = graph.ends(q.name)
    if q.connectivity != pool.connectivity.transposed() or ends != graph.ends(pool.name)[::-1]:
        expected = f"{pool.connectivity.transposed()}, the synapses of {pool.name} read backwards"
        refuse(label, f"connectivity {q.connectivity}", expected, "Copy it from there.")
    if not q.constant:
        refuse(label, f"weights {q.weights}", "Fixed weights, as of a pool", "Set weights=Fixed(1.0).")


def _check_combined(graph: Graph, p: Population) -> None:
    label, incoming = f"population {p.name}, which combines by {p.combine.value}", graph.incoming[p.name]
    if p.replaced or p.mixes or (p.feedback and p.combine is Combine.MAX):
        refuse(label, "neurons that mix, are replaced or carry errors", "plain neurons", "Set combine=Combine.SUM.")
    for q in incoming:
        if q.bias:
            refuse(label, f"{q.name} with a bias", "no bias", "Give the biases to neurons before it.")
    if p.combine is Combine.MAX:
        pools = [q for q in incoming if q.constant and (isinstance(q.connectivity, MaxPool) or not q.dense)]
        if len(incoming) != 1 or not pools:
            got = f"{len(incoming)} projections, {len(pools)} of them pooling"
            refuse(label, got, "one projection with fixed weights, such as MaxPool", "Pool in a population of its own.")


def _check_bounded(graph: Graph, p: Population) -> None:
    """Raise CircuitError where neurons that share weights would be bounded together with synapses of their own."""
    incoming = [q for q in graph.incoming[p.name] if q.has_tensor and not q.feedback and not q.constant]
    shared = [q for q in incoming if q.connectivity.shared(*graph.ends(q.name))]
    filters = [q for q in shared if q.connectivity.channel_axes]
    if shared and (len(filters) < len(incoming)):
        got = f"{shared[0].name}, whose weights are shared, and {len(incoming) - 1} other projection(s)"
        refuse(
            f"bounded population {p.name}",
            got,
            "filters of convolutions alone, or no shared weights",
            "Do not bound it.",
        )
