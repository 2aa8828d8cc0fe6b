"""What a scenario is, and how scenarios are found: through entry points, so that users' packages can add theirs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.data import Dataset
from circuitsim.engine.simulator import Simulator
from circuitsim.engine.state import Parameters
from circuitsim.errors import CircuitError, ConfigError
from circuitsim.runs.config import Keys, Settings
from circuitsim.timetable.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.runs.study import Study

GROUP = "circuitsim.scenarios"
CIRCUITS = "circuitsim.circuits"
TOOLS = "circuitsim.tools"


@dataclass(frozen=True)
class Period:
    """Epochs of a run in which presentations are of one kind.

    Parameters
    ----------
    epochs : how many. protocol : what a presentation consists of.
    parameters : lr, lr_bias, weight_decay, max_norm, by (owner, quantity), where they differ from the design's.
    name : what tables and figures call it.
    """

    epochs: int
    protocol: Protocol
    parameters: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Design:
    """One replica's circuit, protocol and parameters. Replicas in which all but parameters is equal run in bulk.

    Parameters
    ----------
    decaying : the projections whose learning rates `lr_decay` multiplies; None: all that learn.
    passes_before : of mirror mode, before training.
    periods : of a development: what a presentation is may change from one to the next; none: `protocol` throughout.
        `lr_decay` begins anew with each.
    """

    circuit: Circuit
    protocol: Protocol
    parameters: Parameters
    decaying: tuple[str, ...] | None = None
    passes_before: int = 0
    periods: tuple[Period, ...] = ()

    def alike(self, other: Design) -> bool:
        """Whether one simulator can run both, in step."""
        return self._fixed == other._fixed

    def __post_init__(self) -> None:
        given = {frozenset(period.parameters) for period in self.periods}
        if len(given) > 1:
            raise CircuitError(
                f"periods of circuit {self.circuit.name}",
                got="parameters that only some of them give",
                expected="values for the same parameters in each period",
                remedy="Give in each period all that changes in any.",
            )

    @property
    def _fixed(self) -> tuple[object, ...]:
        courses = tuple((p.epochs, p.protocol, frozenset(p.parameters)) for p in self.periods)
        return self.circuit, self.protocol, self.decaying, self.passes_before, courses

    def courses(self) -> list[tuple[str, Protocol]]:
        """The protocols that differ, in order, each with the epochs in which it holds; no epochs where there is one."""
        begin, found = 1, list[tuple[str, Protocol]]()
        for _, group in groupby(self.periods, key=lambda p: (p.protocol, p.name)):
            same = list(group)
            end = begin + sum(p.epochs for p in same) - 1
            found.append((f"epochs {begin} to {end}: {same[0].name}", same[0].protocol))
            begin = end + 1
        return found or [("", self.protocol)]

    def period(self, epoch: int) -> tuple[Period, int]:
        """The period that an epoch, counted from 0, belongs to, and the epoch with which it begins."""
        begin = 0
        for period in self.periods:
            if epoch < begin + period.epochs:
                return period, begin
            begin += period.epochs
        return (self.periods[-1], begin - self.periods[-1].epochs) if self.periods else (Period(0, self.protocol), 0)


Figures = dict[str, np.ndarray]


def _nothing(*_: object) -> Figures:
    return {}


@dataclass(frozen=True)
class Scenario:
    """One experiment: its settings, what it runs, what it writes.

    Parameters
    ----------
    name, description : what `circuitsim list` shows.
    settings : the model of its keys. quick : values that `--quick` sets. vary : what it varies unless told otherwise.
    design : settings of a replica to its design.
    check : refuses settings that do not fit the data.
    prepare : tensors that depend on the data, by name, for a replica, before training.
    tensor_shapes : names and shapes of all tensors that `--init` may have, for settings.
    evaluate : metrics of one data split, from its examples and their classes, each (replica,).
    inspect : metrics of the circuit itself, which may show it training examples; what is not finite is undefined, and
        left out. presented : figures of the batch that was just shown, from the data and its rows; their means over an
        epoch are metrics of the train split; None: nobody looks. Both (replica,).
    finish : writes what the scenario makes of a finished run (audit, report) into the run folder.
    """

    name: str
    description: str
    settings: type[Settings]
    design: Callable[[Any], Design]
    check: Callable[[Any, Dataset], None]
    tensor_shapes: Callable[[Any], dict[str, tuple[int, ...]]]
    evaluate: Callable[[Simulator, np.ndarray, np.ndarray | None], Figures]
    finish: Callable[[Path, Study, Mapping[str, Any]], None]
    prepare: Callable[[Any, Dataset], dict[str, np.ndarray]] = _nothing
    inspect: Callable[[Simulator, Any, Dataset], Figures] = _nothing
    presented: Callable[[Simulator, Dataset, np.ndarray], Figures] | None = None
    quick: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Computation:
    """An experiment of numbers alone: settings to numbers, numbers to figures.

    Parameters
    ----------
    name, description, settings, quick, vary : as of a `Scenario`.
    compute : settings of a replica to its numbers, a table with the columns epoch, split, metric, value and any others.
    check : refuses settings that cannot be computed, before anything is written.
    keeps : the file of the run folder in which `compute` keeps what it has done, so as to go on after an interruption;
        then it is given its `Place` too. None: it starts anew.
    backends : the kernels that it can be told to use; most simulate on the default ones, or not at all.
    finish : writes figures, tables and report into the run folder, of metrics.parquet and config.json alone.
    """

    name: str
    description: str
    settings: type[Keys]
    compute: Callable[..., pd.DataFrame]
    finish: Callable[[Path, pd.DataFrame, Mapping[str, Any]], None]
    check: Callable[[Any], object] = _nothing
    keeps: str | None = None
    backends: tuple[str, ...] = ("numba",)
    quick: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Member:
    """One run of a campaign.

    Parameters
    ----------
    name : of its folder. scenario : the name of one that trains circuits. values, vary : as `--set` and `--vary`.
    optional : whether the campaign goes on without it where its data set is missing.
    """

    name: str
    scenario: str
    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class MemberRun:
    """What has become of a campaign's member.

    Parameters
    ----------
    folder : an ordinary run folder. state : complete, diverged, or skipped.
    reason : why it diverged or was skipped; of a complete one, what is to be said of it.
    """

    member: Member
    folder: Path
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Campaign:
    """Runs of other scenarios, one after the other, and what is seen in all of them together.

    Parameters
    ----------
    name, description, settings, quick : as of a `Scenario`.
    members : settings to runs, in order.
    finish : writes figures, tables and report into the run folder, of what the members wrote; those skipped are named.
    """

    name: str
    description: str
    settings: type[Keys]
    members: Callable[[Any], Sequence[Member]]
    finish: Callable[[Path, Sequence[MemberRun], Mapping[str, Any]], None]
    quick: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, init=False)


AnyScenario = Scenario | Computation | Campaign


def kind_of(scenario: AnyScenario) -> str:
    """What `circuitsim list` calls it."""
    return type(scenario).__name__.lower()


def scenario_names() -> list[str]:
    """The names of the scenarios that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def circuit_descriptions() -> list[tuple[str, str]]:
    """The circuits that are installed: name, and the first sentence of what the function says of itself."""
    found = {point.name: point.load() for point in entry_points(group=CIRCUITS)}
    return [(name, (function.__doc__ or "").strip().split("\n")[0]) for name, function in sorted(found.items())]


