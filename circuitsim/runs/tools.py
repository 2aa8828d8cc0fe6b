"""Functions above the engine that the engine and the command line need, found through entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from circuitsim.errors import ConfigError

TOOLS = "circuitsim.tools"


def load_tool(name: str) -> Callable[..., Any]:
    """Return the function behind a command that needs more than the engine; ConfigError if none is installed."""
    point = entry_point(TOOLS, name)
    if point is not None:
        found: Callable[..., Any] = point.load()
        return found
    raise ConfigError(
        f"command {name}",
        got="no installed package that carries it out",
        expected=f"an entry point {name!r} in the group {TOOLS}",
        remedy="Install circuitsim again: pip install --force-reinstall circuitsim.",
    )


def entry_point(group: str, name: str) -> EntryPoint | None:
    """Return the entry point of a name, or None."""
    return next((point for point in entry_points(group=group) if point.name == name), None)
