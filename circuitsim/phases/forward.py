"""Forward pass: neurons sum their inputs and fire, O = f(S + b); clamped populations take in data and labels.

It covers the firing, in any cycle, of neurons that do not mix (layer L of a circular autoencoder), and, in cycle 0, of
neurons that take over the activity of colocated ones. Where neurons drop out, O = m f(S + b) / (1 - p), with m drawn
for each presentation that teaches, each neuron and each example: 0 with the probability p, else 1. Neurons with a norm
normalise S; then `slope` is what S less its mean is multiplied by. In the later steps
of a clocked protocol clamped neurons keep what they were clamped to.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, bias_inputs, biases, reads, writes
from circuitsim.phases.firing import fire
from circuitsim.phases.norms import normalised, normalising

NAME = "forward pass"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Adds the biases to the summed input S, writes the activity f(S) and the slope f'(S)."""
    p, cycle = circuit.populations[event.which], event.detail
    if cycle and p.name in circuit.clamped:
        return reads(p.name, "O", 0), writes(p.name, "O", cycle)
    if p.name in circuit.clamped:
        source = "x" if p.name == circuit.inputs else "y"
        return reads("data", source), reads("data", "rows"), writes(p.name, "O", 0)
    if cycle == 0 and (taken := circuit.exchanged(p.name, Carries.INPUT)):
        return reads(taken[0].source, "O", 0), writes(p.name, "O", 0)
    drawn = (reads("circuit", "seeds"), reads("circuit", "tick")) if p.dropout else ()
    return (
        *drawn,
        *normalising(p, cycle),
        adds(p.name, "S", cycle),
        *(reads(name, "bias") for name in biases(circuit, p.name)),
        writes(p.name, "O", cycle),
        writes(p.name, "slope", cycle),
    )


def bind(b: Binding) -> Step:
    """Bind the gathering of a batch, or an activation."""
    p, cycle = b.circuit.populations[b.event.which], b.event.detail
    fired = b.optional(p.name, "O", cycle)
    if cycle and p.name in b.circuit.clamped:
        return in_turn([])  # all steps have one memory, see activity.py
    if p.name in b.circuit.clamped:
        if p.name == b.circuit.inputs or b.circuit.real_targets:
            source = "x" if p.name == b.circuit.inputs else "y"
            return b.kernels.gather(b.view("data", source), b.view("data", "rows"), fired)  # type: ignore[no-any-return]
        return b.kernels.one_hot(b.view("data", "y"), b.view("data", "rows"), fired)  # type: ignore[no-any-return]
    if cycle == 0 and b.circuit.exchanged(p.name, Carries.INPUT):
        return in_turn([])  # both populations have one memory, see activity.py
    bias, steps = bias_inputs(b, biases(b.circuit, p.name))
    arriving, slope = b.view(p.name, "S", cycle), b.optional(p.name, "slope", cycle)
    # if only the summed input or the slope is needed, S must not be overwritten
    out = np.empty_like(arriving) if fired is None else fired
    if b.first:  # nothing has arrived: neurons before were silent
        steps.append(b.kernels.clear(arriving, np.ones(len(arriving), np.bool_)))
    steps.append(fire(b, p.activation, arriving, bias, out, slope))
    if p.norm is not None:
        steps.append(normalised(b, p, out, slope))
    if p.centres:
        steps.append(b.kernels.centre(out))
    if p.dropout and b.learns:
        seeds, tick = b.view("circuit", "seeds"), b.view("circuit", "tick")
        steps.append(b.kernels.silence(seeds, f"dropout of {p.name}", tick, p.dropout, out, slope))
    return in_turn(steps)
