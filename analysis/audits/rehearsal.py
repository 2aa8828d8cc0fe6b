"""Rehearsals of a hook: thousands of calls on memory that changes from call to call, from one hidden state.

Each rehearsal runs in a forked process, so that the hook's own memory (closures, counters, random streams) is the same
at its start, and nothing that the hook does is left behind.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuitsim.analysis.audits.forked import forked
from circuitsim.analysis.audits.memory import Array, MemoryBlocks, differing, same_bits
from circuitsim.analysis.audits.prints import Noted, noted, parted
from circuitsim.engine.hooks import Hook, Tensors, line_of
from circuitsim.engine.reach import Slot
from circuitsim.engine.simulator import Simulator

Image = Sequence[Array]  # values of all blocks
Outcome = dict[int, Noted]  # the blocks that a call changed
Base = Sequence[Outcome | None]  # of each call; None where it raised an exception
SECONDS = 600.0  # for one rehearsal
LINGER = 0.01  # seconds that a thread gets after a call
SMALL = 4096  # elements of an array that is compared as text
HUGE = 2_000_000  # elements of an array that is looked at only after the last call
MANY = 200_000  # numbers in memory above which most calls look only at what the hook has changed before


@dataclass(frozen=True)
class Difference:
    """The first call after which an array differs: one element, and how many others differ."""

    call: int
    index: tuple[int, ...]
    count: int


@dataclass
class Rehearsal:
    """Calls of one hook.

    Parameters
    ----------
    simulator, hook : the hook runs on the simulator's own memory. memory : all that is watched.
    images, order : states of memory, and the number of the one before each call.
    given : places of numbers of the hook's own, by the block that holds them.
    """

    simulator: Simulator
    hook: Hook
    memory: MemoryBlocks
    images: Sequence[Image]
    order: Array
    given: Mapping[int, Sequence[Slot]] = field(default_factory=dict)
    _bytes: dict[int, list[bytes]] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set)  # blocks that the hook has changed
    _lingering: bool = False
    _raised: str = ""  # the exception of the last call

    def base(self, calls: int) -> tuple[list[Outcome | None], str]:
        """Return what each call changes, and the last exception that one raised; "" for none."""

        def run() -> tuple[list[Outcome | None], str]:
            last = ""
            found: list[Outcome | None] = []

            def note(t: int, now: Outcome) -> bool:
                nonlocal last
                last = self._raised or last
                found.append(None if self._raised else now)
                return False

            self.play(self.images, calls, note)
            return found, last

        return forked(run, SECONDS)

    def compare(
        self, images: Sequence[Image], calls: int, base: Base, tested: Mapping[int, Array]
    ) -> dict[int, Difference]:
        """Return for each block the first difference from the base among tested elements, where neither raised.

        Parameters
        ----------
        images : memory, in the place of the base's. tested : masks by block.
        """
        changing = {block for outcome in base[:calls] for block in outcome or ()} & {*tested}

        def run() -> dict[int, int]:
            found: dict[int, int] = {}

            def look(t: int, now: Outcome) -> bool:
                before = base[t]
                if before is None or self._raised:
                    return False
                for block in ({*now} | {*before}) & {*tested} - {*found}:
                    was = before.get(block, self.images[self.order[t]][block])
                    after = now.get(block, images[self.order[t]][block])
                    if was is not None and after is not None and parted(after, was, tested[block]):
                        found[block] = t
                return changing <= {*found}

            self.play(images, calls, look)
            return found

        first = forked(run, SECONDS)
        found = {block: self._difference(images, call, block, tested[block]) for block, call in first.items()}
        return {block: difference for block, difference in found.items() if difference is not None}

    def _difference(self, images: Sequence[Image], call: int, block: int, tested: Array) -> Difference | None:
        """Return the elements that differ after a call."""
        now, was = (self.after(lambda t, s=some: s[self.order[t]], call, block) for some in (images, self.images))  # type: ignore[misc]
        guilty = tested & differing(now, was)
        return Difference(call, _first(guilty), int(guilty.sum())) if guilty.any() else None

    def differs(self, image: Callable[[int], Image], call: int, block: int, index: Any, expected: Any) -> bool:
        """Tell if one element comes out of a call otherwise than expected."""
        return bool(differing(np.asarray(self.after(image, call, block)[index]), np.asarray(expected)).any())

    def after(self, image: Callable[[int], Image], call: int, block: int) -> Array:
        """Return a block after a call."""

        def run() -> Array:
            self.play_each((image(t) for t in range(call + 1)), lambda t, now: False)
            return self.memory.blocks[block].copy()

        return forked(run, SECONDS)

    def play(self, images: Sequence[Image], calls: int, look: Callable[[int, Outcome], bool]) -> None:
        """Call the hook again and again; `look` gets each call and what it changed, and ends it by True.

        What it does to memory, files and the hook's own state stays: it runs in a forked process.
        """
        self.play_each((images[self.order[t]] for t in range(calls)), look)

    def play_each(self, images: Iterable[Image], look: Callable[[int, Outcome], bool]) -> None:
        """Call the hook after each of these states of memory."""
        loaded: list[Array | None] = [None] * len(self.memory.blocks)
        every = sum(block.size for block in self.memory.blocks) < MANY
        tensors = Tensors(self.simulator.state.writable())
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            states = [*images, None]
            for t, image in enumerate(states[:-1]):
                assert image is not None
                self._load(image, loaded)
                self._tell()
                self.call(tensors)
                self.simulator.pass_time()
                # a state that comes again is looked at whole after the last time
                changed = self._changed(image, None if every or image is not states[t + 1] else self._known)
                self._known.update(changed)
                for block in changed:
                    loaded[block] = None
                if look(t, {block: noted(self.memory.blocks[block]) for block in changed}):
                    return

    def _load(self, image: Image, loaded: list[Array | None]) -> None:
        """Write a state into memory where it is not there already."""
        for block, value in enumerate(image):
            if loaded[block] is not value:
                self.memory.blocks[block][...] = value
                loaded[block] = value

    def call(self, tensors: Tensors) -> None:
        """Call the hook, and wait for the threads that it starts; an exception is no change."""
        before = {*threading.enumerate()}
        self._raised = ""
        try:
            self.hook.function(tensors)
        except Exception as error:  # random weights are not what the user's checks expect
            self._raised = f"{type(error).__name__}: {str(error).rstrip('.')}{line_of(error)}"
        for thread in [thread for thread in threading.enumerate() if thread not in before]:
            thread.join(0.2)
            self._lingering |= thread.is_alive()
        if self._lingering:
            time.sleep(LINGER)

    def _tell(self) -> None:
        """Put the numbers that are watched into their places."""
        for block, slots in self.given.items():
            for slot, value in zip(slots, self.memory.blocks[block].tolist(), strict=True):
                slot.put(value)

    def _changed(self, image: Image, among: set[int] | None) -> list[int]:
        """Return the blocks that no longer hold the image; `among` : those looked at, None: all but huge ones."""
        if id(image) not in self._bytes:
            self._bytes[id(image)] = [value.tobytes() if value.size <= SMALL else b"" for value in image]
        known, found = self._bytes[id(image)], []
        for b in range(len(image)) if among is None else sorted(among):
            block = self.memory.blocks[b]
            if block.size <= SMALL:
                changed = block.tobytes() != known[b]
            else:
                changed = (block.size < HUGE or b in self._known) and not same_bits(block, image[b])
            if changed:
                found.append(b)
        return found


def _first(marked: Array) -> tuple[int, ...]:
    """Return the first marked element; in a matrix one off the diagonal, which tells transport from sharing."""
    places = np.argwhere(marked)
    apart = places[places[:, -1] != places[:, -2]] if places.shape[1] > 2 else places
    return tuple(int(n) for n in (apart if len(apart) else places)[0])
