"""The items of the sources and the runs that bear on them, as the files beside this module list them."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from circuitsim.runs.config import spell

HERE = Path(__file__).parent
RESULTS = HERE / "results"
"""Raw numbers of earlier runs, a file for each experiment."""
SOURCES = {
    "recirculation": ("Baldi & Sadowski 2018, learning in the machine: recirculation is random backpropagation", 62),
    "tourbillon": ("Tavakoli, Sadowski & Baldi, Tourbillon: a physically plausible neural architecture", 45),
    "random-feedback": ("Amit 2019, deep learning with asymmetric connections and Hebbian updates", 33),
    "weight-transport": ("Akrout et al. 2019, deep learning without weight transport (slides)", 19),
    "role-of-feedback": ("Nayebi 2020, the role of feedback (slides); Kunin et al. 2020", 31),
}
"""Each source's reference and its number of items."""
Verdict = Literal["agrees", "differs", "refuted", "not comparable"]
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
LONG = 60.0  # minutes from which an experiment is marked as long


class Strict(BaseModel):
    """An entry of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Experiment(Strict):
    """One command, and roughly how many minutes it takes on one core."""

    scenario: str
    minutes: float = Field(gt=0)
    setting: str
    set: dict[str, Any] = {}
    vary: dict[str, list[Any]] = {}

    @property
    def command(self) -> str:
        """The command line that runs it."""
        parts = ["circuitsim", "run", self.scenario]
        for key, value in self.set.items():
            parts += ["--set", f"{key}={spelt(value)}"]
        for key, values in self.vary.items():
            parts += ["--vary", f"{key}={','.join(map(spelt, values))}"]
        return shlex.join(parts)


class Read(Strict):
    """Numbers of one experiment: the rows of its table that `select` picks, one for each seed.

    Parameters
    ----------
    label : what they are. select : the value of each column; the split is test and the epoch the last one unless given.
    relative_to : rows of which they are given as a difference in percent, seed by seed.
    least, most : the range in which the mean agrees with the source.
    """

    experiment: str
    label: str
    select: dict[str, Any]
    relative_to: dict[str, Any] | None = None
    least: float | None = None
    most: float | None = None

    def holds(self, mean: float) -> bool:
        """Tell if a mean lies in the range."""
        return (self.least is None or mean >= self.least) and (self.most is None or mean <= self.most)


class Item(Strict):
    """One figure, table, theorem or experiment of a source.

    Parameters
    ----------
    printed : what the source says. reads : our numbers. reported : our numbers where no raw ones are kept.
    command, setting : where no experiment gives them. verdict : if the numbers are in their ranges, or there are none.
    otherwise : if they are not. why : the reason, for the reader.
    """

    source: Literal["recirculation", "tourbillon", "random-feedback", "weight-transport", "role-of-feedback"]
    row: Annotated[int, Field(ge=1)]
    item: str
    printed: str
    reads: tuple[Read, ...] = ()
    reported: str = ""
    setting: str = ""
    command: str = ""
    verdict: Verdict
    otherwise: Verdict = "differs"
    why: str = ""

    @property
    def name(self) -> str:
        """The name of the item."""
        return f"{self.source} {self.row}"


@cache
def experiments() -> Mapping[str, Experiment]:
    """Return all experiments by name."""
    found = tomllib.loads((HERE / "experiments.toml").read_text(encoding="utf-8"))
    return {name: Experiment.model_validate(one) for name, one in found.items()}


@cache
def items() -> tuple[Item, ...]:
    """Return all items, source by source."""
    found = tomllib.loads((HERE / "items.toml").read_text(encoding="utf-8"))
    return tuple(Item.model_validate({"source": source, **one}) for source in SOURCES for one in found.get(source, []))


def spelt(value: Any) -> str:
    """Write a value as `--set` reads it.

    >>> spelt({"rate": 0.1, "reads": "input"})
    '{ rate = 0.1, reads = "input" }'
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_quoted(v)}" for key, v in value.items()) + " }"
    return value if isinstance(value, str) and _WORD.fullmatch(value) else spell(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else spelt(value)
