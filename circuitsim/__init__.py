"""circuitsim: learning in physical circuits, local in space and time or saying where it is not."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitsim.asynchrony import AsynchronousSimulator, Timing
    from circuitsim.circuit.circuit import Circuit
    from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
    from circuitsim.engine.hooks import Hook
    from circuitsim.engine.simulator import Simulator
    from circuitsim.errors import BadInput, CircuitsimError, Diverged
    from circuitsim.rules import Rule, local_rule
    from circuitsim.timetable.protocol import Protocol, Updates
    from circuitsim.timetable.schedule import Schedule, make_schedule

# the module of each public name; imported when first asked for, so that the command line starts quickly
_MODULES = {
    **dict.fromkeys(("AsynchronousSimulator", "Timing"), "asynchrony"),
    "audit_step": "analysis.blackbox.audit_step",
    "Circuit": "circuit.circuit",
    **dict.fromkeys(("Carries", "Exchange", "Plasticity", "Population", "Projection"), "circuit.parts"),
    "Hook": "engine.hooks",
    "Simulator": "engine.simulator",
    **dict.fromkeys(("BadInput", "CircuitsimError", "Diverged"), "errors"),
    **dict.fromkeys(("Rule", "local_rule"), "rules.rule"),
    **dict.fromkeys(("Protocol", "Updates"), "timetable.protocol"),
    **dict.fromkeys(("Schedule", "make_schedule"), "timetable.schedule"),
}
_PACKAGES = ("circuits", "data", "scenarios")

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
    "audit_step",
    "local_rule",
    "make_schedule",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"circuitsim.{_MODULES[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"circuitsim.{name}")
    if name == "__version__":
        return version("circuitsim")
    raise AttributeError(f"module 'circuitsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_PACKAGES, "__version__"]
