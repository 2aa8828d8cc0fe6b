"""Protocol: what one presentation consists of, and when its increments are applied."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity
from circuitsim.display import as_html
from circuitsim.locality import Key


class Updates(str, Enum):
    """Time at which a presentation's increments are applied."""

    LAST = "last"
    AT_ONCE = "at once"
    EITHER = "either"


@dataclass(frozen=True)
class Clock:
    """Time inside a presentation: every population fires at each of several steps.

    A neuron fires at step t as soon as all that belongs to this step has arrived, and not before tick t * period.
    Projections with `lag` >= 1 hand a signal to a later step. Neurons are silent before step 0.

    Parameters
    ----------
    steps : number of steps, >= 1.
    shown : the input is clamped to the data in this many steps and afterwards to the circuit's `blank`; None: in all.
    period : ticks from the beginning of one step to that of the next, >= 1.
    judged : number of steps, counted from the end, in which error neurons compare the output with its target, >= 1.
    truncated : errors pass back over no boundary between parts of this many steps, counted from the end; None: over
        the whole presentation.
    """

    steps: int
    shown: int | None = None
    period: int = 1
    judged: int = 1
    truncated: int | None = None

    @property
    def last(self) -> int:
        """The last step."""
        return self.steps - 1

    @property
    def visible(self) -> int:
        """Number of steps in which the input is clamped to the data."""
        return self.steps if self.shown is None else self.shown

    def cut(self, earlier: int, later: int) -> bool:
        """Return whether errors may not pass from a later step back to an earlier one."""
        part = self.truncated
        return part is not None and (self.last - earlier) // part != (self.last - later) // part


@dataclass(frozen=True)
class Protocol:
    """Content of one presentation: its cycles, its learning rules, its timing.

    Parameters
    ----------
    cycles : number of recirculation cycles after the forward pass, >= 0.
    learn : rules take part. groups : the groups of rules that do; None: all.
    mirror : a projection; then this is one pass of its mirror mode in place of a presentation.
    passes : number of mirror-mode passes that follow a presentation, >= 0.
    updates : time of the updates: after a presentation's last event, as soon as a projection's rules have run, or one
        of the two at random for each projection and presentation.
    readouts : further quantities to keep until the end, as (population, quantity, cycle).
    window : ticks that neurons remember; None: as many as the rules need.
    interval : ticks between the starts of two presentations, which may overlap; None: one starts when the last ends.
    labelled : the tick at which labels are clamped, >= 0; inputs are clamped at tick 0.
    clock : the steps of a presentation in which every population fires at each step; None: it counts cycles.
    memories : number of examples of which a neuron can hold the same quantity at once; None: as many as overlap.
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
    clock: Clock | None = None

    @property
    def last(self) -> int:
        """The last step of a clocked presentation; cycle 0 of others, in which the output is read."""
        return self.clock.last if self.clock else 0

    def changed(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def __repr__(self) -> str:
        return f"Protocol({', '.join(f'{key}={value!r}' for key, value in self.changed().items())})"

    def _repr_html_(self) -> str | None:
        return as_html("protocol", self)


Learning = tuple[str, int]  # a projection, and the index of a rule among its rules


def active(circuit: Circuit, protocol: Protocol) -> dict[Learning, Plasticity]:
    """Return the plasticity that takes part in a protocol: in presentations, or in one projection's mirror mode."""
    return {
        (name, place): p
        for name, rules in circuit.rules.items()
        for place, p in enumerate(rules)
        if protocol.learn and p.mirror == protocol.mirror and (protocol.groups is None or p.group in protocol.groups)
    }
