"""Feedback: error neurons take the difference of target and output, or gate the error that arrives with a slope.

delta_L = T - O, or by a margin m on the summed inputs 1 where T = 1 and S < 1, -1/(C-1) where T = 0 and S > -m;
delta_h = f'(S_h) * sum_k b_ik delta_k, the latter in feedback neurons colocated with layer h
(Baldi & Sadowski 2018, eqs. 7, 8). The slope is the colocated forward neuron's own; the error arrives over synapses.
Where the forward neurons normalise, the error passes back through that.
Without a slope the neurons pass on what arrives: their forward neurons are linear, or they are a gate's. In a clocked
protocol all of this happens at a step t, in place of cycle 0.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import COMPARED, Carries
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, reads, writes
from circuitsim.phases.norms import differentiated, differentiating

NAME = "feedback"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads target and output, or arriving error and slope; writes the error."""
    name, step = circuit.populations[event.which].name, event.detail
    target, compared = circuit.exchanged(name, Carries.TARGET), circuit.exchanged(name, *COMPARED)
    if compared:
        (held,) = compared
        margin = held.carries is Carries.MARGIN
        own = [reads(held.source, "S", step), reads(name, "margin")] if margin else [reads(held.source, "O", step)]
        return reads(target[0].source, "O", step), *own, writes(name, "O", step)
    slopes = circuit.exchanged(name, Carries.SLOPE)
    return (
        adds(name, "S", step),
        *(reads(x.source, "slope", step) for x in slopes),
        *(access for x in slopes for access in differentiating(circuit.population(x.source), step)),
        writes(name, "O", step),
    )


def bind(b: Binding) -> Step:
    """Bind a difference or a gate."""
    name, step = b.circuit.populations[b.event.which].name, b.event.detail
    out = b.view(name, "O", step)
    target, compared = b.circuit.exchanged(name, Carries.TARGET), b.circuit.exchanged(name, *COMPARED)
    if compared:
        wanted, (held,) = b.view(target[0].source, "O", step), compared
        if held.carries is Carries.MARGIN:
            return b.kernels.hinge(wanted, b.view(held.source, "S", step), b.view(name, "margin"), out)  # type: ignore[no-any-return]
        return b.kernels.subtract(wanted, b.view(held.source, "O", step), out)  # type: ignore[no-any-return]
    arriving, slopes = b.view(name, "S", step), b.circuit.exchanged(name, Carries.SLOPE)
    if not slopes:
        return b.kernels.activate("identity", arriving, [], out, None)  # type: ignore[no-any-return]
    source = b.circuit.population(slopes[0].source)
    if source.norm is not None:
        return differentiated(b, source, arriving, out)
    return b.kernels.multiply(arriving, b.view(slopes[0].source, "slope", step), out)  # type: ignore[no-any-return]
