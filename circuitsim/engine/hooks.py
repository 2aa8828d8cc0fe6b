"""Hooks: functions of the user's that run between phases and may change weights. The audit examines what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from traceback import walk_tb
from typing import NoReturn

import numpy as np

from circuitsim import phases
from circuitsim.engine.acts import Acts, definition
from circuitsim.engine.reach import Reach, reach_of
from circuitsim.errors import CircuitError, CircuitsimError, Diverged
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
    third_factor : the name of one number that it broadcasts to synapses, such as "reward"; the audit then reports
        `third-factor` and not `remote-error`. "": none.

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
    third_factor: str = ""
    first: list[Reach] = field(default_factory=list, init=False, repr=False, compare=False)
    """Once it has been called: what the function could reach before its first call."""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise CircuitError(
                "hook",
                got=f"a {type(self.function).__name__}",
                expected="a function of the weights and biases by name",
                remedy="Write it with def.",
            )

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Call the function.

        Raises
        ------
        CircuitError : the function raised an exception; the message names its line.
        """
        if not self.first:
            self.first.append(reach_of(self.function))
        try:
            self.function(tensors)
        except CircuitsimError:
            raise
        except Exception as error:
            raise CircuitError(
                f"hook {self.name}{line_of(error)}",
                got=f"{type(error).__name__}: {error}",
                expected="a function that changes tensors in place and ends",
                remedy="Correct the hook; the engine's own steps have ended before it.",
            ) from error

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


def call_hooks(hooks: Sequence[Hook], tensors: Tensors, acts: Acts) -> None:
    """Call hooks in order, and write down each; Diverged for the first after which a weight is not finite."""
    for hook in hooks:
        acts.note(f"hook after {hook.after}", hook.name, definition(hook.function))
        hook(tensors)
        for name, array in tensors.items():
            finite = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
            if not finite.all():
                replica = int(np.argmin(finite))
                raise Diverged(
                    f"hook {hook.name}, replica {replica}: {name} has values that are not finite. Correct the hook.",
                    replica=replica,
                )


def line_of(error: BaseException) -> str:
    """Return ", line" and the last line outside this package and NumPy at which an exception was raised."""
    found = ""
    for frame, line in walk_tb(error.__traceback__):
        top = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if top not in ("circuitsim", "numpy"):
            found = f", line {line}"
    return found


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
