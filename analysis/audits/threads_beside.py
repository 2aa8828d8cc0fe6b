"""Threads that run beside a simulator: what they change while nobody calls anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np

from circuitsim.analysis.audits.hook_findings import Source, kind_of
from circuitsim.analysis.audits.hook_memory import name_of
from circuitsim.analysis.audits.memory import Draw, MemoryBlocks, differing
from circuitsim.analysis.audits.permitted import SYNAPSE, Element
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding

PATIENCE = 0.05  # seconds that a thread gets to show itself


def findings(simulator: Simulator, random: np.random.Generator) -> list[Finding]:
    """Watch the simulator's memory while nothing runs, and find what the changes depend on; memory is restored."""
    for thread in _others():
        thread.join(PATIENCE)  # those of a call before end now
    if not _others():
        return []
    bound = simulator.bound_plan(simulator.batch)
    arrays = {key: array for key, array in bound.arrays.items() if key[0] not in ("data", "circuit")}
    memory = MemoryBlocks(arrays, {k: int(a.max()) + 1 for k, a in arrays.items() if a.dtype.kind in "iu"}, random)
    before = memory.copy()
    try:
        return list(_found(simulator, memory))
    finally:
        memory.load(before)


def _others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.current_thread()]


def _found(simulator: Simulator, memory: MemoryBlocks) -> Iterator[Finding]:
    first = memory.draw(Draw.ORDINARY)
    left = [_left(memory, first) for _ in "ab"]
    for block, was in enumerate(first):
        if all(differing(now[block], was).any() for now in left):
            yield from _named(simulator, memory, block, list(_sources(memory, first, left[0], block)))


def _sources(memory: MemoryBlocks, first: list[np.ndarray], left: list[np.ndarray], block: int) -> Iterator[int]:
    """Yield the arrays that change what a thread leaves in another."""
    for other in range(len(memory.blocks)):
        if other != block:
            values = [*first]
            values[other] = memory.drawn(other, Draw.ORDINARY, first[other])
            if differing(_left(memory, values)[block], left[block]).any():
                yield other


def _left(memory: MemoryBlocks, values: list[np.ndarray]) -> list[np.ndarray]:
    """Return what memory holds some time after these values."""
    memory.load(values)
    time.sleep(PATIENCE)
    return memory.copy()


def _named(simulator: Simulator, memory: MemoryBlocks, block: int, sources: list[int]) -> Iterator[Finding]:
    circuit, key = simulator.circuit, memory.keys[block][0]
    names = ", ".join(sorted(thread.name for thread in _others()))
    element = Element(SYNAPSE, key[0], 0, (), ())
    for source in sources:
        one = Source(source, memory.keys[source], None, None)
        kind = kind_of(circuit, element, one) if key[2] is None else "remote-error"
        read = f"{name_of(one.key)}, by a thread beside the simulator ({names})"
        yield Finding(kind, key[0], "thread", read, "remote", None, REMEDIES[kind])
    if not sources:
        read = f"unknown, by a thread beside the simulator ({names})"
        yield Finding("time-window", key[0], "thread", read, "remote", None, REMEDIES["time-window"])
