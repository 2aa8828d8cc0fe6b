"""Worlds of a hook: which memory is held while all else changes, and which arrays must then come out the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from circuitsim.analysis.audits.cuts import cuts, pair_cuts
from circuitsim.analysis.audits.memory import Array, MemoryBlocks
from circuitsim.analysis.audits.permitted import Element, Group, NeuronGroup, SynapseGroup
from circuitsim.analysis.audits.scene import Masks, Scene
from circuitsim.locality import Key

CONSTANT = "constant"


@dataclass(frozen=True, eq=False)
class ConstantGroup:
    """Parameters, examples and labels, which are the same for all neurons: nothing that is learned may change them."""

    keys: tuple[Key, ...]
    replicas: Array = field(default_factory=lambda: np.ones(1, bool))

    def near(self, scene: Scene) -> Masks:
        """Mark the arrays themselves."""
        return {key: np.ones(1, bool) for key in self.keys}

    def tested(self, scene: Scene, made: Sequence[Key]) -> Masks:
        """Mark the arrays that a hook changes."""
        return {key: np.ones(scene.arrays[key].shape, bool) for key in self.keys if key in made}

    def element(self, scene: Scene, key: Key, index: tuple[int, ...]) -> Element:
        """Describe the element at an index of an array."""
        return Element(CONSTANT, key[0], index[0], index[1:], ())


AnyGroup = Group | ConstantGroup


@dataclass(frozen=True, eq=False)
class World:
    """Memory to hold, and elements that must not depend on the rest.

    Parameters
    ----------
    groups : the elements with what they may depend on.
    held, tested : masks by block. short : one of many cuts, for which fewer calls will do where memory is large.
    """

    groups: tuple[AnyGroup, ...]
    held: dict[int, Array]
    tested: dict[int, Array]
    short: bool

    def mixed(self, held: Sequence[Array], other: Sequence[Array]) -> list[Array]:
        """Return an image with the held memory of one and all else of another."""
        found = []
        for block, (kept, changed) in enumerate(zip(held, other, strict=True)):
            mask = self.held.get(block)
            found.append(changed if mask is None else np.where(mask, kept, changed))
        return found

    def group_of(self, scene: Scene, key: Key) -> AnyGroup:
        """Return the group to which an array's elements belong."""
        return next(group for group in self.groups if key in group.tested(scene, [key]))


@dataclass(frozen=True)
class Targets:
    """Targets that a hook changes: projections by their synapses, populations by their activity, and the rest."""

    made: tuple[Key, ...]
    synapses: tuple[str, ...]
    neurons: tuple[str, ...]
    others: tuple[Key, ...]


def targets_of(scene: Scene, memory: MemoryBlocks, blocks: Iterable[int]) -> Targets:
    """Sort the blocks that a hook changes."""
    made = [key for block in sorted(blocks) for key in memory.keys[block]]
    projections = {q.name for q in scene.circuit.projections}
    of_synapses = [k[0] for k in made if k[0] in projections and scene.arrays[k].ndim > 1]
    of_neurons = [k[0] for k in made if k[2] is not None]
    others = [k for k in made if k[2] is None and (k[0] not in projections or scene.arrays[k].ndim == 1)]
    others = [k for k in others if k[0] != "hook"]
    return Targets(tuple(made), tuple(dict.fromkeys(of_synapses)), tuple(dict.fromkeys(of_neurons)), tuple(others))


def worlds_of(scene: Scene, memory: MemoryBlocks, targets: Targets, random: np.random.Generator) -> Iterator[World]:
    """Yield the worlds that a hook is rehearsed in: first those in which whole projections and populations are held."""
    for groups, short in _groups(scene, targets, random):
        held, tested = Masks(), Masks()
        for group in groups:
            _join(held, group.near(scene))
            _join(held, scene.parameters(group.replicas))
            _join(tested, group.tested(scene, targets.made))
        if any(mask.any() for mask in tested.values()):
            yield World(tuple(groups), _by_block(memory, held), _by_block(memory, tested), short)


def _groups(scene: Scene, targets: Targets, random: np.random.Generator) -> Iterator[tuple[list[AnyGroup], bool]]:
    circuit = scene.circuit
    replicas = np.ones(next(len(a) for k, a in scene.arrays.items() if k[1] == "weight"), bool)
    examples = np.ones(next((a.shape[1] for k, a in scene.arrays.items() if k[2] is not None), 1), bool)

    def every(name: str) -> Array:
        return np.ones(circuit.population(name).size, bool)

    def synapses(name: str, some: Array, site: str = "", neurons: Array | None = None) -> SynapseGroup:
        ends = []
        for end in (circuit.projection(name).target, circuit.projection(name).source):
            there = neurons is not None and circuit.population(end).site == site
            ends.append(neurons[: circuit.population(end).size] if there and neurons is not None else every(end))
        return SynapseGroup(name, some, ends[0], ends[1], siblings=True)

    if targets.others:
        yield [ConstantGroup(targets.others)], False
    for name in targets.synapses:
        yield [synapses(name, replicas)], False
    for name in targets.neurons:
        yield [NeuronGroup(name, replicas, every(name), examples)], False
    for some in cuts(len(replicas), random):
        owners = [synapses(name, some) for name in targets.synapses]
        yield [*owners, *(NeuronGroup(name, some, every(name), examples) for name in targets.neurons)], True
    for some in cuts(len(examples), random) if targets.neurons else ():
        yield [NeuronGroup(name, replicas, every(name), some) for name in targets.neurons], True
    for site in dict.fromkeys(p.site for p in circuit.populations):
        near = [name for name in targets.synapses if site in _sites(scene, name)]
        there = [name for name in targets.neurons if circuit.population(name).site == site]
        size = max(p.size for p in circuit.populations if p.site == site)
        inside = any(set(_sites(scene, name)) == {site} for name in near)
        for neurons in (pair_cuts if inside else cuts)(size, random) if near or there else ():
            if near:
                yield [synapses(name, replicas, site, neurons) for name in near], True
            if there:
                yield [NeuronGroup(n, replicas, neurons[: circuit.population(n).size], examples) for n in there], True


def _sites(scene: Scene, name: str) -> tuple[str, str]:
    q = scene.circuit.projection(name)
    return scene.circuit.population(q.target).site, scene.circuit.population(q.source).site


def _join(found: Masks, more: Masks) -> None:
    for key, mask in more.items():
        found[key] = found[key] | mask if key in found else mask


def _by_block(memory: MemoryBlocks, masks: Masks) -> dict[int, Array]:
    found: dict[int, Array] = {}
    for key, mask in masks.items():
        block = memory.of.get(key)
        if block is not None:
            found[block] = found[block] | mask if block in found else mask
    return {block: np.broadcast_to(mask, memory.blocks[block].shape) for block, mask in found.items()}
