"""Helpers of all checks: refusals, whole numbers, and weight tensors of a given shape."""

from __future__ import annotations

from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Tied
from circuitsim.errors import CircuitError


def refuse(what: str, got: object, expected: str, remedy: str) -> None:
    """Raise CircuitError about one part of a circuit."""
    raise CircuitError(what, got=str(got), expected=expected, remedy=remedy)


def whole(value: object) -> bool:
    """Return whether a value is an integer and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_origin(graph: Graph, label: str, weights: object, name: str, shape: tuple[int, int]) -> None:
    """Raise CircuitError unless the projection named has a weight tensor that fits a shape (post, pre).

    Parameters
    ----------
    weights : how the tensor is used: `Tied` as it is, anything else transposed.
    """
    found = next((p for p in graph.projections if p.name == name), None)
    if found is None or not found.has_tensor:
        refuse(label, f"weights from {name!r}", "a projection with weights of its own", "Name one.")
        return
    post, pre = shape_of(graph, found)
    wanted, turned = ((post, pre), "") if isinstance(weights, Tied) else ((pre, post), " transposed")
    if shape != wanted:
        refuse(label, f"shape {shape}", f"{wanted}, {name}{turned}", "Match the layers.")


def shape_of(graph: Graph, q: Projection) -> tuple[int, int]:
    """Return the shape (post, pre) of a projection's weights."""
    return graph.population(q.target).size, graph.population(q.source).size
