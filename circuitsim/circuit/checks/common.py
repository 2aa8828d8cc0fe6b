"""Helpers of all checks: refusals, whole numbers, and weights that come from another projection."""

from __future__ import annotations

from circuitsim.circuit.connectivity import Shape, size_of
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


def check_origin(graph: Graph, label: str, weights: object, name: str, q: Projection) -> None:
    """Raise CircuitError unless the projection named has a weight tensor that a projection can use.

    Parameters
    ----------
    weights : how the tensor is used: `Tied` as it is, anything else transposed.
    """
    found = next((p for p in graph.projections if p.name == name), None)
    if found is None or not found.has_tensor:
        refuse(label, f"weights from {name!r}", "a projection with weights of its own", "Name one.")
        return
    tied = isinstance(weights, Tied)
    wanted = found.connectivity if tied else found.connectivity.transposed()
    if q.connectivity != wanted:
        refuse(label, f"connectivity {q.connectivity}", f"{wanted}, that of {name}", f"Set connectivity={wanted}.")
    ends = tuple(graph.population(end).shape for end in (q.source, q.target))
    others = tuple(graph.population(end).shape for end in (found.source, found.target))
    sizes = _sizes(q, ends), _sizes(found, others if tied else others[::-1])
    if sizes[0] != sizes[1]:
        turned = "" if tied else " transposed"
        shapes = [shape[::-1] for shape in sizes]
        refuse(label, f"shape {shapes[0]}", f"{shapes[1]}, {name}{turned}", "Match the layers.")


def _sizes(q: Projection, ends: tuple[Shape, ...]) -> tuple[object, ...]:
    """Return what must agree of a projection's ends: all of their shapes, or of dense ones their sizes."""
    return tuple(size_of(shape) for shape in ends) if q.dense else ends
