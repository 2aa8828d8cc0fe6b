"""Normalisation of a summed input, and of the errors that pass back through it: for the forward and feedback phases."""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.norms import Batch, Online
from circuitsim.circuit.parts import Population
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, reads, writes


def normalising(p: Population, cycle: int) -> tuple[Access, ...]:
    """Return the running statistics that neurons use and change, and what they remember for their errors."""
    if p.norm is None:
        return ()
    kept = [adds(p.name, name) for name in p.norm.state(p.shape) if not name.startswith("error")]
    return *kept, *([writes(p.name, "normal", cycle)] if isinstance(p.norm, Online) else [])


def normalised(b: Binding, p: Population, out: np.ndarray, slope: np.ndarray | None) -> Step:
    """Bind the normalisation of a summed input, in place."""
    cycle, norm = b.event.detail, p.norm
    slope = np.empty_like(out) if slope is None else slope
    if isinstance(norm, Online):
        normal = b.optional(p.name, "normal", cycle)
        made = out, np.empty_like(out) if normal is None else normal, slope
        running = b.view(p.name, "mean"), b.view(p.name, "variance")
        numbers = norm.forward, norm.epsilon, norm.limit
        return b.kernels.normalise_online(out, running, numbers, made, learns=b.learns)  # type: ignore[no-any-return]
    if isinstance(norm, Batch):
        running = b.view(p.name, "mean"), b.view(p.name, "variance")
        numbers_ = norm.decay, norm.epsilon
        return b.kernels.normalise_batch(out, running, numbers_, (out, slope), learns=b.learns)  # type: ignore[no-any-return]
    assert norm is not None
    return b.kernels.normalise_groups(out, (norm.groups, norm.power, norm.delta), (out, slope))  # type: ignore[no-any-return]


def differentiating(p: Population, step: int) -> tuple[Access, ...]:
    """Return what errors that pass back through neurons read of these, and the statistics of errors."""
    if p.norm is None:
        return ()
    kept = [adds(p.name, name) for name in p.norm.state(p.shape) if name.startswith("error")]
    return *kept, reads(p.name, "normal" if isinstance(p.norm, Online) else "O", step)


def differentiated(b: Binding, p: Population, arriving: np.ndarray, out: np.ndarray) -> Step:
    """Bind the passage of errors back through the normalisation of neurons."""
    step, norm = b.event.detail, p.norm
    slope = b.view(p.name, "slope", step)
    if isinstance(norm, Online):
        running = b.view(p.name, "error_mean"), b.view(p.name, "error_scale")
        kept = b.view(p.name, "normal", step), slope
        return b.kernels.through_online(arriving, kept, running, (norm.backward, norm.limit), out, learns=b.learns)  # type: ignore[no-any-return]
    kept = b.view(p.name, "O", step), slope
    if isinstance(norm, Batch):
        return b.kernels.through_batch(arriving, kept, p.shape[0], out, learns=b.learns)  # type: ignore[no-any-return]
    assert norm is not None
    return b.kernels.through_groups(arriving, kept, (norm.groups, norm.power, norm.delta), out)  # type: ignore[no-any-return]
