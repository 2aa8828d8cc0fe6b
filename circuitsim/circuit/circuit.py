"""Circuit: a graph of populations and projections that has passed every check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from circuitsim.circuit.checks import check
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.wires import declared
from circuitsim.display import as_html
from circuitsim.locality import Wire, refuse_nonlocal, verdict


@dataclass(frozen=True)
class Circuit(Graph):
    """A graph of populations and projections, frozen and checked when it is made.

    Parameters
    ----------
    The fields of `Graph`.

    Raises
    ------
    CircuitError : a part is malformed, missing, unreachable from the input, or not colocated where it must be.
    """

    def __post_init__(self) -> None:
        check(self)
        if self.local:
            refuse_nonlocal(self.name, verdict(self.wires, (), 0))

    def __repr__(self) -> str:
        parts = (
            f"{len(self.populations)} populations, {len(self.projections)} projections, {len(self.plasticity)} rules"
        )
        return f"<Circuit {self.name}: {parts}>"

    def _repr_html_(self) -> str | None:
        return as_html("circuit", self)

    @cached_property
    def wires(self) -> tuple[Wire, ...]:
        """The declared non-local wires."""
        return declared(self)
