"""What all phases share: declaring accesses in a few words, and the only way in which a phase gets at arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.locality import Access, Key, Mode

Step = Callable[[], None]


def reads(owner: str, quantity: str, cycle: int | None = None) -> Access:
    """Declare a read."""
    return Access(Mode.READ, owner, quantity, cycle)


def adds(owner: str, quantity: str, cycle: int | None = None) -> Access:
    """Declare a contribution that is summed with others."""
    return Access(Mode.ADD, owner, quantity, cycle)


def writes(owner: str, quantity: str, cycle: int | None = None) -> Access:
    """Declare a write."""
    return Access(Mode.WRITE, owner, quantity, cycle)


@dataclass(frozen=True)
class Binding:
    """What a phase is given to bind one event: the event, the circuit, the kernels, and the views it declared.

    `views` holds no array that the event did not declare; those that it only reads are read-only. `first` tells
    whether no other event has yet added to the array that this one adds to. `report` takes an array of increments that
    may reach `limit` (1,) in a replica that is `alive`, before any of them is applied, and raises if a replica has
    diverged that must not.
    """

    circuit: Circuit
    event: Event
    kernels: ModuleType
    views: dict[Key, np.ndarray]
    first: bool
    report: Callable[[np.ndarray], None]
    limit: np.ndarray
    alive: np.ndarray

    def view(self, owner: str, quantity: str, cycle: int | None = None) -> np.ndarray:
        """The declared array; KeyError for any other."""
        return self.views[owner, quantity, cycle]

    def optional(self, owner: str, quantity: str, cycle: int | None = None) -> np.ndarray | None:
        """The declared array, or None where nothing needs it and the schedule has dropped it."""
        return self.views.get((owner, quantity, cycle))


def emission(circuit: Circuit, population: str, cycle: int) -> str:
    """The quantity that a population sends out in a cycle: what it emits where it mixes, else its activity."""
    return "E" if cycle and circuit.population(population).mixes else "O"


def biases(circuit: Circuit, population: str) -> list[str]:
    """The incoming projections whose neurons have biases."""
    return [q.name for q in circuit.incoming[population] if q.bias]
