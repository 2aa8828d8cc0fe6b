"""Functions of users' own as nodes of an ONNX model: their traced expressions, operation by operation."""

from __future__ import annotations

from typing import Any, Protocol

import sympy

from circuitsim.errors import CircuitError
from circuitsim.rules import Activation

_OF_ONE = {sympy.exp: "Exp", sympy.log: "Log", sympy.tanh: "Tanh", sympy.Abs: "Abs", sympy.sign: "Sign"}
_OF_MANY = {sympy.Add: "Add", sympy.Mul: "Mul", sympy.Max: "Max", sympy.Min: "Min"}
_RELATIONS = {
    sympy.StrictLessThan: "Less",
    sympy.LessThan: "LessOrEqual",
    sympy.StrictGreaterThan: "Greater",
    sympy.GreaterThan: "GreaterOrEqual",
    sympy.And: "And",
    sympy.Or: "Or",
}


class Graph(Protocol):
    """Nodes and constants of a model in the making."""

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str: ...
    def constant(self, name: str, values: Any) -> str: ...


def add_function(graph: Graph, activation: Activation, summed: str, name: str) -> None:
    """Add the nodes that compute an activation of the value `summed`; the last has the name of the population.

    Raises
    ------
    CircuitError : the function has an operation that ONNX lacks.
    """
    writer = _Writer(graph, activation, summed, name)
    graph.add("Identity", [writer.spread(writer.value(activation.expression))], name)


class _Writer:
    """Writes expressions; each part gets a value named after the population and a number."""

    def __init__(self, graph: Graph, activation: Activation, summed: str, name: str) -> None:
        self.graph, self.activation, self.summed, self.name = graph, activation, summed, name
        self.count = 0

    def spread(self, value: str) -> str:
        """Return a value in the shape of the summed input, which a constant function lacks."""
        zeros = self._node("Mul", [self.summed, self.graph.constant(f"{self.name}.zero", 0.0)])
        return self._node("Add", [value, zeros])

    def value(self, part: sympy.Basic) -> str:
        """Return the name of the value of a part."""
        if part == self.activation.symbol:
            return self.summed
        if part.is_number:
            self.count += 1
            return self.graph.constant(f"{self.name}.number{self.count}", float(part))
        if isinstance(part, sympy.Piecewise):
            return self._piecewise(part)
        if isinstance(part, sympy.Pow):
            return self._node("Pow", [self.value(part.base), self.value(part.exp)])
        if part.func in _OF_ONE:
            return self._node(_OF_ONE[part.func], [self.value(part.args[0])])
        kind = _OF_MANY.get(part.func) or _RELATIONS.get(part.func)
        if kind is None:
            raise CircuitError(
                f"export of population {self.name}",
                got=f"{part.func.__name__} in activation {self.activation}",
                expected="what ONNX has",
                remedy="Write the activation without it, or export another format.",
            )
        first, *others = [self.value(argument) for argument in part.args]
        for other in others:
            first = self._node(kind, [first, other])
        return first

    def _piecewise(self, part: sympy.Piecewise) -> str:
        """Return the value of the first piece whose condition holds; the last piece is the rest."""
        *pieces, (rest, _) = part.args
        found = self.value(rest)
        for piece, condition in reversed(pieces):
            found = self._node("Where", [self.value(condition), self.value(piece), found])
        return found

    def _node(self, kind: str, inputs: list[str]) -> str:
        self.count += 1
        return self.graph.add(kind, inputs, f"{self.name}.part{self.count}")
