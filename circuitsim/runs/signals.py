"""Handling of Ctrl-C and requests to terminate during a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def noted() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM for a loop to see between its steps; a second one acts at once."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in _STOPPING}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        _install(before)

    _install(dict.fromkeys(_STOPPING, note))
    try:
        yield received
    finally:
        _install(before)


@contextmanager
def at_once() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as SIGINT does: for work of which no part is worth keeping."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _STOPPING}
    _install(dict.fromkeys(_STOPPING, stop))
    try:
        yield
    finally:
        _install(before)


def _install(handlers: dict[signal.Signals, Callable[..., Any] | int | None]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals come to the main thread alone, and no other may name their handlers
    for number, handler in handlers.items():
        signal.signal(number, handler)
