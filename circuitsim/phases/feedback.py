"""Feedback: error neurons take the difference of target and output, or gate the error that arrives with a slope.

delta_L = T - O,  delta_h = f'(S_h) * sum_k b_ik delta_k, the latter in feedback neurons colocated with layer h
(Baldi & Sadowski 2018, eqs. 7, 8). The slope is the colocated forward neuron's own; the error arrives over synapses.
"""

from __future__ import annotations

from circuitsim.events import Event
from circuitsim.graph import Carries, Circuit
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, reads, writes

NAME = "feedback"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads target and output, or arriving error and slope; writes the error."""
    name = circuit.populations[event.which].name
    compared = circuit.exchanged(name, Carries.TARGET, Carries.ACTUAL)
    if compared:
        return (*(reads(x.source, "O", 0) for x in compared), writes(name, "O", 0))
    slopes = circuit.exchanged(name, Carries.SLOPE)
    return reads(name, "S", 0), *(reads(x.source, "slope", 0) for x in slopes), writes(name, "O", 0)


def bind(b: Binding) -> Step:
    """Bind a difference or a gate."""
    name = b.circuit.populations[b.event.which].name
    out = b.view(name, "O", 0)
    target = b.circuit.exchanged(name, Carries.TARGET)
    if target:
        (actual,) = b.circuit.exchanged(name, Carries.ACTUAL)
        return b.kernels.subtract(b.view(target[0].source, "O", 0), b.view(actual.source, "O", 0), out)  # type: ignore[no-any-return]
    (gate,) = b.circuit.exchanged(name, Carries.SLOPE)
    return b.kernels.multiply(b.view(name, "S", 0), b.view(gate.source, "slope", 0), out)  # type: ignore[no-any-return]
