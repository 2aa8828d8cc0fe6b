"""Trials of an intervention: the same steps with other memory scrambled, and the search for what made a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.culprits import Culprit, shaped
from circuitsim.analysis.audits.memory import Array, Piece, Where, same_bits
from circuitsim.analysis.audits.permitted import Element, Synapse, given, incoming_synapses
from circuitsim.analysis.audits.stage import Stage
from circuitsim.locality import Key

Differs = Callable[[Where], bool]
REPEATS = 2  # a scrambled value may by chance do nothing, as in a neuron that does not fire


@dataclass(frozen=True)
class StepTrial:
    """One step alone, with everything scrambled that an element of what it makes must not depend on.

    `invented`: what the element may depend on is random too, not what the presentation made of it, which may hide a
    dependence: silent neurons pass nothing on.
    """

    stage: Stage
    index: int
    element: Element
    invented: bool = False

    @cached_property
    def before(self) -> Sequence[Array]:
        """Memory before the step."""
        memory = self.stage.memory
        memory.load(self.stage.at[self.index])
        if self.invented:
            memory.scramble(memory.everything)
        return memory.copy() if self.invented else self.stage.at[self.index]

    @cached_property
    def expected(self) -> list[Array]:
        """What the step makes of the element undisturbed."""
        memory = self.stage.memory
        if not self.invented:
            return [np.array(self.stage.at[self.index + 1][memory.of[key]][index]) for key, index in self.made]
        memory.load(self.before)
        self.stage.part.steps[self.index]()
        return memory.read(self.made)

    @cached_property
    def pieces(self) -> list[Piece]:
        """What the element may depend on."""
        stage, element = self.stage, self.element
        held = stage.ticks(self.index, window=isinstance(element, Synapse))
        pieces = element.permitted(stage.circuit, stage.arrays, held) + given(stage.arrays, element.replica)
        return pieces + (element.own(stage.arrays) if isinstance(element, Synapse) else [])

    @cached_property
    def made(self) -> list[Piece]:
        """The element, wherever the step makes it."""
        found = [(k, self.element.made(self.stage.circuit, self.stage.arrays, k)) for k in self.stage.made(self.index)]
        return [(key, index) for key, index in found if index is not None]

    def differs(self, where: Where) -> bool:
        """Whether the element comes out differently when these blocks of memory are scrambled."""
        memory, before, expected = self.stage.memory, self.before, self.expected
        memory.load(before)
        pieces = self.pieces  # found before scrambling: a clamped neuron's own depend on the numbers of the examples
        memory.scramble(where)
        memory.hold(pieces, before)
        self.stage.part.steps[self.index]()
        return _changed(expected, memory.read(self.made))


@dataclass(frozen=True)
class SynapseTrial:
    """A whole presentation, with everything scrambled again and again that is neither a synapse nor its two neurons."""

    stage: Stage
    synapse: Synapse

    @cached_property
    def own(self) -> list[Piece]:
        """The synapse itself."""
        return self.synapse.own(self.stage.arrays)

    @cached_property
    def pieces(self) -> list[list[Piece]]:
        """What it may depend on, before each entry and after the last."""
        stage, constant = self.stage, given(self.stage.arrays, self.synapse.replica)
        times = range(len(stage.entries) + 1)
        held = (stage.ticks(k, window=True) for k in times)
        return [constant + self.synapse.permitted(stage.circuit, stage.arrays, ticks) for ticks in held]

    def differs(self, where: Where) -> bool:
        """Whether the synapse comes out differently when these blocks of memory are scrambled."""
        stage, memory = self.stage, self.stage.memory
        memory.load(stage.at[0])
        self._scramble(where, 0)
        for k, (entry, step) in enumerate(zip(stage.entries, stage.part.steps, strict=True)):
            if entry.event.phase >= phases.PLASTICITY:
                self._scramble(where, k)
            step()
            memory.hold(self.pieces[k + 1], stage.at[k + 1])
        return _changed([stage.at[-1][memory.of[key]][index] for key, index in self.own], memory.read(self.own))

    def _scramble(self, where: Where, k: int) -> None:
        """Scramble what is outside; the synapse keeps what this run has made of it, its neurons what they recorded."""
        memory, stage = self.stage.memory, self.stage
        itself = memory.read(self.own)
        memory.scramble(where)
        memory.hold(self.pieces[k] + self._siblings(k), stage.at[k])
        memory.write(self.own, itself)

    def _siblings(self, k: int) -> list[Piece]:
        """The other synapses of its neuron, where the neuron is about to bound them all."""
        stage, circuit = self.stage, self.stage.circuit
        target = circuit.projection(self.synapse.projection).target
        if k == len(stage.entries) or stage.entries[k].event.phase != phases.BOUND:
            return []
        replica, post = self.synapse.replica, self.synapse.post
        return [p for q in circuit.incoming[target] for p in incoming_synapses(circuit, stage.arrays, q, replica, post)]


def culprits(stage: Stage, differs: Differs, outside: Where) -> Iterator[Culprit]:
    """The arrays that change a result, each found by scrambling it alone, with one number that suffices if one does.

    `outside` are the blocks to search; where none alone makes a difference, one culprit stands for several.
    """
    if differs({}):
        yield Culprit(None)
        return
    blocks = [block for block in outside if any(differs({block: None}) for _ in range(REPEATS))]
    for block in blocks:
        yield shaped(_name(stage, block), stage.memory.blocks[block], _located(stage, differs, block))


def _located(stage: Stage, differs: Differs, block: int) -> int | None:
    """A flat position whose number alone makes the difference, by halving; None where it takes several."""
    positions = np.arange(stage.memory.blocks[block].size)
    while len(positions) > 1:
        halves = np.array_split(positions, 2)
        trials = (half for _ in range(REPEATS) for half in halves if differs({block: half}))
        positions = next(trials, np.empty(0, int))
    return int(positions[0]) if len(positions) else None


def _name(stage: Stage, block: int) -> Key:
    """The address to call a block by: activity rather than the summed input that shares its memory."""
    return sorted(stage.memory.keys[block], key=lambda key: key[1] in ("S", "slope"))[0]


def _changed(expected: Iterable[Array], found: Iterable[Array]) -> bool:
    return not all(same_bits(np.asarray(a), np.asarray(b)) for a, b in zip(expected, found, strict=True))
