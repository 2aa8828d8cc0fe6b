"""How far from the input each population lies: the column that it has in a drawing."""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection


def depths(circuit: Circuit) -> dict[str, int]:
    """How many projections lie between the input and each population on the longest way that closes no loop."""
    found = {circuit.inputs: 0}
    onward = _onward(circuit, (circuit.inputs,), set())
    for _ in circuit.populations:
        for q in onward:
            if q.source in found:
                found[q.target] = max(found.get(q.target, 0), found[q.source] + 1)
    for p in circuit.populations:
        mates = [found[m.name] for m in circuit.populations if m.site == p.site and m.name in found]
        found.setdefault(p.name, max(mates, default=0))
    return found


def _onward(circuit: Circuit, path: tuple[str, ...], visited: set[str]) -> list[Projection]:
    """The projections that lead away from the input, feedback neurons aside: those that do not return to their path."""
    found: list[Projection] = []
    if path[-1] not in visited:
        visited.add(path[-1])
        for q in circuit.outgoing[path[-1]]:
            if q.target not in path and not circuit.population(q.target).feedback:
                found += [q, *_onward(circuit, (*path, q.target), visited)]
    return found
