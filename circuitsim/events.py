"""Events and the queue that orders them by ticks, phases and indices; it knows no neurons.

The key of an event is (tick, phase order, object index, detail), never the order of insertion. Equal events coalesce:
pushed twice, they come out once. The queue is a binary heap in three int64 rows. Compiled code can use it through
`heap_push` and `heap_pop`, as the loop of neurons with their own time does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from circuitsim.compilation import compiled
from circuitsim.errors import ScheduleError

_INDEX_BITS = 40  # of the 63 bits of `order`: room for 10^12 objects and 2^23 phases
_INDEX_MASK = (1 << _INDEX_BITS) - 1


class Event(NamedTuple):
    """Tick, phase and object of something that happens, and a detail such as the cycle."""

    tick: int
    phase: int
    which: int
    detail: int = 0


@compiled(inline="always")
def _before(heap, a, b):  # type: ignore[no-untyped-def]
    if heap[0, a] != heap[0, b]:
        return heap[0, a] < heap[0, b]
    if heap[1, a] != heap[1, b]:
        return heap[1, a] < heap[1, b]
    return heap[2, a] < heap[2, b]


@compiled(inline="always")
def _swap(heap, a, b):  # type: ignore[no-untyped-def]
    for row in range(3):
        kept = heap[row, a]
        heap[row, a] = heap[row, b]
        heap[row, b] = kept


@compiled()
def heap_push(heap, size, tick, order, detail):  # type: ignore[no-untyped-def]
    """Put an event into the heap (3, capacity) that holds `size` events; return the new size."""
    child = size
    heap[0, child], heap[1, child], heap[2, child] = tick, order, detail
    while child > 0:
        parent = (child - 1) >> 1
        if not _before(heap, child, parent):
            break
        _swap(heap, child, parent)
        child = parent
    return size + 1


@compiled()
def heap_pop(heap, size):  # type: ignore[no-untyped-def]
    """Move the first event of the heap to column size - 1, out of it; return the new size."""
    last = size - 1
    _swap(heap, 0, last)
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= last:
            break
        if child + 1 < last and _before(heap, child + 1, child):
            child += 1
        if not _before(heap, child, parent):
            break
        _swap(heap, child, parent)
        parent = child
    return last


class EventQueue:
    """A queue of events in the order of their keys, equal ones coalesced.

    Time moves forward only: an event whose key lies before that of the last one popped is refused, because it would
    precede its cause.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._heap = np.empty((3, max(capacity, 1)), dtype=np.int64)
        self._size = 0
        self._last: Event | None = None

    def __len__(self) -> int:
        return self._size

    def push(self, event: Event) -> None:
        """Add an event; raise ScheduleError if its time has passed."""
        if self._last is not None and event < self._last:
            raise ScheduleError(
                f"event {tuple(event)}",
                got=f"a key before that of the event last popped, {tuple(self._last)}",
                expected="an event at or after the present",
                remedy="Give the projection or exchange that causes it a delay of at least one tick.",
            )
        if self._size == self._heap.shape[1]:
            self._heap = np.concatenate([self._heap, np.empty_like(self._heap)], axis=1)
        order = (event.phase << _INDEX_BITS) | event.which
        self._size = heap_push(self._heap, self._size, event.tick, order, event.detail)

    def pop(self) -> Event:
        """Remove and return the first event, and with it every event equal to it; IndexError when empty."""
        if not self._size:
            raise IndexError("pop from an empty event queue")
        self._last = self._take()
        while self._size and self._column(0) == self._last:
            self._take()
        return self._last

    def _take(self) -> Event:
        self._size = heap_pop(self._heap, self._size)
        return self._column(self._size)

    def _column(self, column: int) -> Event:
        tick, order, detail = self._heap[:, column].tolist()
        return Event(tick, order >> _INDEX_BITS, order & _INDEX_MASK, detail)
