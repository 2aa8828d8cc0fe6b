"""Blank: in steps of a clocked protocol that show nothing, input neurons fire a constant, O = blank."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, writes

NAME = "blank"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Writes the activity."""
    return (writes(circuit.populations[event.which].name, "O", event.detail),)


def bind(b: Binding) -> Step:
    """Bind the gathering of an example that is the constant everywhere."""
    out = b.view(b.circuit.populations[b.event.which].name, "O", b.event.detail)
    nothing = np.full((1, out.shape[2]), b.circuit.blank, out.dtype)
    return b.kernels.gather(nothing, np.zeros(out.shape[:2], np.int64), out)  # type: ignore[no-any-return]
