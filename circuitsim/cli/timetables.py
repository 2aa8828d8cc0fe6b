"""Timetables in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitsim.cli.console import table_of, terminal

if TYPE_CHECKING:
    from circuitsim.timetable.schedule import Schedule


def show_timetable(plan: Schedule, passes: int) -> None:
    """Print the events of a presentation, or of a pass of mirror mode, and the windows that they need."""
    mirror = plan.protocol.mirror
    if mirror:
        terminal().print(f"\nmirror mode of {mirror}, {passes} time(s) after each presentation")
    table = table_of("tick", "phase", "of", "cycle", "reads", "changes")
    for row in plan.table():
        table.add_row(*row)
    terminal().print(table)
    windows = ", ".join(f"{name} {ticks}" for name, ticks in plan.windows.items())
    what = "wave" if mirror else "presentation"
    terminal().print(f"{plan.length} ticks a {what}; window of {plan.window} ticks, needed: {windows or 'none'}")


def following(plan: Schedule) -> str:
    """Return a sentence on the interval between examples and the shortest possible one."""
    alone, together = plan.shortest_interval(1), plan.shortest_interval()
    more = f"; after {together} where they remember several" if together < alone else ""
    now = f"the next example enters after {plan.duration} ticks"
    return f"{now}; it could after {alone} where neurons remember one example at a time{more}"
