"""Crossing: synapses that carry two signals in one tick, which a physical system has twice, with one weight.

A projection may use the synapses of another one at other times: no weight is at two places. In one tick a synapse
carries one signal. Where both deliver, the audit says so; it is no finding, since other delays part the signals.
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.wires import same_synapses
from circuitsim.timetable.entry import Entry


def crossings(circuit: Circuit, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return a sentence for each projection that delivers in one tick with another of the same synapses."""
    ticks: dict[str, set[int]] = {}
    for entry in entries:
        if entry.event.phase == phases.DELIVERY:
            ticks.setdefault(phases.subject(circuit, entry.event), set()).add(entry.event.tick)
    found = []
    tied = [q for q in circuit.projections if q.tied_to and same_synapses(circuit, q, circuit.projection(q.tied_to))]
    for place, q in enumerate(tied):
        others = [str(q.tied_to), *(other.name for other in tied[:place] if other.tied_to == q.tied_to)]
        for other in others:
            common = ticks.get(q.name, set()) & ticks.get(other, set())
            if common:
                found.append(f"{q.name} and {other} send two signals through the same synapses at tick {min(common)}")
    return tuple(found)
