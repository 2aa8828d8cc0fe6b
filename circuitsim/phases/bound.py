"""Bound: a neuron scales its own incoming weights, w <- w min(1, max_norm / |w|), biases included.

It reads the neuron's own synapses and nothing else (Baldi & Sadowski 2018, section 7.2: a constraint that only
requires local information). Neurons that share weights have one bound, that of their filter.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.lowering.links import groups, in_rows
from circuitsim.phases.base import Binding, Step, adds, biases, reads

NAME = "bound"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the bound, rescales every incoming weight and bias of the population."""
    p = circuit.populations[event.which]
    incoming = [q.name for q in circuit.incoming[p.name] if q.has_tensor and not q.feedback and not q.constant]
    return (
        reads(p.name, "max_norm"),
        reads("circuit", "alive"),
        *(adds(name, "weight") for name in incoming),
        *(adds(name, "bias") for name in biases(circuit, p.name)),
    )


def bind(b: Binding) -> Step:
    """Bind the scaling of all incoming synapses together."""
    p = b.circuit.populations[b.event.which]
    incoming = [q for q in b.circuit.incoming[p.name] if q.has_tensor and not q.feedback and not q.constant]
    weights = [b.view(q.name, "weight") for q in incoming]
    bias = [b.view(name, "bias") for name in biases(b.circuit, p.name)]
    limit, alive = b.view(p.name, "max_norm"), b.view("circuit", "alive")
    if all(q.dense for q in incoming):
        return b.kernels.bound(weights, bias, limit, alive)  # type: ignore[no-any-return]
    flat = [in_rows(w).reshape(w.shape[0], -1) for w in weights]
    owners = [groups(b.circuit, q) for q in incoming]
    return b.kernels.bound_grouped(flat, owners, [w.reshape(w.shape[0], -1) for w in bias], limit, alive)  # type: ignore[no-any-return]
