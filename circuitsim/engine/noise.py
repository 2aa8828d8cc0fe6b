"""Noise from outside: the arrays that neurons fire in mirror mode, in place of numbers that are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from circuitsim.arrays import as_array, misfit_of_numbers, private
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Noise
from circuitsim.engine.plan import Plan
from circuitsim.errors import CircuitError


class GivenNoise:
    """The noise of every pass of mirror mode, the same for all replicas.

    Parameters
    ----------
    circuit : whose mirrors take noise from outside. arrays : by the population that fires, (pass, batch, neuron).
    batch : the most examples of a presentation. dtype : of the circuit.

    Attributes
    ----------
    passes : how many passes of mirror mode it serves.

    Raises
    ------
    CircuitError : populations that do not fire such noise, or arrays that do not fit.
    """

    def __init__(self, circuit: Circuit, arrays: Mapping[str, Any], *, batch: int, dtype: np.dtype[Any]) -> None:
        firing = firing_given(circuit)
        self._batch, self._circuit = batch, circuit.name
        if not firing or set(arrays) != set(firing.values()):
            self._refuse(
                f"arrays named {', '.join(sorted(arrays)) or 'nothing'}",
                f"one for each population that fires noise from outside: {', '.join(firing.values()) or 'none does'}",
                "Name each array after its population." if firing else "Give its mirrors Noise.GIVEN.",
            )
        found = {name: as_array(values) for name, values in arrays.items()}
        self.passes = min(len(values) if values.ndim else 0 for values in found.values())
        for name, values in found.items():
            shape = self.passes, batch, circuit.population(name).size
            if values.shape != shape or not self.passes:
                expected = f"(passes, {shape[1]}, {shape[2]}), as many passes as the others: rows of a batch, neurons"
                self._refuse(f"{name} of shape {values.shape}", expected, "Match the batch and the population.")
            if (misfit := misfit_of_numbers(values, dtype)) is not None:
                self._refuse(f"{name} with {misfit.got}", misfit.expected, misfit.remedy or "Correct the values.")
        self._rows = {
            projection: private(found[name].reshape(self.passes * batch, -1), dtype)
            for projection, name in firing.items()
        }

    def share(self, plans: Iterable[Plan]) -> None:
        """Give waves of mirror mode the noise to read."""
        for plan in plans:
            rows = self._rows.get(plan.schedule.protocol.mirror)
            if rows is not None and plan.x is not rows:
                plan.use(rows)

    def rows(self, number: int, batch: int) -> np.ndarray:
        """Return the numbers of the rows that a batch of one pass takes, (1, batch), passes counted from 0."""
        if number >= self.passes:
            self._refuse(
                f"{self.passes} passes",
                f"one more for each pass of mirror mode, of which this is number {number + 1}",
                "Give more passes, or train for a shorter time.",
            )
        return number * self._batch + np.arange(batch)[None]

    def _refuse(self, got: str, expected: str, remedy: str) -> None:
        raise CircuitError(f"noise given to circuit {self._circuit}", got=got, expected=expected, remedy=remedy)


def firing_given(circuit: Circuit) -> dict[str, str]:
    """Return the populations that fire noise from outside, by the projection that passes it."""
    given = [m.projection for m in circuit.mirrors if m.noise is Noise.GIVEN]
    return {name: circuit.projection(name).source for name in given}


def refuse_missing(circuit: Circuit) -> None:
    """Raise CircuitError where noise from outside is to be fired and none was given."""
    if firing := firing_given(circuit):
        raise CircuitError(
            f"noise given to circuit {circuit.name}",
            got="none",
            expected=f"arrays (passes, batch, neurons) for {', '.join(firing.values())}",
            remedy="Call use_noise() first.",
        )
