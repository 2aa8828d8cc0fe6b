"""Statements on recirculation in linear circuits, checked with random starts and simulated circuits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from circuitsim.analysis.solving import initial_value_solver
from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Computation

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.analysis.theory.rows import Datum


class TheorySettings(Settings):
    """The settings of `recirculation-theory`."""

    part: Literal["all", "linear", "chain", "cycles", "earlier", "hidden"] = Field(
        "all", description="all, linear, chain, cycles, earlier or hidden"
    )
    starts: int = Field(10_000, ge=10, le=10**6, description="a whole number from 10 to 10^6")
    systems: int = Field(10, ge=2, description="a whole number >= 2")
    depths: list[int] = Field([2, 3, 5], description="a list of whole numbers from 2 to 8")
    spread: float = Field(2.0, gt=0, le=3, description="a number above 0, at most 3")
    rates: list[float] = Field(
        [0.04, 0.02, 0.01, 0.005], description="a list of at least three numbers from 0.0001 to 0.1"
    )
    seed: int = Field(0, ge=0, lt=2**63 - 10**6, description="a whole number from 0 to 2^63 - 10^6 - 1")

    FIXED = ("part", "starts", "systems", "depths", "rates")

    def model_post_init(self, _: Any) -> None:
        """Check lists."""
        if not self.depths or not all(2 <= depth <= 8 for depth in self.depths):
            refuse("depths", self.depths, "a list of whole numbers from 2 to 8", "Give numbers of layers, L.")
        if len(set(self.rates)) < 3 or not all(1e-4 <= rate <= 0.1 for rate in self.rates):
            refuse("rates", self.rates, "a list of at least three numbers from 0.0001 to 0.1", "A slope needs three.")


def compute(settings: TheorySettings) -> pd.DataFrame:
    """Return `starts` and `agree` of each statement, and the numbers of the figures.

    Columns beside epoch (0), split, metric and value: case, x, y.
    """
    import pandas as pd

    from circuitsim.analysis.theory.rows import Datum

    parts = PARTS if settings.part == "all" else {settings.part: PARTS[settings.part]}
    rows = [row for part in parts.values() for row in part(settings)]
    frame = pd.DataFrame(rows, columns=Datum._fields).astype({"value": float})
    frame.insert(0, "epoch", 0)
    frame.insert(1, "split", "train")
    return frame


def _linear(settings: TheorySettings) -> list[Datum]:
    from circuitsim.analysis.theory import checks_linear

    seed, systems = settings.seed, settings.systems
    return [
        *checks_linear.small_rates(seed, settings.rates, 1.0),
        *checks_linear.recirculations(seed, systems),
        *checks_linear.coupling(seed, 10 * systems),
        *checks_linear.symmetric(seed, systems, 2.0),
        *checks_linear.smallest_asymmetry(2.0),
        *checks_linear.resting(seed, systems, 50.0),
        *checks_linear.smallest_rest(),
    ]


def _chain(settings: TheorySettings) -> list[Datum]:
    from circuitsim.analysis.theory import checks_chain, checks_circuits

    found = checks_chain.two_layers(settings.seed, settings.starts, settings.spread)
    found += checks_chain.constants(settings.seed, 5, 1.5, 8.0)
    return found + _theorems(settings, "Theorem 6.1") + checks_circuits.dead_synapse()


def _cycles(settings: TheorySettings) -> list[Datum]:
    from circuitsim.analysis.theory import checks_circuits

    return _theorems(settings, "Theorem 6.2") + checks_circuits.reproductions("Theorem 6.2")


def _earlier(settings: TheorySettings) -> list[Datum]:
    from circuitsim.analysis.theory import checks_circuits

    return _theorems(settings, "Theorem 6.3") + checks_circuits.reproductions("Theorem 6.3")


def _theorems(settings: TheorySettings, theorem: str) -> list[Datum]:
    """Return the checks of all readings of a theorem."""
    from circuitsim.analysis.theory import checks_chain

    given = (settings.seed, settings.starts, settings.depths, settings.spread)
    found: list[Datum] = []
    for name in (name for name in checks_chain.CHAIN_RULES if name.startswith(theorem)):
        found += checks_chain.theorem(name, *given) + checks_chain.excluded(name, *given)
    return found


def _hidden(settings: TheorySettings) -> list[Datum]:
    from circuitsim.analysis.theory import checks_hidden

    given = (settings.seed, settings.starts, settings.spread)
    return [*checks_hidden.theorem(*given), *checks_hidden.derivatives(*given), *checks_hidden.crossing(*given)]


PARTS = {"linear": _linear, "chain": _chain, "cycles": _cycles, "earlier": _earlier, "hidden": _hidden}


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    from circuitsim.analysis.theory import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {"starts": 300, "systems": 3, "depths": [2, 3]}

SCENARIO = Computation(
    name="recirculation-theory",
    description="statements on recirculation in linear circuits, checked; counterexamples to those that fail",
    settings=TheorySettings,
    compute=compute,
    finish=finish,
    check=lambda _: initial_value_solver(),
    quick=QUICK,
)
