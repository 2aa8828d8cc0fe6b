"""Update: the proposed increments are applied, v <- mu v + mean_batch(dw), w <- w + eta v - lambda w.

Biases do not decay. Synapses that do not exist stay zero. A normalised projection's weights are then divided by their
Frobenius norm. All of a presentation's updates come after its last event, so every increment was computed from the
weights that its passes used. A replica that has diverged is left as it is.
"""

from __future__ import annotations

import numpy as np

from circuitsim.events import Event
from circuitsim.graph import Circuit
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, in_turn, reads

NAME = "update"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads increments and rates, adds to weights and velocities."""
    q = circuit.projections[event.which]
    found = [reads("circuit", "alive"), reads("data", "rows"), reads(q.name, "weight_decay")]
    for weight, prefix, rate in _tensors(q.bias):
        found += [reads(q.name, f"{prefix}increment"), reads(q.name, rate), adds(q.name, weight)]
        if q.masked and weight == "weight":
            found.append(reads(q.name, "mask"))
        if any(p.momentum for p in circuit.rules[q.name]):
            found += [reads(q.name, "momentum"), adds(q.name, f"{prefix}velocity")]
    return tuple(dict.fromkeys(found))


def bind(b: Binding) -> Step:
    """Bind one application for the weights and one for the biases."""
    q = b.circuit.projections[b.event.which]
    alive, batch = b.view("circuit", "alive"), b.view("data", "rows").shape[-1]
    decay = b.view(q.name, "weight_decay")
    steps = [
        b.kernels.apply(
            b.view(q.name, weight),
            b.view(q.name, f"{prefix}increment"),
            b.optional(q.name, f"{prefix}velocity"),
            b.view(q.name, rate),
            b.optional(q.name, "momentum"),
            decay if weight == "weight" else np.zeros_like(decay),
            1.0 / batch,
            alive,
        )
        for weight, prefix, rate in _tensors(q.bias)
    ]
    if q.masked:
        steps.append(b.kernels.mask(b.view(q.name, "weight"), b.view(q.name, "mask")))
    if q.normalised:
        steps.append(b.kernels.normalise(b.view(q.name, "weight"), alive))
    return in_turn(steps)


def _tensors(bias: bool) -> list[tuple[str, str, str]]:
    tensors = [("weight", "", "lr")]
    return [*tensors, ("bias", "bias_", "lr_bias")] if bias else tensors
