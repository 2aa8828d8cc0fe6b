"""Activity: the memory that one presentation fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from circuitsim.engine.state import State, guarded
from circuitsim.locality import Access, Key


class Activity:
    """What neurons take in, emit and remember in one presentation: (replica, batch, neuron), allocated once.

    A batch smaller than the capacity uses the front of the same memory. `same` maps the addresses that share memory
    to the one that owns it; `shared` are those equal for all replicas, whose leading axis is one.
    """

    def __init__(
        self, state: State, keys: Iterable[Key], capacity: int, *, same: Mapping[Key, Key], shared: Iterable[Key] = ()
    ) -> None:
        self._state, self.capacity, self._same = state, capacity, same
        shared = set(shared)
        self._flat: dict[Key, np.ndarray] = {}
        self._shapes: dict[Key, tuple[int, int]] = {}
        for key in dict.fromkeys(same.get(key, key) for key in keys):
            replicas = 1 if key in shared else state.replicas
            size = state.circuit.population(key[0]).size
            self._shapes[key] = (replicas, size)
            self._flat[key] = np.zeros(replicas * capacity * size, state.dtype)

    def array(self, key: Key, batch: int) -> np.ndarray:
        """The array of an address for a batch size, contiguous."""
        owner = self._same.get(key, key)
        replicas, size = self._shapes[owner]
        return self._flat[owner][: replicas * batch * size].reshape(replicas, batch, size)

    def left(self, key: Key, batch: int) -> np.ndarray:
        """What a presentation left at an address, to be looked at."""
        found = self.array(key, batch)
        self._state.to_host((found,))
        return found

    def view(self, access: Access, batch: int) -> np.ndarray:
        """The array behind an access."""
        return guarded(self.array(access.key, batch), access.mode)

    def arrays(self, batch: int) -> dict[Key, np.ndarray]:
        """All arrays by address for a batch size, writable: for audits alone."""
        self._state.to_host(self._flat.values())
        return {key: self.array(key, batch) for key in (*self._flat, *self._same)}

    def memory(self) -> dict[str, np.ndarray]:
        """All memory by name, for a checkpoint of what is under way: "population.quantity.cycle"."""
        self._state.to_host(self._flat.values())
        return {f"{o}.{q}.{c}": a for (o, q, c), a in self._flat.items()}
