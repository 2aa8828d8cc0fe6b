"""Feedback replacement: in cycle 1 the feedback signal takes the place of the forward activity in the same neuron.

At the top O(1) = T - O(0), below it O_h(1) = f'(S_h(0)) * sum_k b_hk O_k(1). The forward activity O(0) is remembered
for the window; the rules of the synapses into and out of the neuron need both (Amit 2019, section 2 and
Remark 1).
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, reads, writes

NAME = "feedback replacement"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads target and forward activity, or what arrived and the slope; writes the feedback signal."""
    name = circuit.populations[event.which].name
    target = circuit.exchanged(name, Carries.TARGET)
    if target:
        return reads(target[0].source, "O", 0), reads(name, "O", 0), writes(name, "O", 1)
    return reads(name, "S", 1), reads(name, "slope", 0), writes(name, "O", 1)


def bind(b: Binding) -> Step:
    """Bind a difference or a gate."""
    name = b.circuit.populations[b.event.which].name
    out, target = b.view(name, "O", 1), b.circuit.exchanged(name, Carries.TARGET)
    if target:
        return b.kernels.subtract(b.view(target[0].source, "O", 0), b.view(name, "O", 0), out)  # type: ignore[no-any-return]
    return b.kernels.multiply(b.view(name, "S", 1), b.view(name, "slope", 0), out)  # type: ignore[no-any-return]
