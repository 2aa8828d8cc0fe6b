"""Delivery: what a population emitted `delay` ticks ago arrives, weighted, at the neurons of another.

S_i += sum_j w_ij e_j, in the order of the projections' index.
"""

from __future__ import annotations

from circuitsim.events import Event
from circuitsim.graph import Circuit
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, emission, reads

NAME = "delivery"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the emission and the weights (of the projection whose weights it transports), adds to the input."""
    q = circuit.projections[event.which]
    return (
        reads(q.source, emission(circuit, q.source, event.detail), event.detail),
        reads(q.transports or q.name, "weight"),
        adds(q.target, "S", event.detail),
    )


def bind(b: Binding) -> Step:
    """Bind a matrix product."""
    q, cycle = b.circuit.projections[b.event.which], b.event.detail
    emitted = b.view(q.source, emission(b.circuit, q.source, cycle), cycle)
    weight = b.view(q.transports or q.name, "weight")
    arriving = b.view(q.target, "S", cycle)
    # (replica, pre, post), as the product needs it; a transported weight already lies that way
    across = weight if q.transports else weight.transpose(0, 2, 1)
    return b.kernels.deliver(emitted, across, arriving, accumulate=not b.first)  # type: ignore[no-any-return]
