"""Decisions of a clocked circuit: which of its steps the output is read from, and when it decides."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.errors import ConfigError

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


class Readout(str, Enum):
    """The step, or steps, from which the output of a presentation is read."""

    LAST = "last"
    AVERAGED = "averaged"
    CONFIDENT = "confident"


def decisions(
    simulator: Simulator,
    x: np.ndarray,
    *,
    readout: Readout = Readout.LAST,
    begin: int | None = None,
    threshold: float = 1.0,
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Show examples without learning; yield slices with what the output decides and when.

    Parameters
    ----------
    simulator : of a clocked protocol. x : the examples.
    readout : the last step; the mean over steps; or the first step at which the largest output reaches the threshold,
        and if none does, the step at which it is largest.
    begin : the first step that is read; None: the first at which errors are judged.
    threshold : of the largest output, from 0 to 1; above 1 no step reaches it.

    Returns
    -------
    Slices, activity (replica, example, unit), and the step of each decision (replica, example).

    Raises
    ------
    ConfigError : no clock, or a step that does not happen.
    """
    clock, name = simulator.protocol.clock, simulator.circuit.outputs
    first = clock.steps - clock.judged if clock and begin is None else begin
    if clock is None or first is None or not 0 <= first < clock.steps:
        raise ConfigError(
            f"decisions of circuit {simulator.circuit.name}",
            got="a protocol without clock" if clock is None else f"begin={begin}",
            expected="a step of a clocked protocol",
            remedy="Set Protocol(clock=Clock(steps=...)), and begin to one of its steps.",
        )
    for part, fired in simulator.observe([(name, "O", step) for step in range(first, clock.steps)], x):
        activity, step = decided(np.stack(fired), readout, threshold)
        yield part, activity, step + first


def decided(fired: np.ndarray, readout: Readout, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the activity that decides, (replica, example, unit), and its step counted from the first one given.

    Parameters
    ----------
    fired : output at each step, (step, replica, example, unit). readout, threshold : as in `decisions`.
    """
    last = np.full(fired.shape[1:3], len(fired) - 1)
    if readout is Readout.LAST:
        return fired[-1], last
    if readout is Readout.AVERAGED:
        return fired.mean(axis=0), last
    largest = fired.max(axis=3)
    reached = largest >= threshold
    step = np.where(reached.any(axis=0), reached.argmax(axis=0), largest.argmax(axis=0))
    return np.take_along_axis(fired, step[None, :, :, None], axis=0)[0], step
