"""Retention: at the end of a presentation that teaches, neurons keep their last activity for the next presentation.

O(-1) <- O(c), with c the last cycle in which the neuron fired, for the places of the batch that were shown: a place
that a short batch leaves out keeps what it had. Only neurons of which a rule reads `at(-1)` do so. In replicas that
have diverged nothing changes.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.locality import BEFORE, Access
from circuitsim.phases.base import Binding, Step, adds, reads

NAME = "retention"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the last activity, replaces that of the presentation before."""
    name = circuit.populations[event.which].name
    return reads(name, "O", event.detail), reads("circuit", "alive"), adds(name, "O", BEFORE)


def bind(b: Binding) -> Step:
    """Bind a copy."""
    name = b.circuit.populations[b.event.which].name
    alive, fired = b.view("circuit", "alive"), b.view(name, "O", b.event.detail)
    return b.kernels.retain(fired, alive, b.view(name, "O", BEFORE))  # type: ignore[no-any-return]
