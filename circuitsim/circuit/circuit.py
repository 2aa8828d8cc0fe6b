"""Circuit: a graph of populations and projections that has passed every check."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

from circuitsim.circuit.checks import check
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.wires import declared
from circuitsim.display import as_html
from circuitsim.errors import CircuitError
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

    def check_untouched(self) -> None:
        """Raise CircuitError if a part, or what is derived from the parts, is not what was checked."""
        if type(self) is not Circuit:
            raise CircuitError(
                f"circuit {self.name}",
                got=f"a {type(self).__name__}, a class of its own",
                expected="a Circuit, whose methods are those that were checked",
                remedy="Describe it by the parts of a Circuit.",
            )
        again = Circuit(**{field.name: getattr(self, field.name) for field in fields(self)})
        for name in ("wires", "index", "incoming", "outgoing", "rules", "text"):
            if getattr(self, name) != getattr(again, name):
                raise CircuitError(
                    f"circuit {self.name}",
                    got=f"other {name} than its parts give",
                    expected="a circuit as it was made",
                    remedy="Make another circuit; dataclasses.replace() changes parts.",
                )
