"""Phases: the kinds of event. Each module declares its accesses and binds one event to a kernel.

Members, in the same order in every module: `NAME`; `accesses(circuit, event)`; `bind(event)`, whose result is called
once for each presentation. Within a tick the phases run in the order of `PHASES`.
"""

from __future__ import annotations

from types import ModuleType

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.locality import Access
from circuitsim.phases import (
    blank,
    bound,
    delivery,
    feedback,
    forward,
    mirror,
    plasticity,
    recirculation,
    refresh,
    replacement,
    retention,
    trace,
    update,
)
from circuitsim.phases.base import Binding, Step

PHASES: tuple[ModuleType, ...] = (
    refresh,
    delivery,
    forward,
    blank,
    recirculation,
    mirror,
    replacement,
    feedback,
    trace,
    plasticity,
    update,
    bound,
    retention,
)
REFRESH, DELIVERY, FORWARD, BLANK, RECIRCULATION, MIRROR = range(6)
REPLACEMENT, FEEDBACK, TRACE, PLASTICITY, UPDATE, BOUND, RETENTION = range(6, len(PHASES))
FIRING = (FORWARD, BLANK, RECIRCULATION, MIRROR, REPLACEMENT, FEEDBACK)
OF_PROJECTIONS = (REFRESH, DELIVERY, TRACE, PLASTICITY, UPDATE)

__all__ = [
    "BLANK",
    "BOUND",
    "DELIVERY",
    "FEEDBACK",
    "FIRING",
    "FORWARD",
    "MIRROR",
    "OF_PROJECTIONS",
    "PHASES",
    "PLASTICITY",
    "RECIRCULATION",
    "REFRESH",
    "REPLACEMENT",
    "RETENTION",
    "TRACE",
    "UPDATE",
    "Binding",
    "Step",
    "accesses",
    "name",
    "subject",
]


def name(event: Event) -> str:
    """Return the name of the event's phase."""
    return str(PHASES[event.phase].NAME)


def subject(circuit: Circuit, event: Event) -> str:
    """Return the name of the event's population or projection."""
    parts = circuit.projections if event.phase in OF_PROJECTIONS else circuit.populations
    return parts[event.which].name


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Return all accesses that the event may make."""
    found: tuple[Access, ...] = PHASES[event.phase].accesses(circuit, event)
    return found
