"""Checks of a circuit's parts; each refusal names the part, its value, the expectation and the remedy."""

from __future__ import annotations

from circuitsim.circuit.checks import kinds, learning, structure, synapses
from circuitsim.circuit.graph import Graph


def check(graph: Graph) -> None:
    """Raise CircuitError for the first part that is malformed, missing, out of place or out of reach."""
    kinds.check_kinds(graph)
    structure.check_names(graph)
    structure.check_projections(graph)
    synapses.check_synapses(graph)
    structure.check_exchanges(graph)
    structure.check_inputs(graph)
    structure.check_feedback(graph)
    structure.check_replaced(graph)
    learning.check_plasticity(graph)
    learning.check_mirrors(graph)
    structure.check_reachable(graph)
