"""Trials of an intervention: repeat steps with other memory scrambled, and locate the memory that matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.leaks import Leak, leak_at
from circuitsim.analysis.audits.memory import Array, Piece, Where, same_bits
from circuitsim.analysis.audits.permitted import Element, Synapse, given, incoming_synapses
from circuitsim.analysis.audits.recording import Recording
from circuitsim.locality import Key

Differs = Callable[[Where], bool]
REPEATS = 2  # a scrambled value may have no effect by chance, as in a silent neuron


@dataclass(frozen=True)
class StepTrial:
    """One step, with everything scrambled that an element of its result must not depend on.

    `randomised` : permitted memory is random too, instead of recorded. Recorded activity can hide a dependence, since
    silent neurons pass nothing on.
    """

    recording: Recording
    index: int
    element: Element
    randomised: bool = False

    @cached_property
    def before(self) -> Sequence[Array]:
        """Memory before the step."""
        memory = self.recording.memory
        memory.load(self.recording.at[self.index])
        if self.randomised:
            memory.scramble(memory.everything)
        return memory.copy() if self.randomised else self.recording.at[self.index]

    @cached_property
    def expected(self) -> list[Array]:
        """The element after the undisturbed step."""
        memory = self.recording.memory
        if not self.randomised:
            return [np.array(self.recording.at[self.index + 1][memory.of[key]][index]) for key, index in self.made]
        memory.load(self.before)
        self.recording.part.steps[self.index]()
        return memory.read(self.made)

    @cached_property
    def pieces(self) -> list[Piece]:
        """The memory that the element may depend on."""
        recording, element = self.recording, self.element
        held = recording.ticks(self.index, window=isinstance(element, Synapse))
        pieces = element.permitted(recording.circuit, recording.arrays, held) + given(recording.arrays, element.replica)
        return pieces + (element.own(recording.arrays) if isinstance(element, Synapse) else [])

    @cached_property
    def made(self) -> list[Piece]:
        """The element in every array that the step makes."""
        found = [
            (k, self.element.made(self.recording.circuit, self.recording.arrays, k))
            for k in self.recording.made(self.index)
        ]
        return [(key, index) for key, index in found if index is not None]

    def differs(self, where: Where) -> bool:
        """Tell if the element changes when these blocks of memory are scrambled."""
        memory, before, expected = self.recording.memory, self.before, self.expected
        memory.load(before)
        pieces = self.pieces  # before scrambling: those of a clamped neuron depend on the row numbers
        memory.scramble(where)
        memory.hold(pieces, before)
        self.recording.part.steps[self.index]()
        return _changed(expected, memory.read(self.made))


@dataclass(frozen=True)
class SynapseTrial:
    """A whole presentation, with everything scrambled repeatedly except one synapse and its two neurons."""

    recording: Recording
    synapse: Synapse

    @cached_property
    def own(self) -> list[Piece]:
        """The synapse itself."""
        return self.synapse.own(self.recording.arrays)

    @cached_property
    def pieces(self) -> list[list[Piece]]:
        """The memory that it may depend on, before each entry and after the last."""
        recording, constant = self.recording, given(self.recording.arrays, self.synapse.replica)
        times = range(len(recording.entries) + 1)
        held = (recording.ticks(k, window=True) for k in times)
        return [constant + self.synapse.permitted(recording.circuit, recording.arrays, ticks) for ticks in held]

    def differs(self, where: Where) -> bool:
        """Tell if the synapse changes when these blocks of memory are scrambled."""
        recording, memory = self.recording, self.recording.memory
        memory.load(recording.at[0])
        self._scramble(where, 0)
        for k, (entry, step) in enumerate(zip(recording.entries, recording.part.steps, strict=True)):
            if entry.event.phase >= phases.PLASTICITY:
                self._scramble(where, k)
            step()
            memory.hold(self.pieces[k + 1], recording.at[k + 1])
        return _changed([recording.at[-1][memory.of[key]][index] for key, index in self.own], memory.read(self.own))

    def _scramble(self, where: Where, k: int) -> None:
        """Scramble all else; the synapse keeps its value in this run, its neurons keep theirs of the recording."""
        memory, recording = self.recording.memory, self.recording
        itself = memory.read(self.own)
        memory.scramble(where)
        memory.hold(self.pieces[k] + self._siblings(k), recording.at[k])
        memory.write(self.own, itself)

    def _siblings(self, k: int) -> list[Piece]:
        """Return the neuron's other incoming synapses where the neuron is about to bound them all."""
        recording, circuit = self.recording, self.recording.circuit
        target = circuit.projection(self.synapse.projection).target
        if k == len(recording.entries) or recording.entries[k].event.phase != phases.BOUND:
            return []
        replica, post = self.synapse.replica, self.synapse.post
        return [
            p for q in circuit.incoming[target] for p in incoming_synapses(circuit, recording.arrays, q, replica, post)
        ]


def leaks(recording: Recording, differs: Differs, outside: Where) -> Iterator[Leak]:
    """Yield the arrays that change a result when scrambled alone, each with one element that suffices, if any.

    `outside` : the blocks to search. Yields nothing where no block alone makes a difference, and a leak without an
    address where the result changes with nothing scrambled.
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


def _name(recording: Recording, block: int) -> Key:
    """Return the address that names a block: activity rather than the summed input in the same memory."""
    return sorted(recording.memory.keys[block], key=lambda key: key[1] in ("S", "slope"))[0]


def _changed(expected: Iterable[Array], found: Iterable[Array]) -> bool:
    return not all(same_bits(np.asarray(a), np.asarray(b)) for a, b in zip(expected, found, strict=True))
