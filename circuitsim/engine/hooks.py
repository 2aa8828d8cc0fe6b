"""Hooks: functions of the user's that run between phases and may change weights. The audit examines what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from circuitsim import phases
from circuitsim.errors import CircuitError
from circuitsim.timetable.schedule import Schedule


@dataclass(frozen=True)
class Hook:
    """Code that runs after the events of one phase, at each tick that has any.

    Parameters
    ----------
    function : called with the weights and biases by name ("A1.weight"), each with a leading replica axis; it may
        change them in place.
    after : the phase: refresh, delivery, forward pass, recirculation cycle, mirror mode, feedback replacement,
        feedback, plasticity, update or bound.

    Raises
    ------
    CircuitError : `function` cannot be called.

    Notes
    -----
    The engine does not see what a hook reads, and no certificate covers it. The interventional audit finds what it
    carries from one synapse to another, and the line that does so.
    """

    function: Callable[[Mapping[str, np.ndarray]], None]
    after: str = "update"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise CircuitError(
                "hook",
                got=f"a {type(self.function).__name__}",
                expected="a function of the weights and biases by name",
                remedy="Write it with def.",
            )

    @property
    def name(self) -> str:
        """Name of the function, for messages."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


class Tensors(Mapping[str, np.ndarray]):
    """Weights and biases by name, as a hook gets them: changed in place, never replaced."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __setitem__(self, name: str, values: object) -> NoReturn:
        raise CircuitError(
            f"hook's tensor {name}",
            got="another array in its place",
            expected="a change of the array that is there",
            remedy=f'Write tensors["{name}"][...] = values.',
        )


def check_hooks(hooks: Sequence[Hook], schedules: Sequence[Schedule]) -> None:
    """Raise CircuitError for a hook after a phase that there is not, or of which the circuit has no event."""
    names = [module.NAME for module in phases.PHASES]
    found = {phases.name(entry.event) for schedule in schedules for entry in schedule.entries}
    for hook in hooks:
        if hook.after not in found:
            raise CircuitError(
                f"hook {hook.name}",
                got=f"after={hook.after!r}" + (", a phase without events here" if hook.after in names else ""),
                expected=f"one of {', '.join(name for name in names if name in found or hook.after not in names)}",
                remedy="Name the phase that it follows.",
            )


def hooks_by_entry(hooks: Sequence[Hook], schedule: Schedule) -> dict[int, list[Hook]]:
    """Return the hooks that follow each entry of a schedule: the last entry of their phase at each tick."""
    placed: dict[int, list[Hook]] = {}
    for hook in hooks:
        last = {e.event[:2]: index for index, e in enumerate(schedule.entries) if phases.name(e.event) == hook.after}
        for index in last.values():
            placed.setdefault(index, []).append(hook)
    return placed
