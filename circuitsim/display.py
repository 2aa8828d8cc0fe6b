"""HTML for notebooks: drawn by what lies above the engine, and found through entry points, as commands are."""

from __future__ import annotations

from importlib.metadata import entry_points

DISPLAYS = "circuitsim.displays"


def as_html(kind: str, shown: object) -> str | None:
    """Return an object as HTML; None if nothing that draws its kind is installed, and a notebook shows its text."""
    point = next(iter(entry_points(group=DISPLAYS, name=kind)), None)
    return None if point is None else str(point.load()(shown))
