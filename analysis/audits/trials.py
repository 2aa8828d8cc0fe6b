"""Trials of an intervention: repeat steps with everything changed that a group must not depend on, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.leaks import Leak, leak_at
from circuitsim.analysis.audits.memory import Array, Draw, Where, differing
from circuitsim.analysis.audits.permitted import Group, SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.scene import Masks, Scene
from circuitsim.locality import Key

Place = tuple[Key, tuple[int, ...]]  # an element: an address, and an index of its array
Differs = Callable[[Where], bool]
REPEATS = 2  # a changed value may have no effect by chance, as in a silent neuron


class StepTrial:
    """One step, repeated from one state with everything changed that a group of its results must not depend on.

    Parameters
    ----------
    recording, index : the timetable, and the number of the step's entry.
    held : memory before the step. other : the values that forbidden memory gets.
    """

    def __init__(self, recording: Recording, index: int, held: Sequence[Array], other: Sequence[Array]) -> None:
        self.recording, self.index, self._held, self._other = recording, index, held, list(other)
        self.made = recording.made(index)
        self._changed: set[int] = set()  # blocks that do not hold what forbidden memory gets
        self._loaded = False

    def scene(self, window: bool) -> Scene:
        """Return what the groups look at: with `window`, only activity that is not too old for a synapse."""
        held, recording = self.recording.ticks(self.index, window=window), self.recording
        arrays = {**recording.arrays, **self._rows}
        return Scene(recording.circuit, arrays, held)

    @cached_property
    def _rows(self) -> dict[Key, Array]:
        """The row numbers of the held state: they decide which data a clamped neuron may see."""
        key = ("data", "rows", None)
        block = self.recording.memory.of.get(key)
        return {} if block is None else {key: self._held[block]}

    @cached_property
    def expected(self) -> dict[Key, Array]:
        """Result of the undisturbed step."""
        self.recording.memory.load(self._held)
        self._step()
        self._loaded = False
        return {key: self.recording.arrays[key].copy() for key in self.made}

    def guilty(self, group: Group, known: set[int]) -> tuple[Masks, Masks]:
        """Mark the group's elements, and those of them that depend on forbidden memory.

        Parameters
        ----------
        known : blocks that stay as they are, since what depends on them is known.
        """
        expected, scene = self.expected, self.scene(isinstance(group, SynapseGroup))
        tested = group.tested(scene, self.made)
        if not any(mask.any() for mask in tested.values()):
            return {}, {}
        self._mix(group.permitted(scene), known)
        self._step()
        arrays = self.recording.arrays
        return tested, {key: mask & differing(arrays[key], expected[key]) for key, mask in tested.items()}

    def differs(self, group: Group, place: Place) -> Differs:
        """Return a function that tells if one element changes when only some forbidden memory does."""
        expected, memory, tried = self.expected, self.recording.memory, set[tuple[Any, ...]]()
        permitted = self._by_block(group.permitted(self.scene(isinstance(group, SynapseGroup))))
        key, index = place

        def changed(where: Where) -> bool:
            memory.load(self._held)
            self._loaded = False
            for block, positions in where.items():
                name = (block,) if positions is None else (block, int(positions[0]), len(positions))
                if name in tried:  # a repetition gets other values
                    self._other[block] = memory.drawn(block, Draw.ORDINARY, self._held[block])
                tried.add(name)
                part = _part(memory.blocks[block].shape, positions)
                np.copyto(memory.blocks[block], self._other[block], where=part & ~permitted.get(block, _NONE))
            self._step()
            return bool(differing(self.recording.arrays[key][index], expected[key][index]).any())

        return changed

    def _step(self) -> None:
        self.recording.part.bare[self.index]()

    def _mix(self, permitted: Masks, known: set[int]) -> None:
        """Give permitted memory its own values and all else others."""
        memory, masks = self.recording.memory, self._by_block(permitted)
        every = range(len(memory.blocks))
        stale = every if not self._loaded else self._changed
        for block in {*stale, *masks, *known}:
            if block in known:
                memory.blocks[block][...] = self._held[block]
                continue
            memory.blocks[block][...] = self._other[block]
            if block in masks:
                np.copyto(memory.blocks[block], self._held[block], where=masks[block])
        made = {memory.of[key] for key in self.made}
        self._changed, self._loaded = {*masks, *known, *made}, True

    def _by_block(self, masks: Masks) -> dict[int, Array]:
        return by_block(self.recording, masks)


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
        self._run(groups, dict.fromkeys(range(len(recording.memory.blocks))))
        last = recording.at[-1]
        found = {k: m & differing(recording.arrays[k], last[recording.memory.of[k]]) for k, m in tested.items()}
        return tested, found

    def differs(self, groups: Sequence[SynapseGroup], place: Place) -> Differs:
        """Return a function that tells if one element changes when only some forbidden memory does."""
        key, index = place
        last = self.recording.at[-1][self.recording.memory.of[key]]

        def changed(where: Where) -> bool:
            self._run(groups, where)
            return bool(differing(self.recording.arrays[key][index], last[index]).any())

        return changed

    def _tested(self, groups: Sequence[SynapseGroup]) -> Masks:
        scene = self._scene(len(self.recording.entries))
        found: Masks = {}
        for group in groups:
            found |= group.own(scene)
        return found

    def _scene(self, k: int) -> Scene:
        return Scene(self.recording.circuit, self.recording.arrays, self.recording.ticks(k, window=True))

    def _run(self, groups: Sequence[SynapseGroup], where: Where) -> None:
        """Run the presentation with these blocks changed before it, and again before each event of synapses."""
        recording, memory = self.recording, self.recording.memory
        own = by_block(recording, self._tested(groups))
        memory.load(recording.at[0])
        self._disturb(groups, own, where, 0)
        written = set[int]()  # blocks that do not hold what they were changed to
        for k, (entry, step) in enumerate(zip(recording.entries, recording.part.bare, strict=True)):
            if entry.event.phase >= phases.PLASTICITY:
                self._disturb(groups, own, {block: where[block] for block in written & where.keys()}, k)
                written.clear()
            step()
            held = self._hold(groups, own, k + 1)
            written |= {*held, *(memory.of[key] for key in recording.made(k))}

    def _disturb(self, groups: Sequence[SynapseGroup], own: dict[int, Array], where: Where, k: int) -> None:
        """Change memory; the groups keep their values in this run, their neurons those of the recording."""
        memory = self.recording.memory
        for block, positions in where.items():
            if positions is None and block not in own:
                memory.blocks[block][...] = self._other[block]
                continue
            part = _part(memory.blocks[block].shape, positions)
            np.copyto(memory.blocks[block], self._other[block], where=part & ~own.get(block, _NONE))
        self._hold(groups, own, k)

    def _hold(self, groups: Sequence[SynapseGroup], own: dict[int, Array], k: int) -> dict[int, Array]:
        """Give the groups' neurons, and before a bound their other synapses, the values of the recording."""
        recording, memory, scene, found = self.recording, self.recording.memory, self._scene(k), Masks()
        bounding = k < len(recording.entries) and recording.entries[k].event.phase == phases.BOUND
        for group in groups:
            for key, mask in replace(group, siblings=bounding).around(scene).items():
                found[key] = found[key] | mask if key in found else mask
        masks = by_block(recording, found)
        for block, mask in masks.items():
            kept = mask & ~own[block] if block in own else mask
            np.copyto(memory.blocks[block], recording.at[k][block], where=kept)
        return masks


