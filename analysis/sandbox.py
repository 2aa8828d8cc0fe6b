"""Experiments on a simulator: its own steps run on its own memory, and afterwards every bit is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np

from circuitsim.engine.inputs import check_rows
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator


@contextmanager
def sandbox(simulator: Simulator, rows: Any) -> Iterator[list[BoundPlan]]:
    """Lay open a presentation and each mirror mode on copies of some examples, and restore the simulator at the end.

    Parameters
    ----------
    simulator : with its examples in use.
    rows : numbers of the examples to show, (batch,) or (replica, batch); at most the simulator's batch.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    rows = np.asarray(rows)
    sets, most = simulator.state.replicas, simulator.batch
    check_rows(simulator.circuit, rows, examples=simulator.examples, most=most, sets=sets)
    batch = rows.shape[-1]
    with simulator.acts.experimenting():
        yield from _experiment(simulator, rows, batch)


def _experiment(simulator: Simulator, rows: np.ndarray, batch: int) -> Iterator[list[BoundPlan]]:
    before, snapshot = laid_open(simulator, batch), simulator.snapshot()
    memory = [{key: a.copy() for key, a in part.arrays.items() if key[0] != "data"} for part in before]
    row_numbers = [part.rows.copy() for part in before]
    x, y = before[0].arrays["data", "x", None], before[0].arrays.get(("data", "y", None))
    shown = np.broadcast_to(rows, before[0].rows.shape).reshape(-1)
    heard = [(plan, plan.x) for plan in simulator.mirror_plans if plan.x is not None]
    evidence = {name: copy(value) for name, value in vars(simulator.evidence).items()} if simulator.evidence else {}
    try:
        simulator.use(x[shown], None if y is None else y[shown])
        for plan, noise in heard:
            plan.use(noise[:batch].copy())
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # as in a presentation
            yield opened(simulator, batch)
    finally:
        simulator.share(x, y)
        for plan, noise in heard:
            plan.use(noise)
        for part, numbers, arrays in zip(laid_open(simulator, batch), row_numbers, memory, strict=True):
            part.rows[...] = numbers
            for key, values in arrays.items():
                part.arrays[key][...] = values
        simulator.restore(snapshot)  # last: it is refused where parameters are not those of the snapshot
        if simulator.evidence:
            vars(simulator.evidence).update(evidence)


def opened(simulator: Simulator, batch: int) -> list[BoundPlan]:
    """Lay open the presentation of the first examples and a wave of each mirror mode."""
    parts = laid_open(simulator, batch)
    parts[0].rows[...] = np.arange(parts[0].rows.size).reshape(parts[0].rows.shape)
    for wave in parts[1:]:
        wave.rows[...] = np.arange(batch)  # of noise from outside: the first pass
    return parts


def laid_open(simulator: Simulator, batch: int) -> list[BoundPlan]:
    """Lay open the presentation of a batch and a wave of each mirror mode."""
    return [simulator.bound_plan(batch, mirror) for mirror in (None, *range(len(simulator.schedules) - 1))]
