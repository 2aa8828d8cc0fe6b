"""Helpers of all phases: declarations of accesses, and `Binding`, a phase's only way to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """Arguments of a phase that binds one event: the event, the circuit, the kernels, and the declared views.

    `views` holds the declared arrays alone; those that the event only reads are read-only. `first` is true if no other
    event has added to the same array before. `report` takes increments that may reach `limit` (1,) in a replica that is
    `alive`, before any is applied; it raises Diverged for a replica that must not diverge. `learns` is true if the
    presentation teaches.
    """

    circuit: Circuit
    event: Event
    kernels: ModuleType
    views: dict[Key, np.ndarray]
    first: bool
    report: Callable[[np.ndarray], None]
    limit: np.ndarray
    alive: np.ndarray
    learns: bool = True

    def view(self, owner: str, quantity: str, cycle: int | None = None) -> np.ndarray:
        """Return a declared array; KeyError for any other."""
        return self.views[owner, quantity, cycle]

    def optional(self, owner: str, quantity: str, cycle: int | None = None) -> np.ndarray | None:
        """Return a declared array, or None if the schedule has dropped it."""
        return self.views.get((owner, quantity, cycle))


def emission(circuit: Circuit, population: str, cycle: int) -> str:
    """Return the quantity that a population sends out in a cycle: E if it mixes, else O."""
    return "E" if cycle and circuit.population(population).mixes else "O"


def bias_inputs(b: Binding, names: Iterable[str]) -> tuple[list[np.ndarray], list[Step]]:
    """Return the biases of projections as (replica, neuron), and the steps that copy shared ones to their neurons."""
    found, steps = [], []
    for name in names:
        bias, target = b.view(name, "bias"), b.circuit.population(b.circuit.projection(name).target)
        flat = bias.reshape(bias.shape[0], -1)
        if flat.shape[1] < target.size:
            spread = np.empty((flat.shape[0], target.size), flat.dtype)
            steps.append(b.kernels.spread(flat, spread))
            flat = spread
        found.append(flat)
    return found, steps


def biases(circuit: Circuit, population: str) -> list[str]:
    """Return the incoming projections that have biases."""
    return [q.name for q in circuit.incoming[population] if q.bias]
