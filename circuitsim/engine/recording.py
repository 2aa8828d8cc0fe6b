"""Recordings: quantities of populations and projections, kept while a simulator shows examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    import xarray

TENSORS = ("weight", "bias")
PADDED = -1  # the row number where a batch is shorter than the longest


@dataclass(eq=False)
class Recording:
    """One quantity after every k-th presentation; `Simulator.record` makes it.

    Parameters
    ----------
    owner : a population, or for weights and biases a projection. quantity : O, E, S or slope; weight or bias.
    cycle : of the quantity. every : presentations between two values, >= 1.
    """

    owner: str
    quantity: str
    cycle: int
    every: int
    presentations: list[int] = field(default_factory=list, init=False)
    """How many presentations had been shown at each value."""
    _rows: list[np.ndarray] = field(default_factory=list, init=False)
    _values: list[np.ndarray] = field(default_factory=list, init=False)

    @property
    def key(self) -> tuple[str, str, int] | None:
        """The address of an activity; None for a tensor."""
        return None if self.quantity in TENSORS else (self.owner, self.quantity, self.cycle)

    def take(self, presentation: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Keep a value: after how many presentations, which examples were shown, and the quantity itself."""
        self.presentations.append(presentation)
        self._rows.append(rows.copy())
        self._values.append(values.copy())

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the examples shown, (value, example) or (value, replica, example); -1 beyond a shorter batch."""
        return _stacked(self._rows, PADDED, self._rows[0].ndim - 1 if self._rows else 0)

    @property
    def values(self) -> np.ndarray:
        """The quantity, (value, replica, example, neuron) or (value, replica, ...); NaN beyond a shorter batch."""
        return _stacked(self._values, np.nan, 1)

    def dataset(self) -> xarray.Dataset:
        """Return the recording with named dimensions: presentation, replica, example and neuron, or those of a tensor.

        Raises
        ------
        CircuitError : xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise CircuitError(
                f"recording of {self.owner}",
                got="no package xarray",
                expected="xarray, which has arrays with named dimensions",
                remedy="Install it: pip install 'circuitsim[record]'; or use .values.",
            ) from None
        values = self.values
        of_tensor = self.quantity in TENSORS
        names = [f"axis{n}" for n in range(values.ndim - 2)] if of_tensor else ["example", "neuron"]
        found: dict[str, Any] = {self.quantity: (["presentation", "replica", *names][: values.ndim], values)}
        if not of_tensor:
            shape = ["presentation", "example"] if self.rows.ndim < 3 else ["presentation", "replica", "example"]
            found["row"] = (shape[: self.rows.ndim], self.rows)
        about = {"owner": self.owner, "cycle": self.cycle, "every": self.every}
        return xarray.Dataset(found, {"presentation": self.presentations}, about)

    def __repr__(self) -> str:
        return f"<Recording of {self.owner}.{self.quantity}({self.cycle}): {len(self.presentations)} values>"


def check_recording(made: Recording, tensors: Iterable[str], protocol: Protocol) -> None:
    """Raise CircuitError for a tensor that does not exist, and where presentations overlap."""
    name, known = f"{made.owner}.{made.quantity}", sorted(tensors)
    if made.key is None and name not in known:
        remedy = "Correct it; of populations record O, E, S or slope."
        raise CircuitError(f"recording of {name}", got="no such tensor", expected=f"one of {known}", remedy=remedy)
    if protocol.interval is not None:
        raise CircuitError(
            f"recording of {name}",
            got="presentations that overlap",
            expected="one presentation after the other",
            remedy="Leave Protocol.interval out.",
        )


def take_due(
    recordings: Iterable[Recording],
    shown: int,
    rows: np.ndarray,
    tensors: Callable[[], Mapping[str, np.ndarray]],
    probe: Callable[[str, str, int], np.ndarray],
) -> None:
    """Take the values of the recordings that are due after so many presentations, the last one of `rows`."""
    for one in recordings:
        if shown % one.every == 0:
            values = tensors()[f"{one.owner}.{one.quantity}"] if one.key is None else probe(*one.key)
            one.take(shown, rows, values)


def until_next(recordings: Iterable[Recording], shown: int, most: int) -> int:
    """Return how many presentations can follow until a recording takes a value, at most so many."""
    return min([most, *(one.every - shown % one.every for one in recordings)])


def _stacked(parts: list[np.ndarray], filler: float, axis: int) -> np.ndarray:
    """Stack arrays whose lengths along one axis may differ."""
    if not parts:
        return np.zeros(0)
    longest = max(part.shape[axis] for part in parts)
    wide = []
    for part in parts:
        missing = [(0, longest - part.shape[axis] if place == axis else 0) for place in range(part.ndim)]
        wide.append(np.pad(part, missing, constant_values=filler) if part.shape[axis] < longest else part)
    return np.stack(wide)
