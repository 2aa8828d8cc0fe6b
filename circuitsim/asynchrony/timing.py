"""Regularity of a circuit's time, from layers that fire as one to neurons without a common beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from circuitsim.errors import ConfigError

Fraction = float | Mapping[str, float]
_COUNTS = {"jitter": 0, "delays": 0, "patience": 0, "ticks": 1, "hold": 1, "updates": 0}


@dataclass(frozen=True)
class Timing:
    """Times of neurons' computations, signals and updates, and the speed with which neurons follow their inputs.

    Parameters
    ----------
    jitter : each tick of a neuron comes late by 0 to this many ticks, drawn anew for each; clamped neurons are on time.
    delays : each axon adds 0 to this many ticks to its projection's delay, drawn once.
    patience : ticks from the time when its inputs are due to a neuron's first tick in a time slice, >= 0; a cycle takes
        that much longer for each projection of the loop.
    ticks : ticks of each neuron in each cycle, evenly spaced, >= 1.
    hold : cycles for which the input stays clamped, >= 1.
    membrane : the fraction of the way to what it computes that a neuron's activity moves at each of its ticks, within
        (0, 1]: one for all populations that mix, or by their names.
    trace : likewise, the fraction of the way to its activity that its memory moves.
    updates : each neuron's incoming synapses apply pending increments 0 to this many ticks after a presentation's end,
        drawn anew for each neuron and presentation.

    Raises
    ------
    ConfigError : a value is out of its range.
    """

    jitter: int = 0
    delays: int = 0
    patience: int = 0
    ticks: int = 1
    hold: int = 1
    membrane: Fraction = 1.0
    trace: Fraction = 1.0
    updates: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _COUNTS:
                _check_count(field.name, value, _COUNTS[field.name])
            else:
                _check_fractions(field.name, value)

    def fraction(self, quantity: str, population: str) -> float:
        """Return `membrane` or `trace` of a population, 1 where it is not named."""
        value = getattr(self, quantity)
        return float(value.get(population, 1.0) if isinstance(value, Mapping) else value)

    @property
    def slow(self) -> bool:
        """True if any neuron integrates slowly."""
        values = [v for f in (self.membrane, self.trace) for v in (f.values() if isinstance(f, Mapping) else [f])]
        return any(value < 1 for value in values)


LONGEST = 10**9  # ticks; sums of these stay far below 2^63


def _check_count(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LONGEST:
        raise ConfigError(
            f"{key} of a timing",
            got=repr(value),
            expected=f"a whole number from {least} to 10^9",
            remedy="Times are counted in ticks, of which a projection's delay has several.",
        )


def _check_fractions(key: str, value: object) -> None:
    values = list(value.values()) if isinstance(value, Mapping) else [value]
    for one in values:
        if not isinstance(one, (int, float)) or isinstance(one, bool) or not 0 < one <= 1:
            raise ConfigError(
                f"{key} of a timing",
                got=repr(one),
                expected="a number above 0 and at most 1",
                remedy="1 follows at once; give small numbers for slow neurons.",
            )
