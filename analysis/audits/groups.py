"""Groups to test: for each event of a timetable, and for all synapses of a presentation together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.cuts import cuts, pair_cuts
from circuitsim.analysis.audits.fields import channel_cuts, field_cuts
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.permitted import ArrivalGroup, Group, NeuronGroup, SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.synapse_table import SynapseTable, synapse_table
from circuitsim.circuit.circuit import Circuit
from circuitsim.phases import FIRING
from circuitsim.timetable.schedule import Entry


@dataclass(frozen=True)
class _Extent:
    """How many replicas and examples there are, and where random numbers come from."""

    circuit: Circuit
    replicas: int
    examples: int
    random: np.random.Generator

    def every(self, population: str) -> Array:
        """Mark all neurons of a population."""
        return np.ones(self.circuit.population(population).size, bool)

    def parted(self, population: str) -> Iterator[Array]:
        """Yield cuts of a population's neurons."""
        return cuts(self.circuit.population(population).size, self.random)


def groups_of(recording: Recording, entry: Entry, random: np.random.Generator) -> Iterator[Group]:
    """Yield groups of the elements that an event makes; the first is of all elements."""
    extent = _Extent(recording.circuit, recording.replicas, recording.part.rows.shape[-1], random)
    subject = phases.subject(recording.circuit, entry.event)
    if entry.event.phase == phases.DELIVERY:
        yield from _of_arrivals(extent, subject, entry.event.detail)
    elif entry.event.phase in FIRING or entry.event.phase == phases.BOUND:
        yield from _of_neurons(extent, subject, owners=entry.event.phase == phases.BOUND)
    else:
        yield from _of_synapses(extent, subject)


def joint_groups(recording: Recording, random: np.random.Generator) -> Iterator[list[SynapseGroup]]:
    """Yield groups of synapses to test together in a whole presentation.

    First each projection that learns by itself, with all other sites changed. Then for each site cuts of its neurons,
    with all projections into and out of it.
    """
    circuit = recording.circuit
    extent = _Extent(circuit, recording.replicas, recording.part.rows.shape[-1], random)
    names = list(dict.fromkeys(recording.subject(k) for k, e in enumerate(recording.entries) if _learns(e)))
    for name in names:
        q = circuit.projection(name)
        ends = extent.every(q.target), extent.every(q.source)
        yield [SynapseGroup(name, np.ones(extent.replicas, bool), *ends)]
        for replicas in cuts(extent.replicas, random):
            yield [SynapseGroup(name, replicas, *ends)]
    for site in dict.fromkeys(p.site for p in circuit.populations):
        near = [name for name in names if site in _sites(circuit, name)]
        size = max(p.size for p in circuit.populations if p.site == site)
        inside = any(set(_sites(circuit, name)) == {site} for name in near)
        for neurons in (pair_cuts if inside else cuts)(size, random) if near else ():
            yield [_cut(extent, name, site, neurons) for name in near]


def _learns(entry: Entry) -> bool:
    return entry.event.phase in (phases.REFRESH, phases.PLASTICITY, phases.UPDATE)


def _sites(circuit: Circuit, name: str) -> tuple[str, str]:
    q = circuit.projection(name)
    return circuit.population(q.target).site, circuit.population(q.source).site


def _cut(extent: _Extent, name: str, site: str, neurons: Array) -> SynapseGroup:
    """Return the synapses of a projection whose neurons at a site are in a mask."""
    q = extent.circuit.projection(name)
    posts, pres = (
        neurons[: extent.circuit.population(end).size] if extent.circuit.population(end).site == site
        else extent.every(end) for end in (q.target, q.source)
    )  # fmt: skip
    return SynapseGroup(name, np.ones(extent.replicas, bool), posts, pres)


def _of_synapses(extent: _Extent, name: str) -> Iterator[SynapseGroup]:
    q, circuit, random = extent.circuit.projection(name), extent.circuit, extent.random
    posts, pres, all_ = extent.every(q.target), extent.every(q.source), np.ones(extent.replicas, bool)
    yield SynapseGroup(name, all_, posts, pres)
    for replicas in cuts(extent.replicas, random):
        yield SynapseGroup(name, replicas, posts, pres)
    table = synapse_table(circuit, name)
    if not table.single:  # neurons whose synapses share a slot stay together
        yield from _of_slots(extent, table, name)
    elif circuit.colocated(q.target, q.source):
        for neurons in pair_cuts(max(len(posts), len(pres)), random):
            yield SynapseGroup(name, all_, neurons[: len(posts)], neurons[: len(pres)])
    else:
        for neurons in extent.parted(q.source):
            yield SynapseGroup(name, all_, posts, neurons)
        for neurons in extent.parted(q.target):
            yield SynapseGroup(name, all_, neurons, pres)


def _of_slots(extent: _Extent, table: SynapseTable, name: str) -> Iterator[SynapseGroup]:
    """Yield groups of slots that several synapses may have: cuts of the channels at both ends, and of the slots."""
    q, random, all_ = extent.circuit.projection(name), extent.random, np.ones(extent.replicas, bool)
    posts, pres = extent.every(q.target), extent.every(q.source)
    for neurons in channel_cuts(table, table.post, len(posts), random):
        yield SynapseGroup(name, all_, neurons, pres)
    for neurons in channel_cuts(table, table.pre, len(pres), random):
        yield SynapseGroup(name, all_, posts, neurons)
    for slots in cuts(int(np.prod(table.shape)), random):
        yield SynapseGroup(name, all_, posts, pres, slots.reshape(table.shape))


def _of_arrivals(extent: _Extent, name: str, cycle: int) -> Iterator[ArrivalGroup]:
    q, random = extent.circuit.projection(name), extent.random
    posts, pres = extent.every(q.target), extent.every(q.source)
    replicas, examples = np.ones(extent.replicas, bool), np.ones(extent.examples, bool)
    yield ArrivalGroup(name, cycle, replicas, examples, posts, pres)
    for some in cuts(extent.replicas, random):
        yield ArrivalGroup(name, cycle, some, examples, posts, pres)
    for some in cuts(extent.examples, random):
        yield ArrivalGroup(name, cycle, replicas, some, posts, pres)
    for some in extent.parted(q.target):
        yield ArrivalGroup(name, cycle, replicas, examples, some, pres)
    table = synapse_table(extent.circuit, name)
    for some in () if table.dense else field_cuts(table, random):
        yield ArrivalGroup(name, cycle, replicas, examples, some, pres)


def _of_neurons(extent: _Extent, name: str, *, owners: bool) -> Iterator[NeuronGroup]:
    random = extent.random
    replicas, examples = np.ones(extent.replicas, bool), None if owners else np.ones(extent.examples, bool)
    yield NeuronGroup(name, replicas, extent.every(name), examples)
    for some in cuts(extent.replicas, random):
        yield NeuronGroup(name, some, extent.every(name), examples)
    for some in () if owners else cuts(extent.examples, random):
        yield NeuronGroup(name, replicas, extent.every(name), some)
    for some in extent.parted(name):
        yield NeuronGroup(name, replicas, some, examples)
