"""Interrupts: whenever a signal's handler raises, weights, counters and ticks are those of a whole presentation."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import numpy as np
import pytest
from building import Built, Setting, classifier, simulator

from circuitsim.asynchrony import AsynchronousSimulator
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine import interrupts
from circuitsim.engine.hooks import Hook
from circuitsim.engine.interrupts import Pace, Uninterrupted
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

COURSE = np.random.default_rng(0).integers(0, 200, (400, 4))


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Let a handler raise KeyboardInterrupt in so many seconds, as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def bits(made: Simulator) -> bytes:
    return b"".join(tensor.tobytes() for tensor in made.tensors().values())


WAYS: dict[str, tuple[Setting | Built, dict[str, Any]]] = {
    "one program": (Setting((64, 8, 64)), {}),
    "NumPy": (Setting((64, 8, 64)), {"backend": "numpy"}),
    "event by event": (Setting((64, 8, 64)), {"order": lambda events: events}),
    "mirror mode": (classifier("wm", (64, 7, 10), passes=2), {}),
    "magnitudes redrawn": (classifier("ss", (64, 7, 10)), {}),
}


@pytest.mark.parametrize("together", [False, True], ids=["present", "present_each"])
@pytest.mark.parametrize("way", WAYS)
def test_after_an_interrupt_all_is_as_after_a_whole_presentation(
    way: str, together: bool, alarm: Callable[[float], None]
) -> None:
    """At forty moments; the weights are those of the presentations that were counted, and it can go on."""
    setting, options = WAYS[way]
    made = [simulator([setting], **options) for _ in range(2)]
    one, other = made
    begin = time.perf_counter()
    for made_one in made:
        for rows in COURSE[:20]:
            made_one.present(rows)
    each = (time.perf_counter() - begin) / 40
    interrupted = 0
    for attempt in range(40):
        first = one.presentations
        interrupted += 1
        with suppress(KeyboardInterrupt):
            alarm(each * (0.2 + 0.31 * attempt % 7))
            if together:
                one.present_each(COURSE)
            else:
                for rows in COURSE:
                    one.present(rows)
            alarm(0)
            interrupted -= 1
        for rows in COURSE[: one.presentations - first]:
            other.present(rows)
        assert (one.presentations, one.tick) == (other.presentations, other.tick)
        assert bits(one) == bits(other)
    assert interrupted > 10 or (together and way == "one program")  # which is over sooner


def test_a_handler_waits_and_then_acts(alarm: Callable[[float], None]) -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        signal.raise_signal(signal.SIGALRM)
        signal.raise_signal(signal.SIGALRM)
        reached.append("the end")
    assert reached == ["the end"]


def test_the_handlers_are_as_before_whatever_happens(alarm: Callable[[float], None]) -> None:
    numbers = interrupts.INTERRUPTING
    before = [signal.getsignal(number) for number in numbers]
    with Uninterrupted():
        assert signal.getsignal(signal.SIGALRM) != before[numbers.index(signal.SIGALRM)]
        with Uninterrupted():
            pass
    assert [signal.getsignal(number) for number in numbers] == before
    with pytest.raises(ZeroDivisionError), Uninterrupted():
        1 / 0  # noqa: B018
    assert [signal.getsignal(number) for number in numbers] == before
    for moment in range(300):
        with suppress(KeyboardInterrupt):
            alarm(1e-6 * (moment % 60 + 1))
            for _ in range(20):
                with Uninterrupted():
                    pass
            alarm(0)
        assert [signal.getsignal(number) for number in numbers] == before


def test_handlers_that_only_take_a_note_are_called_too() -> None:
    noted: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: noted.append(number))
    try:
        with Uninterrupted():
            os.kill(os.getpid(), signal.SIGUSR1)
            assert noted == []
        assert noted == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_second_signal_stops_what_hangs(alarm: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "PATIENCE", 0.05)
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        signal.raise_signal(signal.SIGALRM)
        time.sleep(0.1)
        signal.raise_signal(signal.SIGALRM)
        reached.append("never")
    assert not reached and callable(signal.getsignal(signal.SIGALRM))


def test_other_threads_have_no_handlers_to_wait_for() -> None:
    made = simulator([Setting((64, 8, 64))])
    thread = threading.Thread(target=lambda: [made.present(rows) for rows in COURSE[:5]])
    thread.start()
    thread.join()
    assert made.presentations == 5


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("after", ["delivery", "update"])
def test_an_error_in_a_hook_takes_all_of_its_presentation_back(after: str, backend: str) -> None:
    left = [25]

    def fail(tensors: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("the user's")

    setting = Setting((64, 8, 6, 64), momentum=0.5)
    made, plain = (
        simulator([setting], hooks=[Hook(fail, after)], backend=backend),
        simulator([setting], backend=backend),
    )
    with pytest.raises(CircuitError, match=r"hook fail, line .*: got RuntimeError: the user's"):
        for rows in COURSE:
            made.present(rows)
    for rows in COURSE[: made.presentations]:
        plain.present(rows)
    assert made.presentations > 3 and bits(made) == bits(plain) and made.tick == plain.tick
    for one in (made, plain):
        one.present(COURSE[0])  # and velocities are those of before, too
    assert bits(made) == bits(plain)


def test_an_asynchronous_presentation_ends_before_an_interrupt_acts(alarm: Callable[[float], None]) -> None:
    circuit, protocol = circular_autoencoder([64, 12, 64], delay=5)
    one, other = (AsynchronousSimulator(circuit, protocol, parameters={"lr": 0.1}) for _ in range(2))
    for made in (one, other):
        made.use(np.random.default_rng(0).random((40, 64)))
        made.present(0)
    for attempt in range(20):
        first = one.presentations
        with suppress(KeyboardInterrupt):
            alarm(0.0005 + 0.0013 * attempt)
            while True:
                one.present(one.presentations % 40)
        for number in range(first, one.presentations):
            other.present(number % 40)
        assert one.tick == other.tick
        assert all(np.array_equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())


def test_as_many_presentations_as_take_a_moment_are_shown_between_interrupts() -> None:
    pace = Pace()
    for _ in range(5):
        pace.note(pace.count, 0.001)
    assert pace.count == 32
    pace.note(7, 0.001)  # the rest of a sequence tells nothing
    pace.note(pace.count, 0.03)
    assert pace.count == 32
