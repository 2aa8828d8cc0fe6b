"""circuitsim: learning in physical circuits, local in space and time or saying where it is not."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitsim.asynchrony import AsynchronousSimulator, Timing
    from circuitsim.errors import BadInput, CircuitsimError, Diverged
    from circuitsim.graph import Carries, Circuit, Exchange, Plasticity, Population, Projection
    from circuitsim.hooks import Hook
    from circuitsim.rules import Rule, local_rule
    from circuitsim.schedule import Protocol, Schedule, Updates, timetable
    from circuitsim.simulator import Simulator

# where each public name lives; imported when first asked for, so that the command line starts quickly
_HOME = {
    **dict.fromkeys(("AsynchronousSimulator", "Timing"), "asynchrony"),
    **dict.fromkeys(("BadInput", "CircuitsimError", "Diverged"), "errors"),
    **dict.fromkeys(("Carries", "Circuit", "Exchange", "Plasticity", "Population", "Projection"), "graph"),
    "Hook": "hooks",
    **dict.fromkeys(("Rule", "local_rule"), "rules"),
    **dict.fromkeys(("Protocol", "Schedule", "Updates", "timetable"), "schedule"),
    "Simulator": "simulator",
}

__all__ = [
    "AsynchronousSimulator",
    "BadInput",
    "Carries",
    "Circuit",
    "CircuitsimError",
    "Diverged",
    "Exchange",
    "Hook",
    "Plasticity",
    "Population",
    "Projection",
    "Protocol",
    "Rule",
    "Schedule",
    "Simulator",
    "Timing",
    "Updates",
    "local_rule",
    "timetable",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"circuitsim.{_HOME[name]}"), name)
    raise AttributeError(f"module 'circuitsim' has no attribute {name!r}")
