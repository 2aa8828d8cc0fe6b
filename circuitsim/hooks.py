"""Hook: a function of the user's that runs between phases and may change weights. The audit watches what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from circuitsim.errors import CircuitError


@dataclass(frozen=True)
class Hook:
    """Code that runs after the events of one phase at each tick at which there are any.

    Parameters
    ----------
    function : called with the weights and biases themselves by name ("A1.weight"), each with a leading replica axis,
        which it may change in place.
    after : the phase: delivery, forward pass, recirculation cycle, feedback, plasticity, update or bound.

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
