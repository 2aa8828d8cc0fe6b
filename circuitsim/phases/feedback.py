"""Feedback: error neurons take the difference of target and output, or gate the error that arrives with a slope.

delta_L = T - O, or by a margin m on the summed inputs 1 where T = 1 and S < 1, -1/(C-1) where T = 0 and S > -m;
delta_h = f'(S_h) * sum_k b_ik delta_k, the latter in feedback neurons colocated with layer h
(Baldi & Sadowski 2018, eqs. 7, 8). The slope is the colocated forward neuron's own; the error arrives over synapses.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import COMPARED, Carries
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, reads, writes

NAME = "feedback"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads target and output, or arriving error and slope; writes the error."""
    name = circuit.populations[event.which].name
    target, compared = circuit.exchanged(name, Carries.TARGET), circuit.exchanged(name, *COMPARED)
    if compared:
        (held,) = compared
        margin = held.carries is Carries.MARGIN
        own = [reads(held.source, "S", 0), reads(name, "margin")] if margin else [reads(held.source, "O", 0)]
        return reads(target[0].source, "O", 0), *own, writes(name, "O", 0)
    slopes = circuit.exchanged(name, Carries.SLOPE)
    return adds(name, "S", 0), *(reads(x.source, "slope", 0) for x in slopes), writes(name, "O", 0)


def bind(b: Binding) -> Step:
    """Bind a difference or a gate."""
    name = b.circuit.populations[b.event.which].name
    out = b.view(name, "O", 0)
    target, compared = b.circuit.exchanged(name, Carries.TARGET), b.circuit.exchanged(name, *COMPARED)
    if compared:
        wanted, (held,) = b.view(target[0].source, "O", 0), compared
        if held.carries is Carries.MARGIN:
            return b.kernels.hinge(wanted, b.view(held.source, "S", 0), b.view(name, "margin"), out)  # type: ignore[no-any-return]
        return b.kernels.subtract(wanted, b.view(held.source, "O", 0), out)  # type: ignore[no-any-return]
    (gate,) = b.circuit.exchanged(name, Carries.SLOPE)
    return b.kernels.multiply(b.view(name, "S", 0), b.view(gate.source, "slope", 0), out)  # type: ignore[no-any-return]
