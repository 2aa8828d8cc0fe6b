"""Groups to test: for each event of a timetable, and for all synapses of a presentation together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.cuts import count_of, cuts, pair_cuts
from circuitsim.analysis.audits.fields import channel_cuts, field_cuts
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.permitted import ArrivalGroup, Group, NeuronGroup, SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.synapse_table import SynapseTable, synapse_table
from circuitsim.circuit.circuit import Circuit
from circuitsim.phases import FIRING
from circuitsim.timetable.entry import Entry


@dataclass(frozen=True)
class _Extent:
    """Numbers of replicas and examples, and the source of random numbers."""

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
    elif entry.event.phase in (*FIRING, phases.BOUND, phases.RETENTION):
        yield from _of_neurons(extent, subject, owners=entry.event.phase == phases.BOUND)
    else:
        yield from _of_synapses(extent, subject)


def joint_groups(recording: Recording, random: np.random.Generator) -> Iterator[list[SynapseGroup]]:
    """Yield groups of synapses to test together in a whole presentation.

    First each projection that learns by itself, with all other sites changed. Then for each site cuts of its neurons,
    with all projections into and out of it; in circuits of many sites, in the place of both, cuts of the neurons of all
    sites together, of which there are fewer.
    """
    circuit = recording.circuit
    extent = _Extent(circuit, recording.replicas, recording.part.rows.shape[-1], random)
    names = list(dict.fromkeys(recording.subject(k) for k, e in enumerate(recording.entries) if _learns(e)))
    every = np.ones(extent.replicas, bool)
    for replicas in cuts(extent.replicas, random):
        yield [_whole(extent, name, replicas) for name in names]
    sites = {p.site: 0 for p in circuit.populations}
    for p in circuit.populations:
        sites[p.site] = max(sites[p.site], p.size)
    apart = [(site, near, _parting(circuit, site, near)) for site in sites if (near := _near(circuit, names, site))]
    together = sum(sites.values())
    if count_of(pair_cuts, together) < len(names) + sum(count_of(part, sites[site]) for site, _, part in apart):
        for neurons in pair_cuts(together, random):
            yield _across(
                extent, names, dict(zip(sites, np.split(neurons, np.cumsum([*sites.values()])), strict=False))
            )
        return
    for name in names:
        yield [_whole(extent, name, every)]
    for site, near, part in apart:
        for neurons in part(sites[site], random):
            yield [_cut(extent, name, {site: neurons}) for name in near]


def _near(circuit: Circuit, names: list[str], site: str) -> list[str]:
    return [name for name in names if site in _sites(circuit, name)]


def _parting(circuit: Circuit, site: str, near: list[str]) -> Callable[[int, np.random.Generator], Iterator[Array]]:
    """Return the cuts that part a site's neurons: those that hold two of any three where synapses stay inside."""
    return pair_cuts if any(set(_sites(circuit, name)) == {site} for name in near) else cuts


def _across(extent: _Extent, names: list[str], held: dict[str, Array]) -> list[SynapseGroup]:
    """Return the synapses of all projections whose neurons are held at both ends."""
    found = [_cut(extent, name, held) for name in names]
    return [group for group in found if group.posts.any() and group.pres.any()]


def _whole(extent: _Extent, name: str, replicas: Array) -> SynapseGroup:
    q = extent.circuit.projection(name)
    return SynapseGroup(name, replicas, extent.every(q.target), extent.every(q.source))


def _learns(entry: Entry) -> bool:
    return entry.event.phase in (phases.REFRESH, phases.PLASTICITY, phases.UPDATE)


def _sites(circuit: Circuit, name: str) -> list[str]:
    return [circuit.population(end).site for end in _ends(circuit, name)]


def _cut(extent: _Extent, name: str, held: dict[str, Array]) -> SynapseGroup:
    """Return the synapses of a projection whose neurons are held, at the sites that a mask is given for."""
    posts, pres = (
        held[p.site][: p.size] if p.site in held else extent.every(p.name)
        for p in map(extent.circuit.population, _ends(extent.circuit, name))
    )
    return SynapseGroup(name, np.ones(extent.replicas, bool), posts, pres)


def _ends(circuit: Circuit, name: str) -> tuple[str, str]:
    q = circuit.projection(name)
    return q.target, q.source


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
