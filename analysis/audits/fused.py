"""The fused program beside its steps: what a run replays leaves the same bits as the steps that audits take apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim import kernels
from circuitsim.analysis.audits.memory import same_bits
from circuitsim.analysis.sandbox import laid_open, sandbox
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import BEFORE, REMEDIES, Finding, Key


def fused_findings(simulator: Simulator, rows: Any) -> tuple[str, list[Finding]]:
    """Run a presentation by its steps and by its fused program, from one state, and compare all that outlives it.

    Parameters
    ----------
    simulator : with its examples in use; restored to the bit. rows : numbers of the examples to show. Hooks do not run.

    Returns
    -------
    The result in a sentence, and a finding for each array that differs.
    """
    with sandbox(simulator, rows) as parts:
        numbers = [part.rows.copy() for part in parts]
        apart = [key for index, rows_of in enumerate(numbers) for key in _differing(simulator, index, rows_of)]
    batch = numbers[0].shape[-1]
    if not apart:
        return f"the fused program leaves the bits of its steps (batch {batch}, the run's own weights)", []
    read = "the fused program, which leaves other bits than the steps of the timetable"
    found = [
        Finding("tampering", owner, "", f"{quantity}: {read}", "remote", None, REMEDIES["tampering"])
        for owner, quantity, _ in apart
    ]
    return f"the fused program leaves other bits than its steps in {len(apart)} array(s)", found


def _differing(simulator: Simulator, index: int, numbers: np.ndarray) -> list[Key]:
    """Return the addresses of the arrays that differ after a presentation or a wave of mirror mode."""
    batch = numbers.shape[-1]
    part = laid_open(simulator, batch)[index]
    before = {key: array.copy() for key, array in part.arrays.items() if key[0] != "data"}
    fused = kernels.backend(simulator.backend).fuse(list(part.bare)) if simulator.hooks else part.run
    part.rows[...] = numbers
    for step in part.bare:
        step()
    expected = {key: array.copy() for key, array in _lasting(simulator, batch, index).items()}
    arrays = laid_open(simulator, batch)[index].arrays  # anew: from a device they come when asked for
    for key, array in before.items():
        arrays[key][...] = array
    fused()
    found = _lasting(simulator, batch, index)
    return [key for key, array in expected.items() if not same_bits(array, found[key])]


def _lasting(simulator: Simulator, batch: int, index: int) -> dict[Key, np.ndarray]:
    """Return the arrays that are read after a presentation: weights, what waits or is retained, and the readouts."""
    part: BoundPlan = laid_open(simulator, batch)[index]
    lasting = {key: array for key, array in part.arrays.items() if key[2] in (None, BEFORE)}
    kept = {key: array for key, array in lasting.items() if key[0] not in ("data", "circuit")}
    increments = [key for key in kept if key[1].endswith("increment")]  # scratch between rules and update
    readouts = simulator.protocol.readouts if index == 0 else ()
    return {k: a for k, a in kept.items() if k not in increments} | {key: part.arrays[key] for key in readouts}
