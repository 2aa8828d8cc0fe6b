"""Recirculation cycle: neurons that held O(0) and now compute S emit one mixture of the two and remember another.

E(c) = e O(0) + (1 - e) S,  O(c) = m O(0) + (1 - m) S, with coefficients e, m for each population and replica: the
named variants PR, CCR, RCC, CCRCC and RWCC are points of this continuum (Baldi & Sadowski 2018, section 4.2). If a
population takes its input from a colocated one (layer 0 from layer L), S is the latter's activity of the cycle before,
or, for recirculated errors, O(0) minus it (section 4.1). Loops within loops count the cycles of the inner loop: the
outer loop closes once in several of them and then takes over its input anew.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, bias_inputs, biases, reads, writes
from circuitsim.phases.firing import fire

NAME = "recirculation cycle"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the new input and cycle 0's activity, writes the emission and the memory."""
    p, cycle = circuit.populations[event.which], event.detail
    taken = circuit.taken(p.name, cycle)
    arriving = [reads(*_returned(taken, cycle))] if taken else []
    if not taken:
        arriving = [adds(p.name, "S", cycle), *(reads(name, "bias") for name in biases(circuit, p.name))]
    return (
        *arriving,
        reads(p.name, "O", 0),
        reads(p.name, "emits"),
        reads(p.name, "remembers"),
        writes(p.name, "E", cycle),
        writes(p.name, "O", cycle),
    )


def bind(b: Binding) -> Step:
    """Bind an activation and up to two mixtures; a mixture with coefficient zero everywhere is the value itself."""
    p, cycle = b.circuit.populations[b.event.which], b.event.detail
    held = b.view(p.name, "O", 0)
    outputs = _outputs(b, p.name, cycle)
    if taken := b.circuit.taken(p.name, cycle):
        returned = b.view(*_returned(taken, cycle))
        mix = b.kernels.mix_error if taken.carries is Carries.ERROR else b.kernels.mix
        return in_turn([mix(coefficient, held, returned, out) for coefficient, out in outputs])
    arriving = b.view(p.name, "S", cycle)
    bias, steps = bias_inputs(b, biases(b.circuit, p.name))
    fired = fire(b, p.activation, arriving, bias, arriving)
    # the array that shares memory with S is written last; an unmixed one that is S itself needs no write
    outputs.sort(key=lambda pair: _same(pair[1], arriving))
    mixed = [(c, out) for c, out in outputs if c.any() or not _same(out, arriving)]
    return in_turn([*steps, fired, *(b.kernels.mix(c, held, arriving, out) for c, out in mixed)])


def _returned(taken: Exchange, cycle: int) -> tuple[str, str, int]:
    """Return the address of the activity that is taken over: an input's of this cycle, others' of an earlier one."""
    return taken.source, "O", cycle if taken.carries is Carries.INPUT else cycle - taken.period


def _outputs(b: Binding, name: str, cycle: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of a coefficient and its array; one pair if emission and memory share an array."""
    emitted, remembered = b.optional(name, "E", cycle), b.optional(name, "O", cycle)
    pairs = [] if emitted is None else [(b.view(name, "emits"), emitted)]
    if remembered is not None and (emitted is None or not _same(emitted, remembered)):
        pairs.append((b.view(name, "remembers"), remembered))
    return pairs


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a.ctypes.data == b.ctypes.data)
