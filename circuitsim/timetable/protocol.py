"""Protocol: what one presentation consists of, and when its increments are applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity
from circuitsim.locality import Key


class Updates(str, Enum):
    """When a presentation's increments are applied."""

    LAST = "last"
    AT_ONCE = "at once"
    EITHER = "either"


@dataclass(frozen=True)
class Protocol:
    """What one presentation consists of.

    Parameters
    ----------
    cycles : number of recirculation cycles after the forward pass, >= 0.
    learn : whether the circuit's plasticity takes part. groups : the groups of it that do; None: all.
    mirror : the projection that noise is fired through; then this is one wave of its mirror mode, and no presentation.
    passes : how often the waves of all mirrors follow a presentation, >= 0.
    updates : when increments are applied: after a presentation's last event, as soon as a projection's rules have
        proposed them, or by a coin for each projection and presentation one or the other.
    readouts : further quantities that must be there at the end, as (population, quantity, cycle).
    window : how long neurons remember, in ticks; None: as long as the rules need.
    interval : ticks after which the next example enters, which may be before the last one has left; None: after it.
    labelled : the tick at which labels are clamped, >= 0; inputs are at 0.
    memories : of how many examples a neuron can hold the same quantity at once; None: of as many as overlap.
    """

    cycles: int = 0
    learn: bool = True
    readouts: tuple[Key, ...] = ()
    window: int | None = None
    mirror: str = ""
    passes: int = 0
    updates: Updates = Updates.LAST
    groups: tuple[str, ...] | None = None
    interval: int | None = None
    memories: int | None = None
    labelled: int = 0


Learning = tuple[str, int]  # a projection and the place of a rule among its rules


def active(circuit: Circuit, protocol: Protocol) -> dict[Learning, Plasticity]:
    """The plasticity that takes part in a protocol: in presentations, or in one projection's mirror mode."""
    return {
        (name, place): p
        for name, rules in circuit.rules.items()
        for place, p in enumerate(rules)
        if protocol.learn and p.mirror == protocol.mirror and (protocol.groups is None or p.group in protocol.groups)
    }
