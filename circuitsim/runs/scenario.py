"""The kinds of scenario: those that train circuits, computations, and campaigns of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from circuitsim.errors import ConfigError
from circuitsim.runs.base import AnyScenario, LearningScenario, nothing
from circuitsim.runs.tools import load_tool

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.runs.study import Study


def usual_files(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write the file of a scenario that names none: report.html."""
    load_tool("finish")(folder, study, config)


@dataclass(frozen=True)
class Scenario(LearningScenario):
    """An experiment that trains circuits, and the files that it makes of a finished run.

    Parameters
    ----------
    finish : writes what is made of a study into the run folder, given config.json's content; default: report.html.
        The run itself has written audit.json before.

    Examples
    --------
    >>> import circuitsim as cs
    >>> class Keys(cs.TrainingSettings):
    ...     units: int = 16
    ...     lr: float = 0.1
    >>> def design(keys):
    ...     circuit, protocol = cs.circuits.circular_autoencoder([64, keys.units, 64])
    ...     return cs.Design(circuit, protocol, {"lr": keys.lr})
    >>> mine = cs.Scenario("mine", "an autoencoder of my own", Keys, design)
    >>> run = cs.run(mine, units=4, epochs=1, train_limit=100)
    >>> sorted(run.metrics["metric"].unique())
    ['bce', 'mse', 'seconds']
    """

    finish: Callable[[Path, Study, Mapping[str, Any]], None] = usual_files


@dataclass(frozen=True)
class Computation(AnyScenario):
    """An experiment that computes a table of numbers from settings, and figures from the table.

    Parameters
    ----------
    compute : one replica's settings to a table with the columns epoch, split, metric, value and any others.
    finish : writes figures, tables and report into the run folder, from metrics.parquet and config.json alone.
    check : refuses settings that cannot be computed, before anything is written.
    keeps : whether `compute` keeps intermediate results, and continues from them after an interruption. Its further
        arguments are then the folder for them, the backend, and a function that shows the user a line.
    backends : the backends that `--backend` may name.
    """

    compute: Callable[..., pd.DataFrame]
    finish: Callable[[Path, pd.DataFrame, Mapping[str, Any]], None]
    check: Callable[[Any], object] = field(default=nothing, kw_only=True)
    keeps: bool = field(default=False, kw_only=True)
    backends: tuple[str, ...] = field(default=("numba",), kw_only=True)


@dataclass(frozen=True)
class Member:
    """One run of a campaign.

    Parameters
    ----------
    name : of its folder. scenario : the name of one that trains circuits. values, vary : as `--set` and `--vary`.
    optional : whether the campaign continues without the member if its data set is missing.
    begins : an earlier member, whose first replica gives this one's first `tensors`; "" for none.
    tensors : their names.
    """

    name: str
    scenario: str
    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    optional: bool = False
    begins: str = ""
    tensors: tuple[str, ...] = ()

    __pydantic_config__ = ConfigDict(extra="forbid")  # where they are read from config.json


@dataclass(frozen=True)
class MemberRun:
    """The outcome of a campaign's member.

    Parameters
    ----------
    folder : an ordinary run folder. state : complete, diverged, or skipped.
    reason : the cause of divergence or skipping; the notes of a complete run.
    """

    member: Member
    folder: Path
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Campaign(AnyScenario):
    """A series of runs of other scenarios, and the figures made from all of them. Its keys cannot be varied.

    Parameters
    ----------
    members : settings to runs, in order.
    finish : writes figures, tables and report into the run folder, from the files of the members.
    estimated : of settings, whether a short trial of each member tells, before the first starts, how long all take.
    """

    members: Callable[[Any], Sequence[Member]]
    finish: Callable[[Path, Sequence[MemberRun], Mapping[str, Any]], None]
    estimated: Callable[[Any], bool] = field(default=lambda _: False, kw_only=True)


def expect_circuits(found: AnyScenario, needed_by: str) -> Scenario:
    """Return a scenario that trains circuits of its own; ConfigError for another kind.

    Parameters
    ----------
    needed_by : the command, or the member of a campaign, that needs it.
    """
    if isinstance(found, Scenario):
        return found
    remedy = "`circuitsim list` shows which scenarios do."
    if isinstance(found, Campaign):
        names = dict.fromkeys(member.scenario for member in found.members(found.settings()))
        remedy = f"Name the scenario of its members: {', '.join(names)}."
    raise ConfigError(
        f"{needed_by} {found.name}",
        got=f"a {found.kind}",
        expected="a scenario that trains circuits of its own",
        remedy=remedy,
    )
