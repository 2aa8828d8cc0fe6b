"""Text for terminals, files and pipes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

WIDEST = 1000  # columns of output that goes into a file or a pipe


def terminal() -> Console:
    """Return the console of plain text, since folders may have brackets. Without a terminal, a line stays a line."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDEST
    return console


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
