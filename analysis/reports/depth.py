"""Depth of each population: its distance from the input, which is its column in a drawing."""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection


def depths(circuit: Circuit) -> dict[str, int]:
    """Count the projections from the input to each population on the longest path that closes no loop."""
    found = {circuit.inputs: 0}
    onward = _onward(circuit, (circuit.inputs,), set())
    for _ in circuit.populations:
        for q in onward:
            if q.source in found:
                found[q.target] = max(found.get(q.target, 0), found[q.source] + 1)
    for p in circuit.populations:
        colocated = [found[m.name] for m in circuit.populations if m.site == p.site and m.name in found]
        found.setdefault(p.name, max(colocated, default=0))
    return found


def _onward(circuit: Circuit, path: tuple[str, ...], visited: set[str]) -> list[Projection]:
    """List the projections that lead away from the input, without those to feedback neurons or back to their path."""
    found: list[Projection] = []
    if path[-1] not in visited:
        visited.add(path[-1])
        for q in circuit.outgoing[path[-1]]:
            if q.target not in path and not circuit.population(q.target).feedback:
                found += [q, *_onward(circuit, (*path, q.target), visited)]
    return found
