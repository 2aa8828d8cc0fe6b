"""Forward pass: neurons take in their inputs and fire, O = f(S + b); the input population takes in the data.

Also the firing, in any cycle, of neurons that hand on what they compute unmixed (layer L of a circular autoencoder).
"""

from __future__ import annotations

from circuitsim.events import Event
from circuitsim.graph import Circuit
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, biases, reads, writes

NAME = "forward pass"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Adds the biases to the summed input S, writes the activity f(S) and the slope f'(S)."""
    p, cycle = circuit.populations[event.which], event.detail
    if p.name == circuit.inputs and cycle == 0:
        return reads("data", "x"), reads("data", "rows"), writes(p.name, "O", 0)
    return (
        adds(p.name, "S", cycle),
        *(reads(name, "bias") for name in biases(circuit, p.name)),
        writes(p.name, "O", cycle),
        writes(p.name, "slope", cycle),
    )


def bind(b: Binding) -> Step:
    """Bind the gathering of a batch, or an activation."""
    p, cycle = b.circuit.populations[b.event.which], b.event.detail
    if p.name == b.circuit.inputs and cycle == 0:
        return b.kernels.gather(b.view("data", "x"), b.view("data", "rows"), b.view(p.name, "O", 0))  # type: ignore[no-any-return]
    bias = [b.view(name, "bias") for name in biases(b.circuit, p.name)]
    arriving, slope = b.view(p.name, "S", cycle), b.optional(p.name, "slope", cycle)
    fired = b.optional(p.name, "O", cycle)
    return b.kernels.activate(p.activation, arriving, bias, arriving if fired is None else fired, slope)  # type: ignore[no-any-return]
