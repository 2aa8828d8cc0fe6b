"""Check that parts are of the types that the package has: a class of a user's own could answer as it likes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_args

import numpy as np

from circuitsim.circuit.checks.common import refuse
from circuitsim.circuit.connectivity import KINDS
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.norms import Norm
from circuitsim.circuit.parts import (
    Carries,
    Combine,
    Exchange,
    Masks,
    Mirror,
    Noise,
    Plasticity,
    Population,
    Projection,
)
from circuitsim.circuit.weights import Weights

_KNOWN = (*get_args(Weights), *get_args(Norm), *KINDS)
_PLAIN = (str, int, float, bool, np.float64, Carries, Combine, Masks, Noise)


def check_kinds(graph: Graph) -> None:
    """Raise CircuitError for a part, weights, a connectivity, a text or a number of a class that is not known."""
    for kind, parts in (
        (Population, graph.populations),
        (Projection, graph.projections),
        (Exchange, graph.exchanges),
        (Plasticity, graph.plasticity),
        (Mirror, graph.mirrors),
    ):
        for part in parts:
            label = f"{kind.__name__.lower()} {_label(part)}"
            if type(part) is not kind:
                _refuse(label, part, f"a {kind.__name__}", "Describe it by the fields of one.")
            for name, value in _values(part):
                _check_value(f"{name} of {label}", value)


def _check_value(label: str, value: object) -> None:
    """Raise CircuitError for a value whose class is a user's own version of a known one."""
    if isinstance(value, tuple):
        for part in value:
            _check_value(label, part)
    for known in _KNOWN:
        if isinstance(value, known) and type(value) not in _KNOWN:
            _refuse(label, value, f"a {known.__name__} itself", "Use the class that circuitsim has.")
    if type(value) in _KNOWN:
        for name, inner in _values(value):
            _check_value(f"{name} of {label}", inner)
    elif isinstance(value, (str, int, float)) and type(value) not in _PLAIN:
        _refuse(label, value, "plain text or a plain number", "Convert it with str(), int() or float().")


def _values(part: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(part):
        yield from ((field.name, getattr(part, field.name)) for field in fields(part))


def _label(part: object) -> str:
    name = getattr(part, "name", None) or getattr(part, "projection", None) or getattr(part, "target", None)
    return str.__str__(name) if isinstance(name, str) else "without a name"


def _refuse(label: str, value: object, expected: str, remedy: str) -> None:
    refuse(label, f"a {type(value).__name__}, a class of its own", expected, remedy)
