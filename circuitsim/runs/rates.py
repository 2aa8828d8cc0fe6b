"""Schedules of learning rates, and of the numbers of rules: a factor for each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from circuitsim.runs.config import TrainingSettings


def rate_factor(
    epoch: int, *, decay: float = 1.0, warmup: int = 0, steps: Sequence[int] = (), factor: float = 0.1
) -> float:
    """Return what given learning rates are multiplied by in an epoch, counted from 0.

    decay^epoch · factor^(number of steps <= epoch) · min(1, (epoch + 1) / (warmup + 1))

    Parameters
    ----------
    epoch : number of epochs that have ended. decay : factor after each epoch.
    warmup : number of epochs in which rates rise linearly to their given values.
    steps : after so many epochs each the rates are multiplied by `factor`.

    Examples
    --------
    >>> [round(rate_factor(epoch, warmup=1, steps=[3], factor=0.1), 2) for epoch in range(5)]
    [0.5, 1.0, 1.0, 0.1, 0.1]
    """
    found = decay**epoch * factor ** sum(step <= epoch for step in steps)
    return found * min(1.0, (epoch + 1) / (warmup + 1))


def rate_factors(settings: Sequence[TrainingSettings], epoch: int) -> np.ndarray:
    """Return the factor of each replica's rates, (replica,)."""
    decays = np.array([s.lr_decay for s in settings]) ** epoch
    schedules = ((s.lr_warmup, s.lr_steps, s.lr_factor) for s in settings)
    found: np.ndarray = decays * [rate_factor(epoch, warmup=w, steps=steps, factor=f) for w, steps, f in schedules]
    return found


def numbers_of_rules(settings: TrainingSettings, epoch: int) -> dict[str, float]:
    """Return the numbers that the keys RULE.PARAMETER give in an epoch, counted from 0."""
    found = {}
    for key, given in settings.of_rules.items():
        schedule: dict[str, Any] = dict(given) if isinstance(given, dict) else {"value": given}
        found[key] = float(schedule.pop("value")) * rate_factor(epoch, **schedule)
    return found
