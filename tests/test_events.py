"""The queue: order by key alone, equal events once, no event in the past."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitsim.errors import ScheduleError
from circuitsim.events import Event, EventQueue

TICK, WHICH, DETAIL, PHASE = 2**63 - 1, 2**40 - 1, 2**63 - 1, 2**23 - 1  # the largest of each
modest = settings(max_examples=150, deadline=None, derandomize=True)
small = st.builds(Event, st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
large = st.builds(Event, st.integers(0, TICK), st.integers(0, PHASE), st.integers(0, WHICH), st.integers(0, DETAIL))
many = st.lists(small | large, max_size=80)


def queue_of(events: list[Event], capacity: int = 64) -> EventQueue:
    queue = EventQueue(capacity)
    for event in events:
        queue.push(event)
    return queue


def drained(queue: EventQueue) -> list[Event]:
    found = []
    while queue:
        found.append(queue.pop())
    return found


@modest
@given(many, st.randoms(use_true_random=False))
def test_events_come_in_the_order_of_their_keys_each_once(events: list[Event], chance: random.Random) -> None:
    chance.shuffle(events)
    assert drained(queue_of(events)) == sorted(set(events))


@modest
@given(many, st.data())
def test_pushing_and_popping_in_turn(events: list[Event], data: st.DataObject) -> None:
    """Against a plain set: whatever comes in between, the first of what is there comes out."""
    queue, there, last = EventQueue(1), set(), None
    for event in sorted(events):
        if last is None or event >= last:
            queue.push(event)
            there.add(event)
        if there and data.draw(st.booleans()):
            last = queue.pop()
            assert last == min(there)
            there.remove(last)
    assert drained(queue) == sorted(there)


@pytest.mark.parametrize("capacity", [0, 1, 2, 64])
def test_it_grows_beyond_its_capacity(capacity: int) -> None:
    events = [Event(tick % 97, tick % 5, tick % 11, tick) for tick in range(1000)]
    queue = queue_of(events, capacity)
    assert len(queue) == 1000 and drained(queue) == sorted(events) and len(queue) == 0


@modest
@given(large)
def test_large_numbers_survive(event: Event) -> None:
    queue = queue_of([event, Event(0, 0, 0, 0)])
    assert queue.pop() == Event(0, 0, 0, 0)
    if queue:  # unless they were the same
        found = queue.pop()
        assert found == event and all(type(number) is int for number in found)


def test_the_past_is_refused() -> None:
    queue = queue_of([Event(3, 1, 2, 0), Event(5, 0, 0, 0)])
    queue.pop()
    message = (
        r"event \(3, 1, 1, 9\): got a key before that of the event last popped, \(3, 1, 2, 0\); expected an event at "
        r"or after the present\. Give the projection or exchange that causes it a delay of at least one tick\."
    )
    with pytest.raises(ScheduleError, match=message):
        queue.push(Event(3, 1, 1, 9))
    for late in (Event(2, 9, 9, 9), Event(3, 0, 9, 9), Event(3, 1, 2, -1)):
        with pytest.raises(ScheduleError, match="after the present"):
            queue.push(late)
    assert len(queue) == 1
    queue.push(Event(3, 1, 2, 0))
    assert drained(queue) == [Event(3, 1, 2, 0), Event(5, 0, 0, 0)]


def test_an_empty_queue() -> None:
    assert not EventQueue()
    with pytest.raises(IndexError, match="pop from an empty event queue"):
        EventQueue().pop()
