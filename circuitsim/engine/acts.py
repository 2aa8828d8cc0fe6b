"""Acts: what changes a circuit from outside its phases, written down with who did it, and refused to those who look.

A circuit learns by the events of its timetable alone. Everything else that changes its weights or its parameters is an
act: `load`, `restore`, `set_rates`, `set_parameters`, `change_protocol`, a hook, a function of a scenario.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from circuitsim.errors import CircuitError

OF_WEIGHTS = ("load", "restore")
_ENGINE = "circuitsim.engine."


class Acts:
    """The acts on one circuit, each with its object, its call site and how often it happened.

    Parameters
    ----------
    circuit : its name, for messages.
    """

    def __init__(self, circuit: str) -> None:
        self._circuit = circuit
        self._counts: dict[tuple[str, str, str], int] = {}
        self._looking = ""  # who looks at the circuit and must not change it
        self._experiment = 0  # experiments under way, which restore all that they change

    def note(self, act: str, of: str = "", site: str | None = None) -> None:
        """Write down an act.

        Parameters
        ----------
        act, of : what is done, and to which tensor, projection or other object.
        site : where, as module:line; None: the first caller outside the engine.

        Raises
        ------
        CircuitError : a function that may only look at the circuit does it.
        """
        if self._experiment:
            return
        self.refuse(f"{act} {of}".rstrip())
        key = act, of, call_site() if site is None else site
        self._counts[key] = self._counts.get(key, 0) + 1

    def refuse(self, what: str) -> None:
        """Raise CircuitError if a function that may only look at the circuit does this."""
        if self._looking and not self._experiment:
            raise CircuitError(
                f"{what} of circuit {self._circuit}",
                got=f"a change by {self._looking}",
                expected="a function that looks at the simulator and leaves it as it is",
                remedy="Change weights by a rule of the circuit, or by load() before the run.",
            )

    @contextmanager
    def looking(self, who: str) -> Iterator[None]:
        """Refuse all acts while a function that may only look at the circuit runs."""
        before, self._looking = self._looking, who
        try:
            yield
        finally:
            self._looking = before

    @contextmanager
    def experimenting(self) -> Iterator[None]:
        """Write down nothing during an experiment that restores every bit: for audits alone."""
        self._experiment += 1
        try:
            yield
        finally:
            self._experiment -= 1

    def count(self, *acts: str) -> int:
        """Return how often any of these acts happened."""
        return sum(count for (act, _, _), count in self._counts.items() if act in acts)

    def rows(self) -> list[dict[str, Any]]:
        """Return the acts as rows (act, of, site, count), in the order in which they first happened."""
        return [{"act": act, "of": of, "site": site, "count": count} for (act, of, site), count in self._counts.items()]

    def resume(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Begin with the acts of an earlier part of a run, in place of those until now."""
        self._counts = {(str(r["act"]), str(r["of"]), str(r["site"])): int(r["count"]) for r in rows}


def call_site() -> str:
    """Return the module and line of the first caller outside the engine."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith((_ENGINE, "contextlib")):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno}"


def definition(function: Any) -> str:
    """Return the module and line in which a function is defined."""
    function = getattr(function, "func", function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return f"{getattr(function, '__module__', '?')}:{code.co_firstlineno if code else '?'}"
