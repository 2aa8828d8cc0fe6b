"""The rungs from regular time to none: which timing each has, and what it is a multiple of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from circuitsim.asynchrony import Timing
from circuitsim.circuits.autoencoder import variant_coefficients
from circuitsim.runs.config import Keys, refuse

REGULAR, TOP, BP, BEFORE = "regular time", "top layer alone", "backpropagation", "before training"
ONCE, PATIENT, OFTEN = "one tick a cycle", "one tick, after a hop's patience", "four ticks a cycle"
MEMBRANES, GRADUALLY = "slow membranes, one tick", "slow membranes, four ticks"
BRIEFLY, TRACES = "slow membranes, brief input", "slow traces"
RWCC, CCR = "RWCC by coefficient", "CCR by coefficient"
LATE = "updates at random times"
JITTER, DELAYS, MEMORY, UPDATES = LADDERS = ("jitter", "delays", "memory", "updates")
LATENESS = [0.0, 0.05, 0.25, 0.5, 1.0, 2.0, 4.0]
_LISTED = "a list of different numbers >= 0, the first 0"


class AsynchronyKeys(Keys):
    """The keys of `asynchrony`."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    sizes: list[int] = Field(
        [64, 16, 64], description="a list of at least three whole numbers >= 1, the last as the first"
    )
    lr: float = Field(0.05, ge=0, description="a number >= 0")
    epochs: int = Field(1, ge=1, description="a whole number >= 1")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    delay: int = Field(10, ge=1, le=1000, description="a whole number of ticks from 1 to 1000")
    jitter: list[float] = Field(LATENESS, description=_LISTED + ": the latest that a tick comes, in cycles")
    delays: list[float] = Field(LATENESS, description=_LISTED + ": the most that an axon adds, in cycles")
    memory: list[float] = Field(
        [0.0, 0.25, 0.5, 0.75, 0.9], description=_LISTED + " and all below 1: of cycle 0, the coefficient in cycle 1"
    )
    updates: list[float] = Field(
        [0.0, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0], description=_LISTED + ": the longest wait, in presentations"
    )
    hold: int = Field(
        8, ge=1, le=1000, description="a whole number from 1 to 1000: cycles that slow neurons see the input"
    )
    angle_examples: int = Field(100, ge=2, description="a whole number >= 2")
    seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")

    FIXED = ("dataset", "sizes", "epochs", "train_limit", "test_limit", *LADDERS, "angle_examples")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        if len(self.sizes) < 3 or min(self.sizes) < 1 or self.sizes[0] != self.sizes[-1]:
            expected = str(type(self).model_fields["sizes"].description)
            refuse("sizes", self.sizes, expected, "Layer L is layer 0, and something must lie between.")
        for key in LADDERS:
            self._check_ladder(key, getattr(self, key))

    def _check_ladder(self, key: str, values: list[float]) -> None:
        expected = str(type(self).model_fields[key].description)
        if not values or values[0] != 0 or len(set(values)) < len(values) or min(values) < 0:
            refuse(key, values, expected, "A ladder starts at regular time.")
        if key == MEMORY and max(values) >= 1:
            refuse(key, values, expected, "Neurons that never follow learn nothing.")
        if key != MEMORY and max(values) > 1e5:
            refuse(key, values, expected, "None may be above 100000.")
        if key in (JITTER, DELAYS) and any(0 < value * self.cycle < 0.5 for value in values):
            refuse(
                key, values, f"multiples of a cycle of {self.cycle} ticks", "Give none that is less than half a tick."
            )

    @property
    def top(self) -> int:
        """L."""
        return len(self.sizes) - 1

    @property
    def cycle(self) -> int:
        """Ticks round the loop."""
        return self.top * self.delay


@dataclass(frozen=True)
class Rung:
    """One way to keep time.

    Parameters
    ----------
    ladder, kind, amount : where it stands. timing : what it does. coefficients : of neurons that mix by coefficient.
    """

    ladder: str
    kind: str
    amount: float
    timing: Timing
    coefficients: Mapping[Any, float] = field(default_factory=dict)


def rungs(settings: AsynchronyKeys) -> Iterator[Rung]:
    """Regular time, then all four ladders upwards."""
    yield Rung("", REGULAR, 0.0, Timing())
    for ladder in (JITTER, DELAYS):
        for amount in getattr(settings, ladder)[1:]:
            ticks = round(amount * settings.cycle)
            for kind, other in ((ONCE, {}), (PATIENT, {"patience": settings.delay}), (OFTEN, {"ticks": 4})):
                yield Rung(ladder, kind, amount, Timing(**{ladder: ticks}, **other))
    for amount in settings.memory[1:]:
        yield from _slow(settings, amount)
    lasting = 1 + 3 * settings.cycle  # cycles 0 and 1, and the last time slice's way round the loop
    for amount in settings.updates[1:]:
        yield Rung(UPDATES, LATE, amount, Timing(updates=max(1, round(amount * lasting))))


def _slow(settings: AsynchronyKeys, amount: float) -> Iterator[Rung]:
    """Neurons that integrate, and those that combine two cycles by a coefficient."""
    slow = 1 - amount
    yield Rung(MEMORY, MEMBRANES, amount, Timing(membrane=slow, hold=settings.hold))
    yield Rung(MEMORY, GRADUALLY, amount, Timing(membrane=1 - amount ** (1 / 4), hold=settings.hold, ticks=4))
    yield Rung(MEMORY, BRIEFLY, amount, Timing(membrane=slow))
    yield Rung(MEMORY, TRACES, amount, Timing(trace=slow, hold=settings.hold))
    for kind, variant in ((RWCC, "rwcc"), (CCR, "ccr")):
        yield Rung(MEMORY, kind, amount, Timing(), variant_coefficients(variant, amount, settings.top))
