"""Angles between feedback projections and the weights that they mirror: feedback that begins as a transpose is said.

A rule may be local and yet compute exact backpropagation, where its feedback weights begin as the transposed forward
weights (Kolen-Pollack). No certificate shows that; the angle does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.alignment import degrees_between
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.engine.simulator import Simulator
from circuitsim.lowering.links import across, used

EXACT = 0.01  # degrees, above the rounding of float32 weights
NEAR = 30.0  # degrees from the transpose, or from minus it, which random weights seldom reach


def mirrored(simulator: Simulator) -> list[dict[str, Any]]:
    """Return rows of a projection, the one that it mirrors, and the angle between them in each replica, in degrees."""
    tensors, found = simulator.tensors(), []
    for back, forth in _pairs(simulator.circuit):
        w = across(tensors[f"{forth.name}.weight"], back.connectivity).reshape(simulator.state.replicas, -1)
        b = tensors[f"{back.name}.weight"].reshape(w.shape)
        exists = used(simulator.circuit, back)
        chosen = slice(None) if exists is None else exists.ravel()
        with np.errstate(over="ignore"):
            angles = degrees_between(w[:, chosen], b[:, chosen])
        degrees = [round(float(angle), 3) if np.isfinite(angle) else None for angle in angles]
        found.append({"projection": back.name, "mirrors": forth.name, "degrees": degrees})
    return found


def transposes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each projection that is near the transpose of what it mirrors, or near minus that transpose.

    Each line is about the replica whose angle is furthest from a right one.
    """
    return [
        _line(row, max(known, key=lambda angle: abs(angle - 90)))
        for row in rows
        if (known := [angle for angle in row["degrees"] if angle is not None])
        and max(abs(angle - 90) for angle in known) > 90 - NEAR
    ]


def _line(row: Mapping[str, Any], angle: float) -> str:
    name, of = row["projection"], row["mirrors"]
    if angle < EXACT:
        return (
            f"{name} equals the transpose of {of} ({angle:.3f} degrees): "
            "with these weights it carries what backpropagation would"
        )
    minus = "minus " if angle > 90 else ""
    carries = f"nearly {minus}what backpropagation would"
    return f"{name} is near {minus}the transpose of {of} ({angle:.3f} degrees): with these weights it carries {carries}"


def _pairs(circuit: Circuit) -> Iterator[tuple[Projection, Projection]]:
    """Yield projections with weights of their own that join the sites of an earlier one the other way round."""
    own = [q for q in circuit.projections if q.has_tensor and not q.constant]
    for index, back in enumerate(own):
        for forth in own[:index]:
            if _reversed(circuit, back, forth):
                yield back, forth


def _reversed(circuit: Circuit, back: Projection, forth: Projection) -> bool:
    sites = [[circuit.population(end).site for end in (q.source, q.target)] for q in (back, forth)]
    if sites[0] != sites[1][::-1] or sites[0][0] == sites[0][1]:
        return False
    sizes = [[circuit.population(end).size for end in (q.source, q.target)] for q in (back, forth)]
    return sizes[0] == sizes[1][::-1] and back.connectivity == forth.connectivity.transposed()
