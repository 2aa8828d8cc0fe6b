"""Handling of Ctrl-C, of requests to terminate, of a terminal that closes, and of a cluster's warning during a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ALWAYS = (signal.SIGINT, signal.SIGTERM)
_UNLESS_IGNORED = (signal.SIGHUP, signal.SIGUSR1)  # `nohup` ignores the first; clusters send the second before the end


def _stopping() -> tuple[signal.Signals, ...]:
    """Return the signals that stop a run."""
    return (*_ALWAYS, *(one for one in _UNLESS_IGNORED if signal.getsignal(one) is not signal.SIG_IGN))


@contextmanager
def noted() -> Iterator[list[int]]:
    """Collect the first signal that stops a run, for a loop to see between its steps; a second one acts at once."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in _stopping()}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        _install(before)

    _install(dict.fromkeys(before, note))
    try:
        yield received
    finally:
        _install(before)


@contextmanager
def at_once() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at every signal that stops a run, and collect them: for work that keeps nothing.

    Libraries make other errors of a KeyboardInterrupt; once there was a signal, any error is its doing.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _stopping()}
    _install(dict.fromkeys(before, stop))
    try:
        yield received
    finally:
        _install(before)


def _install(handlers: dict[signal.Signals, Callable[..., Any] | int | None]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals come to the main thread alone, and no other may name their handlers
    for number, handler in handlers.items():
        signal.signal(number, handler)
