"""The command line."""

from __future__ import annotations

import signal
import sys
import threading

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status; Ctrl-C is no traceback, during imports neither.

    Libraries make other errors of an interrupt that comes while they are imported. After Ctrl-C any error is its doing.
    """
    pressed: list[int] = []

    def note(number: int, _: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler
    try:
        if ours:
            signal.signal(signal.SIGINT, note)
        from circuitsim.cli.app import main as carry_out

        carry_out(arguments)
    except (KeyboardInterrupt, Exception) as error:
        if not (pressed or isinstance(error, KeyboardInterrupt)):
            raise
        print("circuitsim: interrupted before anything new was done; resume, or start again.", file=sys.stderr)
        sys.exit(130)
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
