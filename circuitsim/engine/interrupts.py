"""Interrupts that wait: a state changes as a whole or not at all, whenever Ctrl-C comes.

Python runs a signal's handler between any two of its instructions, and handlers such as that of Ctrl-C raise an
exception there: weights could be ahead of the counters. Here handlers wait until a change is complete.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` makes enumerations, in more time than a presentation takes
import threading
import time
from collections.abc import Callable
from signal import Signals
from types import FrameType, TracebackType
from typing import Any, Self

Handler = Callable[[int, FrameType | None], Any]
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGVTALRM")
INTERRUPTING = tuple(int(Signals[name]) for name in _NAMES if name in Signals.__members__)
UNINTERRUPTED = 0.02  # seconds, about, between two chances for a handler
PATIENCE = 1.0  # seconds after which a second signal acts at once: what it interrupts may hang


class Uninterrupted:
    """Defer the handlers of signals to the end; the first of them may then raise its exception.

    Parameters
    ----------
    undo : called where an exception ends the work.
    """

    def __init__(self, undo: Callable[[], None] | None = None) -> None:
        self._undo = undo

    def __enter__(self) -> Self:
        self._handlers: dict[int, Handler] = {}
        self._waiting: list[int] = []
        self._since = 0.0
        if threading.get_ident() == threading.main_thread().ident:  # handlers run there, and can be set there alone
            try:
                for number in INTERRUPTING:
                    handler = _signal.getsignal(number)
                    if callable(handler):
                        self._handlers[number] = handler
                        _signal.signal(number, self._wait)
            except BaseException:
                self._restore()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handlers = dict(self._handlers)
        try:
            if error is not None and self._undo is not None:
                self._undo()
        finally:
            self._restore()
        for number in self._waiting:
            handlers[number](number, None)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal; a second one acts at once if the first has waited for long."""
        now = time.monotonic()
        if self._waiting and now - self._since > PATIENCE:
            handler = self._handlers[number]
            self._waiting.clear()
            self._restore()
            handler(number, frame)
            return
        self._since = self._since or now
        if number not in self._waiting:
            self._waiting.append(number)

    def _restore(self) -> None:
        """Restore the handlers; one that runs meanwhile may raise, and the rest are restored all the same."""
        try:
            while self._handlers:
                number = next(iter(self._handlers))
                _signal.signal(number, self._handlers[number])
                del self._handlers[number]  # once it is restored, and not before
        finally:
            if self._handlers:
                self._restore()


class Pace:
    """The number of presentations to show between two chances for an interrupt, learned from the time they take."""

    count = 1

    def note(self, shown: int, seconds: float) -> None:
        """Learn from the time that so many presentations took."""
        if shown == self.count and seconds < UNINTERRUPTED:
            self.count *= 2
