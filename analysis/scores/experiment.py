"""One presentation, repeated from the same state with something changed, on the simulator's own backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.sandbox import sandbox
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Mode
from circuitsim.timetable.entry import Entry

Around = Callable[[BoundPlan, Entry], AbstractContextManager[None]]
Increments = dict[tuple[str, str, int], np.ndarray]


class RepeatedPresentation:
    """A presentation and a wave of each mirror mode, without their updates.

    Parameters
    ----------
    circuit : the circuit that runs. parts : the presentation and the waves, laid open.
    """

    def __init__(self, circuit: Circuit, parts: Sequence[BoundPlan]) -> None:
        self.circuit, self.parts, self.presentation = circuit, parts, parts[0]
        lasting = (key for key in self.presentation.arrays if key[2] is None and key[0] != "data")
        self._lasting = {key: self.presentation.arrays[key].copy() for key in lasting}

    def restore(self) -> None:
        """Restore the weights, parameters and increments with which the experiment began."""
        for key, array in self._lasting.items():
            self.presentation.arrays[key][...] = array

    def run(self, around: Around = lambda part, entry: nullcontext()) -> Increments:
        """Show the examples once and return every synapse's increment, by projection, quantity and part.

        Parameters
        ----------
        around : the context in which an entry's step runs; it may change memory before and after the step.
        """
        self.restore()
        found: Increments = {}
        for index, part in enumerate(self.parts):
            for entry, step in zip(part.entries, part.steps, strict=True):
                if entry.event.phase < phases.UPDATE:
                    with around(part, entry):
                        step()
            found |= {(*key, index): part.arrays[*key, None].copy() for key in _proposed(part)}
        return found


@contextmanager
def experiment(simulator: Simulator, rows: Any) -> Iterator[RepeatedPresentation]:
    """Repeat a presentation of a simulator, restored when the context ends; arguments are those of `sandbox`."""
    with sandbox(simulator, rows) as parts:
        yield RepeatedPresentation(simulator.circuit, parts)


@contextmanager
def replaced(array: np.ndarray, values: np.ndarray) -> Iterator[None]:
    """Replace the values of an array while the context lasts."""
    kept = array.copy()
    array[...] = values
    try:
        yield
    finally:
        array[...] = kept


def _proposed(part: BoundPlan) -> list[tuple[str, str]]:
    """Return the owner and quantity of every increment that rules propose."""
    rules = [entry for entry in part.entries if entry.event.phase == phases.PLASTICITY]
    made = (a.key for entry in rules for a in entry.accesses if a.mode is not Mode.READ)
    return list(dict.fromkeys((owner, quantity) for owner, quantity, _ in made))
