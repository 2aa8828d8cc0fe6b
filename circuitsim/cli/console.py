"""Text for terminals, files and pipes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, cast

from rich.console import Console
from rich.table import Table

WIDEST = 1000  # columns of output that goes into a file or a pipe
GONE = (errno.EPIPE, errno.EIO)  # of a pipe whose reader has ended, and of a terminal that was closed


class LastingStream:
    """A text stream that outlives its reader, and that writes characters which its encoding lacks as escapes.

    Parameters
    ----------
    stream : where text goes; None: nowhere.
    said : written to standard error once, when the reader has gone; "": nothing.
    """

    def __init__(self, stream: IO[str] | None, said: str = "") -> None:
        self._stream, self._said = stream, said

    def write(self, text: str) -> int:
        """Write a text; to nowhere once the reader has gone."""
        if self._stream is None:
            return len(text)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._abandon(error)
        return len(text)

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except OSError as error:
            self._abandon(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)

    def _abandon(self, error: OSError) -> None:
        """Discard what is left to write, and what Python flushes at its exit; other errors are passed on."""
        if error.errno not in GONE or self._stream is None:
            raise error
        with suppress(OSError, ValueError):  # a stream of a test or a notebook has no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        self._stream = None
        with suppress(OSError):
            if self._said:
                print(f"circuitsim: {self._said}", file=sys.stderr, flush=True)


def terminal(said: str = "") -> Console:
    """Return the console of plain text, since folders may have brackets. Without a terminal, a line stays a line.

    Parameters
    ----------
    said : tells the user, on standard error, what happens after the reader of the output has gone.
    """
    console = Console(file=cast(IO[str], LastingStream(sys.stdout, said)), markup=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDEST
    return console


def error_console() -> Console:
    """Return the console of messages, which are never wrapped."""
    return Console(file=cast(IO[str], LastingStream(sys.stderr)), soft_wrap=True, highlight=False, markup=False)


def table_of(*columns: str) -> Table:
    """Return an empty table without frames."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_rows(rows: Sequence[dict[str, str]]) -> None:
    """Print rows that have the same keys as a table; nothing if there are none."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    if names:
        table = table_of(*names)
        for row in rows:
            table.add_row(*(row.get(name, "") for name in names))
        terminal().print(table)