_NONE = np.zeros(1, bool)


def by_block(recording: Recording, masks: Masks) -> dict[int, Array]:
    """Return masks by block; addresses that share memory are one block."""
    found: dict[int, Array] = {}
    for key, mask in masks.items():
        block = recording.memory.of.get(key)
        if block is not None:
            found[block] = found[block] | mask if block in found else mask
    return found


def leaks(recording: Recording, differs: Differs, outside: Where) -> Iterator[Leak]:
    """Yield the arrays that change a result when changed alone, each with one element that suffices, if any.

    `outside` : the blocks to search. Yields nothing where no block alone makes a difference, and a leak without an
    address where the result changes with nothing changed.
    """
    if differs({}):
        yield Leak(None)
        return
    blocks = [block for block in outside if any(differs({block: None}) for _ in range(REPEATS))]
    for block in blocks:
        yield leak_at(_name(recording, block), recording.memory.blocks[block], _located(recording, differs, block))


def _located(recording: Recording, differs: Differs, block: int) -> int | None:
    """Return a flat position that alone makes the difference, by bisection; None where several are needed."""
    positions = np.arange(recording.memory.blocks[block].size)
    while len(positions) > 1:
        halves = np.array_split(positions, 2)
        trials = (half for _ in range(REPEATS) for half in halves if differs({block: half}))
        positions = next(trials, np.empty(0, int))
    return int(positions[0]) if len(positions) else None


def _part(shape: tuple[int, ...], positions: Array | None) -> Array:
    """Mark flat positions of an array; None: all of it."""
    if positions is None:
        return np.ones(1, bool)
    found = np.zeros(shape, bool)
    found.flat[positions] = True
    return found


def _name(recording: Recording, block: int) -> Key:
    """Return the address that names a block: activity rather than the summed input in the same memory."""
    return sorted(recording.memory.keys[block], key=lambda key: key[1] in ("S", "slope"))[0]
