"""What makes a circuit one that can be built: every check of its parts, and how each refusal is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitsim.checks import learning, structure

if TYPE_CHECKING:
    from circuitsim.graph import Circuit


def check(circuit: Circuit) -> None:
    """Raise CircuitError for the first part that is malformed, missing, out of place or out of reach."""
    structure.check_names(circuit)
    structure.check_projections(circuit)
    structure.check_exchanges(circuit)
    structure.check_inputs(circuit)
    structure.check_feedback(circuit)
    structure.check_replaced(circuit)
    learning.check_plasticity(circuit)
    learning.check_mirrors(circuit)
    structure.check_reachable(circuit)