def load_scenario(name: str) -> AnyScenario:
    """Return a scenario by name; ConfigError for an unknown one."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            found: AnyScenario = point.load()
            return found
    close = difflib.get_close_matches(name, scenario_names(), 1)
    raise ConfigError(
        f"scenario {name}",
        got="an unknown name",
        expected=f"one of {', '.join(scenario_names())}",
        remedy=f"Did you mean {close[0]}?" if close else "`circuitsim list` shows them.",
    )


def expect_circuits(found: AnyScenario, for_what: str) -> Scenario:
    """A scenario that trains circuits of its own; ConfigError names what stands in for another kind.

    Parameters
    ----------
    for_what : the command, or the member of a campaign, that needs it.
    """
    if isinstance(found, Scenario):
        return found
    remedy = "`circuitsim list` shows which scenarios do."
    if isinstance(found, Campaign):
        names = dict.fromkeys(member.scenario for member in found.members(found.settings()))
        remedy = f"Name the scenario of its members: {', '.join(names)}."
    raise ConfigError(
        f"{for_what} {found.name}",
        got=f"a {kind_of(found)}",
        expected="a scenario that trains circuits of its own",
        remedy=remedy,
    )


def load_tool(name: str) -> Callable[..., Any]:
    """Return what carries out a command that needs more than the engine; ConfigError where nothing provides it."""
    for point in entry_points(group=TOOLS):
        if point.name == name:
            found: Callable[..., Any] = point.load()
            return found
    raise ConfigError(
        f"command {name}",
        got="no installed package that carries it out",
        expected=f"an entry point {name!r} in the group {TOOLS}",
        remedy="Install circuitsim again: pip install --force-reinstall circuitsim.",
    )
