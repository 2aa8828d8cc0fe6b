"""The settings of `asynchrony`, and the rungs of its ladders from regular to irregular time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field

from circuitsim.circuits.autoencoder import variant_coefficients
from circuitsim.runs.config import Settings, refuse
from circuitsim.scenarios.fields import Count, Limit, NonNegative, Seed, Ticks

if TYPE_CHECKING:
    from circuitsim.asynchrony import Timing

REGULAR, TOP, BP, BEFORE = "regular time", "top layer alone", "backpropagation", "before training"
ONCE, PATIENT, OFTEN = "one tick a cycle", "one tick, after a hop's patience", "four ticks a cycle"
MEMBRANES, GRADUALLY = "slow membranes, one tick", "slow membranes, four ticks"
BRIEFLY, TRACES = "slow membranes, brief input", "slow traces"
RWCC, CCR = "RWCC by coefficient", "CCR by coefficient"
LATE = "updates at random times"
JITTER, DELAYS, MEMORY, UPDATES = LADDERS = ("jitter", "delays", "memory", "updates")
LATENESS = [0.0, 0.05, 0.25, 0.5, 1.0, 2.0, 4.0]
_LISTED = "a list of different numbers >= 0, the first 0"


class AsynchronySettings(Settings):
    """The settings of `asynchrony`."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    sizes: list[int] = Field(
        [64, 16, 64], description="a list of at least three whole numbers >= 1, the last as the first"
    )
    lr: NonNegative = 0.05
    epochs: Count = 1
    train_limit: Limit = None
    test_limit: Limit = None
    delay: Ticks = 10
    jitter: list[float] = Field(LATENESS, description=_LISTED + ": greatest lateness of a tick, in cycles")
    delays: list[float] = Field(LATENESS, description=_LISTED + ": greatest extra delay of an axon, in cycles")
    memory: list[float] = Field(
        [0.0, 0.25, 0.5, 0.75, 0.9], description=_LISTED + " and all below 1: coefficient of cycle 0 in cycle 1"
    )
    updates: list[float] = Field(
        [0.0, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0], description=_LISTED + ": longest wait, in presentations"
    )
    hold: int = Field(
        8, ge=1, le=1000, description="a whole number from 1 to 1000: cycles that slow neurons see the input"
    )
    angle_examples: int = Field(100, ge=2, description="a whole number >= 2")
    seed: Seed = 0

    FIXED = ("dataset", "sizes", "epochs", "train_limit", "test_limit", *LADDERS, "angle_examples")

    def model_post_init(self, _: Any) -> None:
        """Check layers and ladders."""
        if len(self.sizes) < 3 or min(self.sizes) < 1 or self.sizes[0] != self.sizes[-1]:
            expected = str(type(self).model_fields["sizes"].description)
            refuse("sizes", self.sizes, expected, "Layer L is layer 0, with at least one hidden layer between.")
        for key in LADDERS:
            self._check_ladder(key, getattr(self, key))

    def _check_ladder(self, key: str, values: list[float]) -> None:
        expected = str(type(self).model_fields[key].description)
        if not values or values[0] != 0 or len(set(values)) < len(values) or min(values) < 0:
            refuse(key, values, expected, "Begin with regular time.")
        if key == MEMORY and max(values) >= 1:
            refuse(key, values, expected, "A neuron that does not follow its input learns nothing.")
        if key != MEMORY and max(values) > 1e5:
            refuse(key, values, expected, "Give none above 100000.")
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
        """Ticks of one turn around the loop."""
        return self.top * self.delay


@dataclass(frozen=True)
class Rung:
    """One kind of timing, on a ladder of increasing irregularity.

    Parameters
    ----------
    ladder, kind, amount : its place. timing : of the circuit. coefficients : of neurons that mix by coefficient.
    """

    ladder: str
    kind: str
    amount: float
    timing: Timing
    coefficients: Mapping[Any, float] = field(default_factory=dict)


def rungs(settings: AsynchronySettings) -> Iterator[Rung]:
    """Yield regular time, then the rungs of all four ladders upwards."""
    from circuitsim.asynchrony import Timing

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


def _slow(settings: AsynchronySettings, amount: float) -> Iterator[Rung]:
    """Yield neurons that integrate, and neurons that combine two cycles by a coefficient."""
    from circuitsim.asynchrony import Timing

    slow = 1 - amount
    yield Rung(MEMORY, MEMBRANES, amount, Timing(membrane=slow, hold=settings.hold))
    yield Rung(MEMORY, GRADUALLY, amount, Timing(membrane=1 - amount ** (1 / 4), hold=settings.hold, ticks=4))
    yield Rung(MEMORY, BRIEFLY, amount, Timing(membrane=slow))
    yield Rung(MEMORY, TRACES, amount, Timing(trace=slow, hold=settings.hold))
    for kind, variant in ((RWCC, "rwcc"), (CCR, "ccr")):
        yield Rung(MEMORY, kind, amount, Timing(), variant_coefficients(variant, amount, settings.top))
