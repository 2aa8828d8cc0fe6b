"""Delivery: the emission of `delay` ticks ago arrives, weighted, at the target's neurons.

S_i += sum_j w_ij e_j, in the order of the projections' index. For `Signs`, w_ij = |m_ij| sign(a_ji),
with magnitudes m of the projection's own.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.weights import Signs, Transposed
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, emission, reads

NAME = "delivery"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the emission and the weights, adds to the summed input."""
    q = circuit.projections[event.which]
    return (
        reads(q.source, emission(circuit, q.source, event.detail), event.detail),
        reads(q.tensor_owner, "weight"),
        *([reads(q.weights.of, "weight")] if isinstance(q.weights, Signs) else []),
        adds(q.target, "S", event.detail),
    )


def bind(b: Binding) -> Step:
    """Bind a matrix product."""
    q, cycle = b.circuit.projections[b.event.which], b.event.detail
    emitted = b.view(q.source, emission(b.circuit, q.source, cycle), cycle)
    weight, arriving = b.view(q.tensor_owner, "weight"), b.view(q.target, "S", cycle)
    if isinstance(q.weights, Signs):
        other = b.view(q.weights.of, "weight")
        return b.kernels.deliver_signed(emitted, weight, other, arriving, accumulate=not b.first)  # type: ignore[no-any-return]
    # (replica, pre, post), as the product needs it; a transported weight already lies that way
    across = weight if isinstance(q.weights, Transposed) else weight.transpose(0, 2, 1)
    return b.kernels.deliver(emitted, across, arriving, accumulate=not b.first)  # type: ignore[no-any-return]
