"""Refresh: at the start of a presentation a projection copies another's transposed weights, or draws magnitudes.

w <- a^T in every k-th presentation, with the parameter k = copy_interval; or |w| uniform within the limit of Glorot &
Bengio 2010, anew for each presentation. Synapses that do not exist stay zero.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Signs
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.lowering.links import across, in_rows, used
from circuitsim.phases.base import Binding, Step, adds, reads

NAME = "refresh"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the other's weights, or the clock; changes the weights."""
    q = circuit.projections[event.which]
    kept = [reads(q.name, "mask")] if q.masked else []
    always = reads("circuit", "alive"), *kept, adds(q.name, "weight")
    if isinstance(q.weights, Signs):
        return reads("circuit", "seeds"), reads("circuit", "tick"), *always
    return (
        reads(str(q.transposed_from), "weight"),
        reads("circuit", "presentation"),
        reads(q.name, "copy_interval"),
        *always,
    )


def bind(b: Binding) -> Step:
    """Bind a copy or a draw."""
    q = b.circuit.projections[b.event.which]
    weight, alive = b.view(q.name, "weight"), b.view("circuit", "alive")
    if isinstance(q.weights, Signs):
        clock = b.view("circuit", "seeds"), b.view("circuit", "tick")
        limit = np.sqrt(6.0 / sum(q.connectivity.fan(*b.circuit.ends(q.name))))
        step: Step = b.kernels.magnitudes(*clock, f"magnitudes of {q.name}", weight, float(limit), alive)
    else:
        count, interval = b.view("circuit", "presentation"), b.view(q.name, "copy_interval")
        other = across(b.view(str(q.transposed_from), "weight"), q.connectivity)
        pair = (other, weight) if q.dense else (in_rows(other), in_rows(weight))
        step = b.kernels.refresh(pair[0], count, interval, pair[1], alive)
    kept = b.view(q.name, "mask") if q.masked else _existing(b, q, weight)
    return step if kept is None else in_turn([step, b.kernels.mask(in_rows(weight), in_rows(kept))])


def _existing(b: Binding, q: Projection, weight: np.ndarray) -> np.ndarray | None:
    """Return which slots have a synapse, laid out like the weights; None: all, or those that a copy has."""
    exists = used(b.circuit, q) if isinstance(q.weights, Signs) else None
    if exists is None or exists.all():
        return None
    kept = np.empty_like(weight, np.bool_)
    kept[...] = exists
    return kept
