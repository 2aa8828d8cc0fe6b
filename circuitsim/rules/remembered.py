"""A neuron as its synapses see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from circuitsim.errors import RuleError
from circuitsim.locality import BEFORE

MAX_CYCLE = 1000


class Remembered:
    """A neuron as its synapses see it: `at(k)`, its activity of cycle k, and nothing else."""

    __slots__ = ("_name", "_read", "_rule")

    def __init__(self, rule: str, name: str, read: Callable[[int], Any]) -> None:
        self._rule, self._name, self._read = rule, name, read

    def at(self, cycle: int) -> Any:
        """Return the remembered activity of a cycle, an integer >= 0 known when the rule is built.

        `at(-1)` is the neuron's last activity of the presentation before; 0 in the first presentation.
        """
        if not isinstance(cycle, int) or isinstance(cycle, bool) or not BEFORE <= cycle <= MAX_CYCLE:
            raise RuleError(
                f"rule {self._rule}",
                got=f"{self._name}.at({cycle!r})",
                expected=f"a cycle that is a whole number from 0 to {MAX_CYCLE}, or {BEFORE} for the last activity "
                "of the presentation before, known when the rule is built",
                remedy="Use a literal or a whole-number parameter; a rule cannot read the future, nor further back.",
            )
        return self._read(int(cycle))
