"""Delivery: the emission of `delay` ticks ago arrives, weighted, at the target's neurons.

S_i += sum_j w_ij e_j over the synapses that exist, in the order of the projections' index. For `Signs`,
w_ij = |m_ij| sign(a_ji), with magnitudes m of the projection's own. Neurons that combine by product multiply the sums
of their projections; neurons that combine by max take the largest w_ij e_j and remember which synapse won.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Combine, Projection
from circuitsim.circuit.weights import Signs, Transposed
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access, Key
from circuitsim.lowering.links import across, in_rows, links
from circuitsim.phases.base import Binding, Step, adds, emission, reads, writes

NAME = "delivery"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the emission, the weights and the winners, adds to the summed input; writes which synapse won."""
    q = circuit.projections[event.which]
    pools = circuit.population(q.target).combine is Combine.MAX
    return (
        reads(*_emitted(circuit, event)),
        reads(q.tensor_owner, "weight"),
        *([reads(q.weights.of, "weight")] if isinstance(q.weights, Signs) else []),
        *([reads(*_winner(circuit, event))] if q.winners else []),
        adds(q.target, "S", event.detail),
        *([writes(q.target, "winner", event.detail)] if pools else []),
    )


def _emitted(circuit: Circuit, event: Event) -> Key:
    """Return the address of the emission, which is `lag` steps older than the step that it belongs to."""
    q = circuit.projections[event.which]
    step = event.detail - q.lag
    return q.source, emission(circuit, q.source, step), step


def _winner(circuit: Circuit, event: Event) -> Key:
    """Return the address of the winners: of the same step in error neurons, else of cycle 0."""
    q = circuit.projections[event.which]
    return q.winners, "winner", event.detail - q.lag if circuit.population(q.source).feedback else 0


def bind(b: Binding) -> Step:
    """Bind what arrives: a sum, a factor of a product, or a choice."""
    q, cycle = b.circuit.projections[b.event.which], b.event.detail
    combine, arriving = b.circuit.population(q.target).combine, b.view(q.target, "S", cycle)
    if combine is Combine.PRODUCT and not b.first:
        factor = np.empty_like(arriving)
        multiplied = b.kernels.multiply(factor, arriving, arriving)
        return in_turn([_deliver(b, q, factor, accumulate=False), multiplied])
    return _deliver(b, q, arriving, accumulate=not b.first)


def _deliver(b: Binding, q: Projection, arriving: np.ndarray, *, accumulate: bool) -> Step:
    """Return the step that passes the emission over the synapses of a projection."""
    cycle = b.event.detail
    emitted = b.view(*_emitted(b.circuit, b.event))
    if q.dense:
        return _dense(b, q, emitted, arriving, accumulate=accumulate)
    along, (weight, steps) = links(b.circuit, q), _weights(b, q)
    if b.circuit.population(q.target).combine is Combine.MAX:
        step = b.kernels.largest(along, emitted, weight, arriving, b.optional(q.target, "winner", cycle))
    elif q.winners:
        (pool,) = b.circuit.incoming[q.winners]
        chosen = b.view(*_winner(b.circuit, b.event))
        forwards = links(b.circuit, pool)
        step = b.kernels.deliver_winners(along, forwards, emitted, chosen, weight, arriving, accumulate=accumulate)
    else:
        step = b.kernels.deliver_along(along, emitted, weight, arriving, accumulate=accumulate)
    return in_turn([*steps, step])


def _dense(b: Binding, q: Projection, emitted: np.ndarray, arriving: np.ndarray, *, accumulate: bool) -> Step:
    """Return a matrix product."""
    weight = b.view(q.tensor_owner, "weight")
    if isinstance(q.weights, Signs):
        other = b.view(q.weights.of, "weight")
        return b.kernels.deliver_signed(emitted, weight, other, arriving, accumulate=accumulate)  # type: ignore[no-any-return]
    # (replica, pre, post), as the product needs it; a transported weight already lies that way
    by_pre = weight if isinstance(q.weights, Transposed) else weight.transpose(0, 2, 1)
    return b.kernels.deliver(emitted, by_pre, arriving, accumulate=accumulate)  # type: ignore[no-any-return]


def _weights(b: Binding, q: Projection) -> tuple[np.ndarray, list[Step]]:
    """Return the weights as the projection's own connectivity has them, and the steps that make them."""
    weight = b.view(q.tensor_owner, "weight")
    if isinstance(q.weights, Transposed):
        return across(weight, q.connectivity), []
    if isinstance(q.weights, Signs):
        other, made = across(b.view(q.weights.of, "weight"), q.connectivity), np.empty_like(weight)
        return made, [b.kernels.signed(in_rows(weight), in_rows(other), in_rows(made))]
    return weight, []
