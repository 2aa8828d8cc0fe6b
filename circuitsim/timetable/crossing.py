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

Signal = tuple[str, int]  # the population that sends it, and the cycle


def crossings(circuit: Circuit, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return a sentence for each projection that delivers in one tick with another of the same synapses."""
    sent: dict[str, dict[int, Signal]] = {}
    for entry in entries:
        if entry.event.phase == phases.DELIVERY:
            q = circuit.projections[entry.event.which]
            sent.setdefault(q.name, {})[entry.event.tick] = q.source, entry.event.detail
    found = []
    tied = [q for q in circuit.projections if q.tied_to and same_synapses(circuit, q, circuit.projection(q.tied_to))]
    for place, q in enumerate(tied):
        for other in [str(q.tied_to), *(other.name for other in tied[:place] if other.tied_to == q.tied_to)]:
            own, others = sent.get(q.name, {}), sent.get(other, {})
            common = [tick for tick in own if tick in others and own[tick] != others[tick]]
            if common:
                found.append(f"{q.name} and {other} send two signals through the same synapses at tick {min(common)}")
    return tuple(found)
