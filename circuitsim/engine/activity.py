"""Memory of one presentation: what neurons take in, emit and remember."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from circuitsim import phases
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.engine.state import State
from circuitsim.engine.views import guarded
from circuitsim.locality import Access, Key, Mode
from circuitsim.timetable.schedule import Schedule


class Activity:
    """Arrays (replica, batch, neuron) of one presentation, allocated once.

    A batch smaller than the capacity uses the front of the same memory. `same` maps the addresses that share memory
    to the one that owns it; `shared` are those equal for all replicas, whose leading axis is one.
    """

    def __init__(
        self, state: State, keys: Iterable[Key], capacity: int, *, same: Mapping[Key, Key], shared: Iterable[Key] = ()
    ) -> None:
        self._state, self.capacity, self._same = state, capacity, same
        shared = set(shared)
        self._flat: dict[Key, np.ndarray] = {}
        self.shapes: dict[Key, tuple[int, int]] = {}
        for key in dict.fromkeys(same.get(key, key) for key in keys):
            replicas = 1 if key in shared else state.replicas
            size = _size(state.circuit, key)
            self.shapes[key] = (replicas, size)
            dtype = np.int64 if key[1] == "winner" else state.dtype  # the number of a synapse, not of an activity
            self._flat[key] = np.zeros(replicas * capacity * size, dtype)

    def array(self, key: Key, batch: int) -> np.ndarray:
        """Return the array of an address for a batch size, contiguous."""
        owner = self._same.get(key, key)
        replicas, size = self.shapes[owner]
        return self._flat[owner][: replicas * batch * size].reshape(replicas, batch, size)

    def read(self, key: Key, batch: int) -> np.ndarray:
        """Return the array of an address as the last presentation left it, brought to the host."""
        found = self.array(key, batch)
        self._state.to_host((found,))
        return found

    def view(self, access: Access, batch: int) -> np.ndarray:
        """Return the array behind an access, guarded by its mode."""
        return guarded(self.array(access.key, batch), access.mode)

    def arrays(self, batch: int) -> dict[Key, np.ndarray]:
        """Return all arrays by address for a batch size, writable: for audits alone."""
        self._state.to_host(self._flat.values())
        return {key: self.array(key, batch) for key in (*self._flat, *self._same)}

    def memory(self) -> dict[str, np.ndarray]:
        """Return all memory, flat, by name ("population.quantity.cycle"), for checkpoints."""
        self._state.to_host(self._flat.values())
        return {f"{o}.{q}.{c}": a for (o, q, c), a in self._flat.items()}


def _size(circuit: Circuit, key: Key) -> int:
    """Return the numbers of one example: a neuron each, or for traces a synapse each."""
    if key[1] == "trace":
        return size_of(circuit.tensor_shape(key[0]))
    return size_of(circuit.bias_shape(key[0])) if key[1] == "bias_trace" else circuit.population(key[0]).size


def shared_memory(schedule: Schedule, state: State) -> dict[Key, Key]:
    """Return the addresses that share another's memory, with that other.

    A neuron's summed input S is not needed once it has fired, so its activity takes the same memory unless S is read.
    Where a neuron emits what it remembers, the two are one array. Compartments of one neuron share its activity, and
    so do the steps in which neurons are clamped to the same.
    """
    same: dict[Key, Key] = {}
    read = {a.key for e in schedule.entries for a in e.accesses if a.mode is Mode.READ} | {*schedule.protocol.readouts}
    for entry in schedule.entries:
        written = {a.quantity: a.key for a in entry.accesses if a.mode is Mode.WRITE and a.cycle is not None}
        subject = phases.subject(schedule.circuit, entry.event)
        if "E" in written and "O" in written and _emits_what_it_remembers(state, subject):
            same[written["E"]] = written["O"]
        summed = next((a.key for a in entry.accesses if a.mode is Mode.ADD and a.quantity == "S"), None)
        first = entry.event.phase == phases.FORWARD and entry.event.detail == 0
        if first and (taken := schedule.circuit.taken(subject, 0)):
            origin: Key = (taken.source, "O", 0)
            same[subject, "O", 0] = same.get(origin, origin)
        if entry.event.phase == phases.FORWARD and entry.event.detail and subject in schedule.circuit.clamped:
            same[subject, "O", entry.event.detail] = (subject, "O", 0)
        fires = entry.event.phase in (phases.FORWARD, phases.RECIRCULATION, phases.FEEDBACK)
        becomes = written.get("O") or written.get("E")
        if fires and summed and becomes and summed not in read:
            same[summed] = becomes
    return same


def _emits_what_it_remembers(state: State, population: str) -> bool:
    return bool((state.parameter(population, "emits") == state.parameter(population, "remembers")).all())
