"""What all checks share: how a refusal is worded, and whether a projection has weights of a shape."""

from __future__ import annotations

from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Projection
from circuitsim.errors import CircuitError


def refuse(what: str, got: object, expected: str, remedy: str) -> None:
    """Raise CircuitError about one part of a circuit."""
    raise CircuitError(what, got=str(got), expected=expected, remedy=remedy)


def whole(value: object) -> bool:
    """Whether a value is a whole number, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_origin(graph: Graph, label: str, kind: str, name: str, shape: tuple[int, int]) -> None:
    """Whether the projection named has weights, in the shape (post, pre) that is wanted once they are transposed."""
    origin = next((p for p in graph.projections if p.name == name), None)
    if origin is None or not origin.own:
        refuse(label, f"{kind} {name!r}", "a projection with weights", "Name one.")
        return
    post, pre = shape_of(graph, origin)
    wanted = (post, pre) if kind == "shares" else (pre, post)
    if shape != wanted:
        turned = "" if kind == "shares" else " transposed"
        refuse(label, f"shape {shape}", f"{wanted}, {name}{turned}", "Match the layers.")


def shape_of(graph: Graph, q: Projection) -> tuple[int, int]:
    """The shape (post, pre) of a projection's weights."""
    return graph.population(q.target).size, graph.population(q.source).size
