"""Update: the proposed increments are applied, v <- mu v + mean_batch(dw), w <- w + eta v - lambda w.

A step that looks ahead (Nesterov momentum) is w <- w + eta (mean_batch(dw) + mu v) - lambda w.

Biases do not decay. Masked synapses stay zero. A normalised projection's weights are then divided by their Frobenius
norm. A diverged replica stays as it is.

`Protocol.updates` sets the time: after the last event, so that every increment is computed from the weights that all
passes used; as soon as the rules have run; or one of the two at random for each presentation. Deferred increments add
up until a random draw of the projection's own applies them.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Own
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.lowering.links import in_rows
from circuitsim.phases.base import Binding, Step, adds, reads
from circuitsim.randomness import generator

NAME = "update"
CERTAIN, AT_ONCE, AT_LAST = 0, 1, 2  # an event's detail: certain, or the early or late one of two, one of which happens


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads increments and rates, adds to weights and velocities."""
    q = circuit.projections[event.which]
    found = [reads("circuit", "alive"), reads("data", "rows"), reads(q.name, "weight_decay")]
    if event.detail or q.deferred:
        found += [reads("circuit", "seeds"), reads("circuit", "tick")]
    if q.deferred:
        found += [
            reads(q.name, "update_probability"),
            *(adds(q.name, f"{prefix}pending") for _, prefix, _ in _tensors(q.bias)),
        ]
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
    scale = 1.0 / b.view("data", "rows").shape[-1]
    taken, due, steps = _due(b, q)
    decay = b.view(q.name, "weight_decay")
    for weight, prefix, rate in _tensors(q.bias):
        increment = in_rows(b.view(q.name, f"{prefix}increment"))
        velocity = b.optional(q.name, f"{prefix}velocity")
        if q.deferred:
            pending = in_rows(b.view(q.name, f"{prefix}pending"))
            steps.append(b.kernels.accumulate(increment, pending, scale, taken))
        change = pending if q.deferred else increment, None if velocity is None else in_rows(velocity)
        decays = decay if weight == "weight" else np.zeros_like(decay)
        numbers = decays, 1.0 if q.deferred else scale, due
        steps += _applied(b, q, in_rows(b.view(q.name, weight)), change, b.view(q.name, rate), numbers)
        if q.deferred:
            steps.append(b.kernels.clear(pending, due))
    if q.masked:
        steps.append(b.kernels.mask(in_rows(b.view(q.name, "weight")), in_rows(b.view(q.name, "mask"))))
    if q.weights == Own(normalised=True):
        steps.append(b.kernels.normalise(in_rows(b.view(q.name, "weight")), due))
    return in_turn(steps)


def _applied(
    b: Binding,
    q: Projection,
    weight: np.ndarray,
    change: tuple[np.ndarray, np.ndarray | None],
    rate: np.ndarray,
    numbers: tuple[np.ndarray, float, np.ndarray],
) -> list[Step]:
    """Return the steps that change weights by an increment and a velocity, given decay, scale and whose it is due.

    A step that looks ahead is two: by the velocity at a rate of eta mu, then by the increment alone.
    """
    (increment, velocity), (decay, scale, due) = change, numbers
    momentum = b.optional(q.name, "momentum")
    if velocity is None or momentum is None or not any(p.nesterov for p in b.circuit.rules[q.name]):
        return [b.kernels.apply(weight, increment, velocity, rate, momentum, decay, scale, due)]
    slower = np.empty((len(rate), 1, 1), rate.dtype)
    product = b.kernels.multiply(rate[:, None, None], momentum[:, None, None], slower)
    ahead = b.kernels.apply(weight, increment, velocity, slower[:, 0, 0], momentum, decay, scale, due)
    return [product, ahead, b.kernels.apply(weight, increment, None, rate, None, np.zeros_like(decay), scale, due)]


def _due(b: Binding, q: Projection) -> tuple[np.ndarray, np.ndarray, list[Step]]:
    """Return whose increments are taken now and whose are applied, (replica,) of bool each, and the steps that draw.

    One of a presentation's two update events takes the increments, so that deferred ones are counted once.
    """
    alive = b.view("circuit", "alive")
    if not (b.event.detail or q.deferred):
        return alive, alive, []
    taken, due = np.zeros_like(alive), np.zeros_like(alive)
    seeds, tick, probability = (
        b.view("circuit", "seeds"),
        b.view("circuit", "tick"),
        b.optional(q.name, "update_probability"),
    )

    def toss() -> None:
        now = int(tick[0])
        for r, seed in enumerate(seeds):
            taken[r] = alive[r]
            if b.event.detail:
                early = generator(seed, f"order of updates of {q.name}", now).random() < 0.5
                taken[r] &= early == (b.event.detail == AT_ONCE)
            due[r] = taken[r]
            if probability is not None:
                due[r] &= generator(seed, f"time of updates of {q.name}", now).random() < probability[r]

    return (
        taken,
        due,
        [b.kernels.on_host(toss, [alive, taken, due, tick, *([] if probability is None else [probability])])],
    )


def _tensors(bias: bool) -> list[tuple[str, str, str]]:
    tensors = [("weight", "", "lr")]
    return [*tensors, ("bias", "bias_", "lr_bias")] if bias else tensors
