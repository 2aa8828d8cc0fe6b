"""Hook: a function of the user's that runs between phases and may change weights. The audit watches what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from circuitsim.errors import CircuitError


@dataclass(frozen=True)
class Hook:
    """Code that runs after the events of one phase at each tick at which there are any.

    Parameters
    ----------
    function : called with the weights and biases themselves by name ("A1.weight"), each with a leading replica axis,
        which it may change in place.
    after : the phase: refresh, delivery, forward pass, recirculation cycle, mirror mode, feedback replacement,
        feedback, plasticity, update or bound.

    Raises
    ------
    CircuitError : `function` cannot be called.

    Notes
    -----
    The engine does not see what a hook reads. No certificate covers it; the interventional audit finds what it carries
    from one synapse to another, and the line that does.
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
        """What messages call it."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


class Tensors(Mapping[str, np.ndarray]):
    """The weights and biases that a hook is given, by name; they are changed in place and never replaced."""

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
