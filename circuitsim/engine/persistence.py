"""Persistence: the part of a simulator that outlives a presentation, to read, to change, to keep and to restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.engine import snapshots
from circuitsim.engine.acts import Acts
from circuitsim.engine.divergence import DivergenceMonitor
from circuitsim.engine.interrupts import Uninterrupted
from circuitsim.engine.noise import GivenNoise
from circuitsim.engine.plan import Plan
from circuitsim.engine.presenters import Replay
from circuitsim.engine.state import State
from circuitsim.engine.timeline import Timeline
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import Schedule


class Persistent:
    """Weights, rates and snapshots of a simulator."""

    state: State
    monitor: DivergenceMonitor
    protocol: Protocol
    schedule: Schedule
    _shown: Schedule | None = None  # the timetable of the last presentation
    batch: int
    _row_sets: int
    _presenter: Replay
    _time: Timeline
    mirror_plans: list[Plan]

    @property
    def acts(self) -> Acts:
        """Acts that have changed the circuit from outside its phases."""
        return self.state.acts

    @property
    def rows_by_replica(self) -> bool:
        """True if each replica is shown rows of its own."""
        return self._row_sets > 1

    @property
    def tick(self) -> int:
        """The tick at which the next presentation starts."""
        return self._time.tick

    @property
    def presentations(self) -> int:
        """Number of presentations that have been shown."""
        return self._time.presentations

    def tensors(self) -> dict[str, np.ndarray]:
        """Return views of the weights and biases by name, read-only, each with a leading replica axis.

        `load` changes them. With cupy call this anew after each presentation.
        """
        return self.state.tensors()

    def load(self, name: str, values: np.ndarray) -> None:
        """Replace a weight or bias tensor in place; without a replica axis every replica gets the same."""
        with Uninterrupted():
            self.state.load(name, values)
            self.monitor.update_limits()

    def set_rates(self, factor: float | np.ndarray, projections: Sequence[str] | None = None) -> None:
        """Set the rates of some projections, or all, to their given values times a factor: one, or one a replica."""
        with Uninterrupted():
            self.state.scale_rates(factor, projections)
            self.monitor.update_limits()

    def set_parameters(self, parameters: Mapping[tuple[str, str], Any]) -> None:
        """Replace rates, decays, bounds or numbers of rules from now on; see `State.set_parameters`."""
        with Uninterrupted():
            self.state.set_parameters(parameters)
            self.monitor.update_limits()

    def use_noise(self, noise: Mapping[str, Any]) -> None:
        """Take the noise that mirrors with `Noise.GIVEN` fire: pass k of mirror mode fires row k of each array.

        Parameters
        ----------
        noise : (pass, batch, neuron) by the population that fires; the same for all replicas. A smaller batch takes
            the first rows of its pass.

        Raises
        ------
        CircuitError : names, shapes or values that do not fit; in mirror mode, more passes than there are rows.
        """
        self._check_open("use_noise")
        given = GivenNoise(self.state.circuit, noise, batch=self.batch, dtype=self.state.dtype)
        with Uninterrupted():
            self._time.noise = given
            self._time.heard(self.mirror_plans)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copy all that `restore` needs to continue to the same bits: weights, velocities, rates, clock, probes."""
        return snapshots.take(self.state, self.protocol, self._memory())

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Go back to a snapshot of a simulator that was made like this one; CircuitError for any other."""
        memory = self._memory()
        self.acts.note("restore", "a snapshot")
        with Uninterrupted():
            snapshots.put(snapshot, self.state, self.protocol, memory)
            self._time.go_to(memory)
            self.monitor.update_limits()

    def pass_time(self) -> None:
        """Advance the clock by one presentation without any event; audits alone use it."""
        self._time.presentations, self._time.tick = self.presentations + 1, self.tick + self.schedule.duration
        self.state.set_clock(self.tick, self.presentations)

    def _check_open(self, what: str) -> None:
        """Raise CircuitError for a change by a function that may only look, and for an array that was exchanged."""
        self.acts.refuse(what)
        self.state.check_whole()

    def _memory(self) -> dict[str, np.ndarray]:
        """Return by name what continues beside the state: counters, and memories of neurons."""
        neurons = self._presenter.memory(self.batch)
        return {f"memory/{name}": array for name, array in neurons.items()} | self._time.memory()

    def __reduce__(self) -> NoReturn:
        refuse_copy(self.state.circuit)


def refuse_copy(circuit: Circuit) -> NoReturn:
    """Raise CircuitError for a copy or pickle of a simulator: compiled steps hold the addresses of its arrays."""
    raise CircuitError(
        f"copy or pickle of a simulator of circuit {circuit.name}",
        got="a simulator, whose compiled steps are bound to its own memory",
        expected="arrays",
        remedy="Make another simulator with the same arguments, and hand on snapshot() or tensors().",
    )
