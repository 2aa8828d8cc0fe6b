"""Entry: one line of a timetable."""

from __future__ import annotations

from dataclasses import dataclass

from circuitsim.events import Event
from circuitsim.locality import Access


@dataclass(frozen=True)
class Entry:
    """One line of the timetable: an event and the arrays it touches, without those that nothing needs."""

    event: Event
    accesses: tuple[Access, ...]
