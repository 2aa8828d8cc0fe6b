"""The search for what a hook carries: rehearse it in all worlds, then find array, element, age and line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from circuitsim.analysis.audits.forked import forked
from circuitsim.analysis.audits.hook_effects import Case, Effects
from circuitsim.analysis.audits.hook_findings import Source, named, scalar
from circuitsim.analysis.audits.hook_memory import HookMemory
from circuitsim.analysis.audits.hook_worlds import Targets, World, targets_of, worlds_of
from circuitsim.analysis.audits.line_tracer import LineTracer
from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.rehearsal import SECONDS, Base, Difference, Image, Rehearsal
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding

NUMBERS_A_WORLD = 2e8  # rehearsals in many cuts make fewer calls where memory is larger than this divided by calls
FEWEST = 100
PATIENCE = (
    60.0  # seconds of a rehearsal; of a hook that takes longer, as one that writes files, fewer calls are compared
)
_CORRECT = "let the hook end without an exception for any weights, so that it can be rehearsed"


class HookSearch:
    """The rehearsals of one hook.

    Parameters
    ----------
    memory : all that it can change or depend on. calls : in each rehearsal.
    """

    def __init__(
        self, simulator: Simulator, hook: Hook, memory: HookMemory, random: np.random.Generator, calls: int
    ) -> None:
        self._simulator, self._hook, self._memory, self._random, self._calls = simulator, hook, memory, random, calls
        order = memory.order(calls, random)
        self._rehearsal = Rehearsal(simulator, hook, memory.blocks, memory.images, order, memory.given)
        self._effects = Effects(memory, self._rehearsal, random)
        self.worlds, self.raised, self.changes, self.stateful = 0, 0, tuple[str, ...](), False
        self.calls = calls  # compared in each rehearsal
        self._broadcast: dict[int, Case] = {}  # by array, where one number from elsewhere reaches it
        self._explained: dict[int, set[int]] = {}  # by array, the arrays of which it is known to depend on them

    def findings(self) -> Iterator[Finding]:
        """Yield the findings; afterwards the attributes have the extent."""
        begin = time.monotonic()
        base, error = self._rehearsal.base(self._calls)
        part = PATIENCE / max(time.monotonic() - begin, 1e-9)
        self.calls = min(self._calls, max(FEWEST, int(part * self._calls)))
        changing = {block for outcome in base for block in outcome or ()}
        self.raised = sum(outcome is None for outcome in base)
        if 2 * self.raised > len(base):  # in random memory some may; what it does otherwise is then still seen
            read = f"unknown: the hook raised {error}, in {self.raised:,} of {len(base):,} calls of its rehearsal"
            yield Finding("time-window", "hook", f"hook {self._hook.name}", read, "remote", None, _CORRECT)
        targets = targets_of(self._memory.scene, self._memory.blocks, changing)
        self.changes = tuple(dict.fromkeys(f"{owner}.{quantity}" for owner, quantity, _ in targets.made))
        if not changing:
            return
        wild = self._unrepeatable(base, changing)
        for block in sorted(wild):
            yield self._named(Case(World((), {}, {}, False), block, wild[block]), [])
        for world in worlds_of(self._memory.scene, self._memory.blocks, targets, self._random):
            self.worlds += 1
            tested = {block: mask for block, mask in world.tested.items() if block not in wild}
            for block in self._guilty(world, base, tested, set()):
                yield from self._of_array(world, base, block)
        for block in sorted(changing - {*wild}):
            yield from self._of_pairs(base, block, targets)
        self.stateful = self._effects.depends_on_earlier_calls(base)

    def _of_array(self, world: World, base: Base, block: int) -> Iterator[Finding]:
        """Yield the findings about one array that comes out differently in a world, unless they are known."""
        known = self._explained.setdefault(block, set())
        guilty = self._guilty(world, base, {block: world.tested[block]}, known)
        if block in guilty:
            case = Case(world, block, guilty[block])
            sources = [source for source in self._effects.sources(case) if source.block not in known]
            known.update(source.block for source in sources)
            yield from self._judged(case, sources)

    def _guilty(self, world: World, base: Base, tested: dict[int, Array], known: set[int]) -> dict[int, Difference]:
        """Return the arrays that come out differently in a world; `known` arrays stay as they are."""
        mixed = [[*image] for image in self._effects.mixed(world)]
        for image, held in zip(mixed, self._memory.images, strict=True):
            for block in known:
                image[block] = held[block]
        return self._rehearsal.compare(mixed, self._calls_in(world), base, tested)

    def _calls_in(self, world: World) -> int:
        numbers = sum(block.size for block in self._memory.blocks.blocks)
        fewer = max(FEWEST, int(NUMBERS_A_WORLD / numbers))
        return min(self.calls, fewer) if world.short else self.calls

    def _unrepeatable(self, base: Base, changing: set[int]) -> dict[int, Difference]:
        """Return the arrays that come out differently when nothing is changed."""
        whole = {block: np.ones(self._memory.blocks.blocks[block].shape, bool) for block in changing}
        return self._rehearsal.compare(self._memory.images, min(self._calls, 200), base, whole)

    def _judged(self, case: Case, sources: list[Source]) -> Iterator[Finding]:
        """Yield one finding for each array read; one for all those of which a single number is broadcast."""
        element = self._effects.element(case)
        broadcast = [source for source in sources if scalar(self._simulator.circuit, element, source)]
        width = self._effects.width(case) if broadcast else 0
        declared = self._broadcast.get(case.block) if self._hook.third_factor else None
        if declared is not None and not broadcast and self._effects.one_number(declared, case):
            return  # the number that is declared depends on these too
        if width == 1:
            self._broadcast.setdefault(case.block, case)
            number = sources if self._hook.third_factor else broadcast
            yield self._named(case, number, width=1)
            sources = [source for source in sources if source not in number]
        for source in sources:
            yield self._named(case, [source], width=width)
        if not sources and not broadcast:
            yield self._named(case, [])

    def _of_pairs(self, base: Base, block: int, targets: Targets) -> Iterator[Finding]:
        """Yield a finding if what a synapse takes from its neurons is no sum over the examples of a batch."""
        key = self._memory.blocks.keys[block][0]
        if key[0] in targets.synapses and self._memory.blocks.blocks[block].dtype.kind == "f":
            case = self._effects.combined(base, block)
            if case:
                read = "activity of its own neurons: it combines examples of the batch, and is no sum over them"
                yield Finding("lateral", key[0], self._rule(case), read, "remote", None, REMEDIES["lateral"])

    def _named(self, case: Case, sources: list[Source], width: int = 0) -> Finding:
        keys, element = self._memory.blocks.keys[case.block], self._effects.element(case)
        when = case.difference.call, self._calls
        return named(self._simulator.circuit, self._hook, self._rule(case), keys, element, sources, width, when)

    def _rule(self, case: Case) -> str:
        """Return the hook's name, and the line that changes the array last in the guilty call."""
        lines = (self._traced(case, images) for images in (self._effects.mixed(case.world), self._memory.images))
        line = next(filter(None, lines), "")
        return f"hook {self._hook.name}" + (f", {line}" if line else "")

    def _traced(self, case: Case, images: Sequence[Image]) -> str:
        """Return the line of the hook, or of code that it calls, that changes an array last in a call."""
        blocks, order, call = self._memory.blocks, self._rehearsal.order, case.difference.call
        key = blocks.keys[case.block][0]

        def run() -> str:
            self._rehearsal.play(images, call, lambda t, now: False)
            blocks.load(images[order[call]])
            tensors, tracer = Tensors(self._simulator.state.writable()), LineTracer({key: blocks.blocks[case.block]})
            sys.settrace(tracer.trace)
            try:
                self._rehearsal.call(tensors)
            finally:
                sys.settrace(None)
            tracer.compare()
            return tracer.lines.get(key, "")

        return forked(run, SECONDS)
