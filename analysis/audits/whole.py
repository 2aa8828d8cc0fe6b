"""Trials of whole presentations: everything changes again and again but groups of synapses and their neurons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.memory import Array, Where, differing
from circuitsim.analysis.audits.permitted import SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.scene import Masks, Scene, X, incoming, join, signals
from circuitsim.analysis.audits.trials import NONE, Differs, Place, by_block, part_of
from circuitsim.locality import Key


class PresentationTrial:
    """A whole presentation, with everything changed again and again but groups of synapses and their neurons.

    Parameters
    ----------
    recording : the timetable. other : the values that forbidden memory gets.
    """

    def __init__(self, recording: Recording, other: Sequence[Array]) -> None:
        self.recording, self._other = recording, other

    def guilty(self, groups: Sequence[SynapseGroup]) -> tuple[Masks, Masks]:
        """Mark the groups' elements, and those of them that depend on forbidden memory."""
        tested, recording = self._tested(groups), self.recording
        if not any(mask.any() for mask in tested.values()):
            return {}, {}
        _Presentation(recording, self._other, groups, tested).run(recording.memory.everything)
        last = recording.at[-1]
        found = {k: m & differing(recording.arrays[k], last[recording.memory.of[k]]) for k, m in tested.items()}
        return tested, found

    def differs(self, groups: Sequence[SynapseGroup], place: Place) -> Differs:
        """Return a function that tells if one element changes when only some forbidden memory does."""
        key, index = place
        last = self.recording.at[-1][self.recording.memory.of[key]]
        presentation = _Presentation(self.recording, self._other, groups, self._tested(groups))

        def changed(where: Where) -> bool:
            presentation.run(where)
            return bool(differing(self.recording.arrays[key][index], last[index]).any())

        return changed

    def _tested(self, groups: Sequence[SynapseGroup]) -> Masks:
        found: Masks = {}
        for group in groups:
            found |= group.own(self._scene)
        return found

    @cached_property
    def _scene(self) -> Scene:
        return self.recording.scene(len(self.recording.entries), window=True)


class _Presentation:
    """A presentation of which groups of synapses and their neurons are held.

    Parameters
    ----------
    tested : the groups' own elements, which keep their values in this run.
    """

    def __init__(
        self, recording: Recording, other: Sequence[Array], groups: Sequence[SynapseGroup], tested: Masks
    ) -> None:
        self._recording, self._other, self._groups = recording, other, groups
        self._memory, self._own = recording.memory, by_block(recording, tested)
        self._scene = recording.scene(0, window=True)
        self._neurons: dict[str, list[tuple[Array, Array]]] = {}  # held replicas and neurons, by site
        for group in groups:
            q = recording.circuit.projection(group.projection)
            for population, neurons in ((q.target, group.posts), (q.source, group.pres)):
                site = recording.circuit.population(population).site
                self._neurons.setdefault(site, []).append((group.replicas, neurons))
        self._masks: dict[Key, Array | None] = {}

    def run(self, where: Where) -> None:
        """Run the presentation with these blocks changed before it, and again before each event of synapses."""
        recording = self._recording
        self._memory.load(recording.at[0])
        self._change(where)
        self._hold(by_block(recording, self._constant()), 0)
        self._hold(self._held({self._memory.of[key] for key in recording.written[0]}, 0), 0)  # what is retained
        stale = set[int]()  # blocks that do not hold what they were changed to
        for k, (entry, step) in enumerate(zip(recording.entries, recording.part.bare, strict=True)):
            if entry.event.phase >= phases.PLASTICITY:
                self._change({block: where[block] for block in stale & where.keys()})
                self._hold(self._held(stale, k), k)
                stale.clear()
            if entry.event.phase == phases.BOUND:
                siblings = by_block(recording, self._siblings(recording.subject(k)))
                self._hold(siblings, k)
                stale |= siblings.keys()
            step()
            made = recording.makes[k]
            self._hold(self._held(made, k + 1), k + 1)
            stale |= {*made, *recording.aged[k + 1]}

    def _change(self, where: Where) -> None:
        """Change memory; the groups keep their values in this run."""
        for block, positions in where.items():
            array = self._memory.blocks[block]
            if positions is None and block not in self._own:
                array[...] = self._other[block]
                continue
            part = part_of(array.shape, positions)
            np.copyto(array, self._other[block], where=part & ~self._own.get(block, NONE))

    def _hold(self, masks: dict[int, Array], k: int) -> None:
        """Give held memory the values that the recording has before an entry."""
        for block, mask in masks.items():
            kept = mask & ~self._own[block] if block in self._own else mask
            np.copyto(self._memory.blocks[block], self._recording.at[k][block], where=kept)

    def _held(self, blocks: Iterable[int], k: int) -> dict[int, Array]:
        """Mark what the groups' neurons hold before an entry, in some blocks."""
        found: Masks = {}
        for key in (key for block in blocks for key in self._memory.keys[block]):
            if self._recording.holds(key, k) and (mask := self._of_neurons(key)) is not None:
                found[key] = mask
        return by_block(self._recording, found)

    def _of_neurons(self, key: Key) -> Array | None:
        """Mark the activity of the groups' neurons; None where they have none there."""
        if key not in self._masks:
            near = self._neurons.get(self._recording.circuit.population(key[0]).site, [])
            array = self._recording.arrays[key]
            parts = [signals(array, replicas, None, neurons) for replicas, neurons in near]
            self._masks[key] = np.logical_or.reduce(parts) if parts else None
        return self._masks[key]

    def _constant(self) -> Masks:
        """Mark parameters, and the examples that the groups' neurons are clamped to."""
        found = self._scene.parameters(np.logical_or.reduce([group.replicas for group in self._groups]))
        circuit = self._recording.circuit
        for group in self._groups:
            q = circuit.projection(group.projection)
            for population, neurons in ((q.target, group.posts), (q.source, group.pres)):
                if self._scene.clamped(population):
                    join(found, X, neurons[None, :])
        return found

    def _siblings(self, population: str) -> Masks:
        """Mark the incoming synapses of neurons that bound them, of which the groups' are some."""
        found, circuit = Masks(), self._recording.circuit
        for group in self._groups:
            if circuit.projection(group.projection).target == population:
                for other in circuit.incoming[population]:
                    for key, mask in incoming(self._scene, other, group.replicas, group.posts, all_=True).items():
                        join(found, key, mask)
        return found
