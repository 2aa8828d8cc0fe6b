"""Trials of an intervention: repeat steps with everything changed that a group must not depend on, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from circuitsim.analysis.audits.leaks import Leak, leak_at
from circuitsim.analysis.audits.memory import Array, Draw, Where, differing
from circuitsim.analysis.audits.permitted import Group, SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.scene import ROWS, Arrays, Masks, Scene
from circuitsim.locality import Key

Place = tuple[Key, tuple[int, ...]]  # an element: an address, and an index of its array
Differs = Callable[[Where], bool]
REPEATS = 2  # a changed value may have no effect by chance, as in a silent neuron
NONE = np.zeros(1, bool)


class Trials:
    """The steps of a timetable, repeated with everything changed that a group of their results must not depend on.

    Memory goes on from trial to trial, so that each costs what its step touches and not what the circuit holds.

    Parameters
    ----------
    recording : the timetable.
    held : memory before every step; None: what the presentation left there.
    other : the values that forbidden memory gets.
    """

    def __init__(self, recording: Recording, held: Sequence[Array] | None, other: Sequence[Array]) -> None:
        self.recording, self._held, self.other = recording, held, list(other)
        self._mixed = False  # memory holds other values, but for these:
        self._stale: set[int] = set()
        self._replicas = NONE  # whose parameters are held

    def held(self, index: int) -> Sequence[Array]:
        """Return memory before a step."""
        return self.recording.at[index] if self._held is None else self._held

    @cached_property
    def arrays(self) -> Arrays:
        """The arrays by address, with the row numbers of what is held: they decide which data a neuron may see."""
        block = self.recording.memory.of.get(ROWS)
        return self.recording.arrays | ({} if block is None else {ROWS: self.held(0)[block]})

    @cached_property
    def results(self) -> list[dict[Key, Array]]:
        """The results of the undisturbed steps."""
        recording = self.recording
        if self._held is None:
            pairs = zip(recording.made, recording.at[1:], strict=True)
            return [{key: after[recording.memory.of[key]] for key in keys} for keys, after in pairs]
        self.load(0)
        found = []
        for index, step in enumerate(recording.part.bare):
            step()
            found.append({key: recording.arrays[key].copy() for key in recording.made[index]})
            for block in recording.makes[index]:
                recording.memory.blocks[block][...] = self._held[block]
        return found

    def load(self, index: int) -> None:
        """Write into all memory what it holds before a step."""
        self.recording.memory.load(self.held(index))
        self._mixed = False

    def mix(self, index: int, masks: dict[int, Array], replicas: Array, known: set[int]) -> None:
        """Give permitted memory its own values and all else others.

        Parameters
        ----------
        masks : what is permitted, by block. replicas : whose parameters are. known : blocks that are held as a whole.
        """
        blocks, held = self.recording.memory.blocks, self.held(index)
        if not self._mixed:
            self.recording.memory.load(self.other)
            self._mixed, self._replicas, self._stale = True, NONE, set()
        if not np.array_equal(replicas, self._replicas):
            for block in self.recording.constant:
                blocks[block][...] = np.where(replicas, held[block], self.other[block])
            self._replicas = replicas
        for block in self._stale - known:
            blocks[block][...] = self.other[block]
        for block, mask in masks.items():
            np.copyto(blocks[block], held[block], where=mask)
        for block in known:
            blocks[block][...] = held[block]
        made = self.recording.makes[index]
        self._stale = {*masks, *known, *made}
        if not self._stale.isdisjoint(self.recording.constant):
            self._replicas = NONE


class StepTrial:
    """One step of these.

    Parameters
    ----------
    trials : of the timetable. index : the number of the step's entry.
    """

    def __init__(self, trials: Trials, index: int) -> None:
        self.recording, self.index, self._trials = trials.recording, index, trials
        self.made = self.recording.made[index]
        self._scenes: dict[bool, Scene] = {}

    def scene(self, window: bool) -> Scene:
        """Return what the groups look at: with `window`, only activity that is not too old for a synapse."""
        if window not in self._scenes:
            self._scenes[window] = self.recording.scene(self.index, window=window, arrays=self._trials.arrays)
        return self._scenes[window]

    @property
    def _expected(self) -> dict[Key, Array]:
        return self._trials.results[self.index]

    def guilty(self, group: Group, known: set[int]) -> tuple[Masks, Masks]:
        """Mark the group's elements, and those of them that depend on forbidden memory.

        Parameters
        ----------
        known : blocks that stay as they are, since what depends on them is known.
        """
        expected, scene = self._expected, self.scene(isinstance(group, SynapseGroup))
        tested = group.tested(scene, self.made)
        if not any(mask.any() for mask in tested.values()):
            return {}, {}
        self._trials.mix(self.index, by_block(self.recording, group.near(scene)), group.replicas, known)
        self._step()
        arrays = self.recording.arrays
        return tested, {key: mask & differing(arrays[key], expected[key]) for key, mask in tested.items()}

    def differs(self, group: Group, place: Place) -> Differs:
        """Return a function that tells if one element changes when only some forbidden memory does."""
        expected, memory, tried = self._expected, self.recording.memory, set[tuple[tuple[int, int, int], ...]]()
        scene, held, other = self.scene(isinstance(group, SynapseGroup)), self._held, self._trials.other
        permitted = by_block(self.recording, group.near(scene) | scene.parameters(group.replicas))
        key, index = place
        self._trials.load(self.index)
        stale = set[int]()  # blocks that do not hold what they held before the step

        def changed(where: Where) -> bool:
            for block in stale:
                memory.blocks[block][...] = held[block]
            stale.clear()
            stale.update(where, self.recording.makes[self.index])
            places = ((b, -1, 0) if at is None else (b, int(at[0]), len(at)) for b, at in where.items())
            name = tuple(places)
            for block, positions in where.items():
                if name in tried:  # a repetition gets other values; those at first have made the difference
                    other[block] = memory.drawn(block, Draw.ORDINARY, held[block])
                part = part_of(memory.blocks[block].shape, positions)
                np.copyto(memory.blocks[block], other[block], where=part & ~permitted.get(block, NONE))
            tried.add(name)
            self._step()
            return bool(differing(self.recording.arrays[key][index], expected[key][index]).any())

        return changed

    @property
    def _held(self) -> Sequence[Array]:
        return self._trials.held(self.index)

    def _step(self) -> None:
        self.recording.part.bare[self.index]()


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
    for block in sorted(alone(differs, list(outside))):
        yield leak_at(_name(recording, block), recording.memory.blocks[block], _located(recording, differs, block))


def alone(differs: Differs, blocks: list[int]) -> list[int]:
    """Return the blocks that make a difference when changed alone: by halving, or one by one where halves make none."""
    if len(blocks) == 1:
        return blocks if _ever(differs, blocks) else []
    halves = [half for half in (blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]) if _ever(differs, half)]
    if not halves:
        return [block for block in blocks if _ever(differs, [block])]
    return [block for half in halves for block in (half if len(half) == 1 else alone(differs, half))]


def _ever(differs: Differs, blocks: Sequence[int]) -> bool:
    """Tell if changed blocks make a difference; what one try with several misses shows when a group is repeated."""
    return any(differs(dict.fromkeys(blocks)) for _ in range(REPEATS if len(blocks) == 1 else 1))


def _located(recording: Recording, differs: Differs, block: int) -> int | None:
    """Return a flat position that alone makes the difference, by bisection; None where several are needed."""
    positions = np.arange(recording.memory.blocks[block].size)
    while len(positions) > 1:
        halves = np.array_split(positions, 2)
        trials = (half for _ in range(REPEATS) for half in halves if differs({block: half}))
        positions = next(trials, np.empty(0, int))
    return int(positions[0]) if len(positions) else None


def part_of(shape: tuple[int, ...], positions: Array | None) -> Array:
    """Mark flat positions of an array; None: all of it."""
    if positions is None:
        return np.ones(1, bool)
    found = np.zeros(shape, bool)
    found.flat[positions] = True
    return found


def _name(recording: Recording, block: int) -> Key:
    """Return the address that names a block: activity rather than the summed input in the same memory."""
    return sorted(recording.memory.keys[block], key=lambda key: key[1] in ("S", "slope"))[0]
