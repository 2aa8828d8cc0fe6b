"""Trials: one presentation, run as often as wanted from the same state with something changed, on the real backend.

A measurement may write anywhere in memory; afterwards the simulator is as it was, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import Key, Mode
from circuitsim.timetable.schedule import Entry

Around = Callable[[BoundPlan, Entry], AbstractContextManager[None]]
Increments = dict[tuple[str, str, int], np.ndarray]


class Trial:
    """A presentation of given examples and a wave of each mirror mode, stopping short of all updates.

    Parameters
    ----------
    simulator : whose steps and memory are used. rows : the examples, (batch,) or (replica, batch).
    """

    def __init__(self, simulator: Simulator, rows: np.ndarray) -> None:
        self.circuit, self._rows = simulator.circuit, rows
        mirrors = (None, *range(len(simulator.schedules) - 1))
        self.parts = tuple(simulator.bound_plan(rows.shape[-1], mirror) for mirror in mirrors)
        self.presentation = self.parts[0]
        self._lasting = {key: a.copy() for key, a in self.presentation.arrays.items() if key[2] is None and _own(key)}

    def restore(self) -> None:
        """Give weights, parameters and increments back the values that they had when the trial was made."""
        for key, array in self._lasting.items():
            self.presentation.arrays[key][...] = array

    def run(self, around: Around = lambda part, entry: nullcontext()) -> Increments:
        """Show the examples once and return every synapse's increment, by projection, quantity and part of the trial.

        Parameters
        ----------
        around : the context in which an entry's step is run; it may change memory before the step and after it.
        """
        self.restore()
        self.presentation.rows[...] = self._rows
        found: Increments = {}
        for index, part in enumerate(self.parts):
            for entry, step in zip(part.entries, part.steps, strict=True):
                if entry.event.phase < phases.UPDATE:
                    with around(part, entry):
                        step()
            found |= {(*key, index): part.arrays[*key, None].copy() for key in _proposed(part)}
        return found


@contextmanager
def trial(simulator: Simulator, rows: Any) -> Iterator[Trial]:
    """A trial of a simulator; all memory and evidence are put back when the context ends.

    Parameters
    ----------
    simulator : with its examples in use.
    rows : numbers of the examples to show, (batch,) or (replica, batch); at most the simulator's batch.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    rows = np.asarray(rows)
    _refuse(simulator, rows)
    made = Trial(simulator, rows)
    _refuse(simulator, rows, len(made.presentation.arrays["data", "x", None]))
    memory = [{key: a.copy() for key, a in part.arrays.items() if _own(key)} for part in made.parts]
    shown = [part.rows.copy() for part in made.parts]
    evidence = {name: copy(value) for name, value in vars(simulator.evidence).items()} if simulator.evidence else {}
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # as in a presentation
            yield made
    finally:
        for part, arrays, numbers in zip(made.parts, memory, shown, strict=True):
            part.rows[...] = numbers
            for key, array in arrays.items():
                part.arrays[key][...] = array
        if simulator.evidence:
            vars(simulator.evidence).update(evidence)


@contextmanager
def replaced(array: np.ndarray, values: np.ndarray) -> Iterator[None]:
    """Let an array hold other values for as long as the context lasts."""
    kept = array.copy()
    array[...] = values
    try:
        yield
    finally:
        array[...] = kept


def _own(key: Key) -> bool:
    """Whether memory is the simulator's; the examples are the user's, and nothing here changes them."""
    return key[0] != "data"


def _proposed(part: BoundPlan) -> list[tuple[str, str]]:
    """The increments that rules propose in a part."""
    rules = [entry for entry in part.entries if entry.event.phase == phases.PLASTICITY]
    made = (a.key for entry in rules for a in entry.accesses if a.mode is not Mode.READ)
    return list(dict.fromkeys((owner, quantity) for owner, quantity, _ in made))


def _refuse(simulator: Simulator, rows: np.ndarray, examples: int | None = None) -> None:
    """Raise CircuitError for rows that the simulator could not show, or of which it has no example."""
    count = rows.shape[-1] if rows.ndim else 0
    fits = rows.dtype.kind in "iu" and 1 <= count <= simulator.batch
    if not fits or rows.min() < 0 or (examples is not None and rows.max() >= examples):
        raise CircuitError(
            f"rows of a trial of circuit {simulator.circuit.name}",
            got=f"{rows.dtype} of shape {rows.shape}" + ("" if examples is None else f", of {examples} examples"),
            expected=f"1 to {simulator.batch} whole numbers of existing examples",
            remedy="Name examples that are in use, no more of them than the simulator's batch.",
        )
