"""Effects of memory on what a hook changes: which arrays matter, how wide the effect is, how old, and if it adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.audits.hook_findings import Source
from circuitsim.analysis.audits.hook_memory import HookMemory
from circuitsim.analysis.audits.hook_worlds import CONSTANT, World
from circuitsim.analysis.audits.memory import Array, Draw
from circuitsim.analysis.audits.permitted import Element
from circuitsim.analysis.audits.rehearsal import Base, Difference, Image, Rehearsal

REDRAWN = 6  # draws of forbidden memory that show the width of what a hook carries
PAIRED = 3  # calls in which examples are changed one by one and together
OLDEST = 3  # calls by which the age of a value is told


@dataclass(frozen=True)
class Case:
    """One array that comes out differently in a world."""

    world: World
    block: int
    difference: Difference


@dataclass
class Effects:
    """Rehearsals with parts of memory changed.

    Parameters
    ----------
    memory : all that the hook can change or depend on. rehearsal : its calls.
    """

    memory: HookMemory
    rehearsal: Rehearsal
    random: np.random.Generator

    def mixed(self, world: World, others: Sequence[Image] | None = None) -> list[list[Array]]:
        """Return the images with everything changed that a world does not hold."""
        pairs = zip(self.memory.images, others or self.memory.others, strict=True)
        return [world.mixed(image, other) for image, other in pairs]

    def element(self, case: Case) -> Element | None:
        """Describe the element that differs; None for a world without groups."""
        scene = self.memory.scene
        for key in self.memory.blocks.keys[case.block]:
            for group in case.world.groups:
                if key in group.tested(scene, [key]):
                    return group.element(scene, key, case.difference.index)
        return None

    def sources(self, case: Case) -> Iterator[Source]:
        """Yield the arrays on which an element depends, each with one of its elements that suffices, if any."""
        expected = self._after(case)[case.difference.index]
        for block, keys in enumerate(self.memory.blocks.keys):
            if self._matters(case, expected, block):
                yield Source(block, keys, self._located(case, expected, block), self._age(case, expected, block))

    def width(self, case: Case) -> int:
        """Return the number of directions in which the array moves with forbidden memory; 0: one element moves."""
        moved, noise = self.moves(case, case.world.tested[case.block])
        if (moved != 0).any(axis=0).sum() < 2:
            element = self.element(case)
            return int(element is not None and element.kind == CONSTANT)  # a rate is the same for many synapses
        return directions(moved, noise)

    def moves(self, case: Case, tested: Array) -> tuple[Array, float]:
        """Return how some elements of the array move with forbidden memory, (draw, element), and the rounding."""
        blocks, found = self.memory.blocks, list[Array]()
        for _ in range(REDRAWN):
            others = [blocks.draw(Draw.ORDINARY, image) for image in self.memory.images]
            found.append(self._after(case, self.mixed(case.world, others))[tested])
        moved = np.stack(found).astype(np.float64)
        noise = np.finfo(found[0].dtype).eps * float(np.abs(np.stack(found)).max()) * np.sqrt(moved[1:].size)
        return moved[1:] - moved[0], float(noise)

    def one_number(self, first: Case, second: Case) -> bool:
        """Tell if what an array takes in two worlds is the same number: its elements move in one direction in both."""
        tested = first.world.tested[first.block] & second.world.tested[second.block]
        (moved, noise), (other, more) = self.moves(first, tested), self.moves(second, tested)
        both = np.concatenate([moved, other])
        return bool((both != 0).any(axis=0).sum() > 1) and directions(both, max(noise, more)) == 1

    def depends_on_earlier_calls(self, base: Base) -> bool:
        """Tell if a call does something else after other calls."""
        images, order, last = self.memory.images, self.rehearsal.order, min(len(base), 40) - 1
        other = np.roll(order, 1)
        for call in (last // 2, last):
            for block in base[call] or {}:
                was, now = (
                    self.rehearsal.after(lambda t, c=call, o=some: images[order[t] if t == c else o[t]], call, block)  # type: ignore[misc]
                    for some in (order, other)
                )
                if now.tobytes() != was.tobytes():
                    return True
        return False

    def combined(self, base: Base, block: int) -> Case | None:
        """Return a case if the effects of two examples on an array do not add up."""
        calls = [t for t, outcome in enumerate(base) if outcome and block in outcome][:PAIRED]
        return next((case for case in (self._paired(block, call) for call in calls) if case), None)

    def _paired(self, block: int, call: int) -> Case | None:
        order, images, blocks = self.rehearsal.order, self.memory.images, self.memory.blocks
        signals = [b for b, keys in enumerate(blocks.keys) if keys[0][2] is not None]
        batch = min((blocks.blocks[b].shape[1] for b in signals), default=0)
        if batch < 2:
            return None
        first, second = self.random.choice(batch, 2, replace=False)

        def after(*examples: int) -> Array:
            image = [*images[order[call]]]
            for b in signals:
                image[b] = image[b].copy()
                image[b][:, list(examples)] = self.memory.others[order[call]][b][:, list(examples)]
            found = self.rehearsal.after(lambda t: image if t == call else images[order[t]], call, block)
            return found.astype(np.float64)

        none, one, other, both = after(), after(first), after(second), after(first, second)
        apart = np.abs((both - other) - (one - none))
        noise = 16 * np.finfo(blocks.blocks[block].dtype).eps * np.abs([none, one, other, both]).max(axis=0)
        guilty = np.isfinite(apart) & (apart > 1e-3 * (np.abs(one - none) + np.abs(other - none)) + noise)
        if not guilty.any():
            return None
        return Case(World((), {}, {}, False), block, Difference(call, tuple(np.argwhere(guilty)[0].tolist()), 1))

    def _after(self, case: Case, images: Sequence[Image] | None = None) -> Array:
        """Return the array of a case after its call."""
        used, order = images or self.memory.images, self.rehearsal.order
        return self.rehearsal.after(lambda t: used[order[t]], case.difference.call, case.block)

    def _matters(self, case: Case, expected: Array, block: int, positions: Array | None = None) -> bool:
        """Tell if an element differs when only forbidden parts of one array are changed."""
        return self._differs(case, expected, self._changed_in(case.world, block, positions))

    def _differs(self, case: Case, expected: Array, image: Callable[[int], Image]) -> bool:
        return self.rehearsal.differs(image, case.difference.call, case.block, case.difference.index, expected)

    def _changed_in(
        self, world: World, block: int, positions: Array | None, only: int | None = None
    ) -> Callable[[int], Image]:
        """Return the image before each call, with forbidden parts of one array changed in all calls, or in one only."""
        held, shape = world.held.get(block), self.memory.blocks.blocks[block].shape
        part = np.ones(shape, bool)
        if positions is not None:
            part = np.zeros(shape, bool)
            part.flat[positions] = True
        part = part if held is None else part & ~held
        changed = []
        for image, other in zip(self.memory.images, self.memory.others, strict=True):
            now = [*image]
            now[block] = np.where(part, other[block], image[block])
            changed.append(now)
        order, images = self.rehearsal.order, self.memory.images
        return lambda t: (changed if only is None or t == only else images)[order[t]]

    def _located(self, case: Case, expected: Array, block: int) -> tuple[int, ...] | None:
        """Return an element that alone makes the difference, by bisection; None where several are needed."""
        shape = self.memory.blocks.blocks[block].shape
        held = case.world.held.get(block)
        positions = np.flatnonzero(np.ones(shape, bool) if held is None else ~held)
        while len(positions) > 1:
            halves = np.array_split(self.random.permutation(positions), 2)
            positions = next((half for half in halves if self._matters(case, expected, block, half)), np.empty(0, int))
        return tuple(int(n) for n in np.unravel_index(int(positions[0]), shape)) if len(positions) else None

    def _age(self, case: Case, expected: Array, block: int) -> int | None:
        """Return how many calls ago a value was read; None: longer ago than is looked."""
        call = case.difference.call
        for age in range(min(call, OLDEST) + 1):
            if self._differs(case, expected, self._changed_in(case.world, block, None, call - age)):
                return age
        return None


def directions(moved: Array, noise: float) -> int:
    """Return the rank of some moves, (move, element), above rounding."""
    sizes = np.linalg.svd(moved, compute_uv=False)
    return int((sizes > max(1e-4 * sizes[0], 4 * noise)).sum())
