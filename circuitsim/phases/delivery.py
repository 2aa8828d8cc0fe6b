"""Delivery: what a population emitted `delay` ticks ago arrives, weighted, at the neurons of another.

S_i += sum_j w_ij e_j, in the order of the projections' index. Where a projection uses another's signs,
w_ij = |m_ij| sign(a_ji), with magnitudes m of its own.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.weights import Signs, Transposed
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, emission, reads

NAME = "delivery"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the emission and the weights (of the projection whose weights it uses), adds to the input."""
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
