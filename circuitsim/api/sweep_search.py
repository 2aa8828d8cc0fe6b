"""A search for the settings of least error: trials are proposed in rounds, each from all rounds before it.

What is proposed follows from the outcomes of earlier rounds and a seed, so that a search that was stopped, or whose
workers died, tries the same settings. Trials are judged by training examples held out; the settings found are trained
once more on all of them with other seeds, and only then is the test split read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.groups import RANKED_BY, SEEDS
from circuitsim.api.result import Run
from circuitsim.api.sweep_plan import Part
from circuitsim.errors import ConfigError
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import based, refuse, replicas
from circuitsim.scenarios.trials import propose, quiet, require_optuna

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TPE = "tpe"
JOURNAL = "trials.log"  # in the folder of a sweep; tools of optuna read it
STARTUP = 10  # trials drawn at random before earlier ones are taken into account
FINAL_SEEDS = 5  # circuits trained with the settings found
FRACTION = 0.2  # of the training examples, held out to judge trials by
_RANGE = re.compile(r"\s*([-+0-9.eE]+?)\s*\.\.\s*([-+0-9.eE]+)\s*")


def read_range(text: Any) -> tuple[float, float] | None:
    """Read LOW..HIGH; None for anything else.

    >>> read_range("0.001..1"), read_range("8..64"), read_range("tanh")
    ((0.001, 1.0), (8, 64), None)
    """
    match = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        low, high = (int(part) if part.lstrip("+-").isdecimal() else float(part) for part in match.groups())
    except ValueError:
        return None
    return (low, high) if isinstance(low, int) and isinstance(high, int) else (float(low), float(high))


@dataclass(frozen=True)
class SearchPlan:
    """Keys to search, and the outcomes of the trials so far.

    Parameters
    ----------
    scenario : that is trained. values : keys that are set. vary : by key: one range LOW..HIGH, or choices; seeds are
    replicas of each trial. trials : how many. at_once : trials proposed together. seed : of the proposals.
    """

    scenario: AnyScenario
    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]]
    trials: int
    at_once: int
    seed: int = 0
    _outcomes: dict[int, tuple[dict[str, Any], float]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        require_optuna("--search")
        if not self.searched:
            expected = "a key with a range LOW..HIGH or with several values"
            refuse("--search", "nothing to search", expected, "Write for example --vary lr=0.001..1.")
        for key, values in self.vary.items():
            if key in self.values:
                refuse(key, f"{key} both set and varied", "one of the two", "Remove one of them.")
            found = read_range(values[0])
            if found and (len(values) > 1 or not found[0] < found[1] or key in SEEDS):
                refuse(key, list(values), "one range LOW..HIGH with LOW < HIGH", "Correct the range.")
        if self._held_out == 0:
            refuse("held_out", 0, "a fraction above 0", "The test split must not judge trials.")
        for key in self.searched:
            for end in (0, 1):
                based(replicas(self.scenario.settings, self._settings({key: end}), self._seeds), "")

    @cached_property
    def searched(self) -> dict[str, BaseDistribution]:
        """The distribution of each key that is searched; choices are numbered."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, BaseDistribution] = {}
        for key, values in self.vary.items():
            if (ends := read_range(values[0])) and ends[0] < ends[1]:
                low, high = ends
                whole = isinstance(low, int) and isinstance(high, int)
                found[key] = (
                    IntDistribution(int(low), int(high)) if whole else FloatDistribution(low, high, log=low > 0)
                )
            elif key not in SEEDS:
                found[key] = CategoricalDistribution(range(len(values)))
        return found

    @property
    def _seeds(self) -> dict[str, list[Any]]:
        return {key: list(values) for key, values in self.vary.items() if key in SEEDS}

    def round(self, first: int) -> list[Part]:
        """Return the trials of the round that begins with a number, from the outcomes of all trials before it."""
        done = [self._outcomes[number] for number in range(first)]
        numbers = range(first, min(first + self.at_once, self.trials))
        return [self._part(number, done) for number in numbers]

    def _part(self, number: int, done: Sequence[tuple[dict[str, Any], float]]) -> Part:
        chosen = propose(self.searched, done, STARTUP, self.seed, f"trial {number} of a sweep")
        values = {key: self._value(key, value) for key, value in chosen.items()}
        part = Part(number, {**self.values, "held_out": self._held_out, **values}, self._seeds)
        self._outcomes[number] = (chosen, math.nan)
        return part

    @property
    def _held_out(self) -> Any:
        return self.values.get("held_out", FRACTION)

    def _value(self, key: str, value: Any) -> Any:
        return value if read_range(self.vary[key][0]) else self.vary[key][value]

    def _settings(self, place: Mapping[str, int]) -> dict[str, Any]:
        """Return the keys at an end of each range: 0 the lower, 1 the upper; the lower of those that are not named."""
        found = {}
        for key in self.searched:
            ends = read_range(self.vary[key][0]) or (self.vary[key][0], self.vary[key][-1])
            found[key] = ends[place.get(key, 0)]
        return {**self.values, "held_out": self._held_out, **found}

    def note(self, part: Part, folder: Path) -> None:
        """Note the outcome of a trial that has ended: the mean of its first metric, infinite if a circuit diverged."""
        state = json.loads(part.state(folder).read_bytes())["state"]
        value = _final(Run(part.folder(folder))) if state == "complete" else math.inf
        self._outcomes[part.number] = (self._outcomes[part.number][0], value)

    def best(self) -> int:
        """Return the number of the trial of least error, the first of equals."""
        number = min(range(self.trials), key=lambda k: self._outcomes[k][1])
        if not math.isfinite(self._outcomes[number][1]):
            raise ConfigError(
                "sweep with --search",
                got="trials that all diverged",
                expected="at least one that did not",
                remedy="Lower the ranges of the rates, or make more trials.",
            )
        return number

    def final(self, best: Part) -> Part:
        """Return the run that tests the settings of the best trial: all training examples, seeds of its own."""
        seeds = [int(seed) for seed in self._seeds.get("seed", [self.values.get("seed", 0)])]
        new = list(range(max(seeds) + 1, max(seeds) + 1 + FINAL_SEEDS))
        values = {key: value for key, value in best.values.items() if key not in ("held_out", "seed")}
        return Part(self.trials, values, {**self._seeds, "seed": new})

    def keep(self, folder: Path) -> None:
        """Write the trials that have ended into the journal."""
        import optuna
        from optuna.storages.journal import JournalFileBackend
        from optuna.trial import create_trial

        with quiet():
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
            study = optuna.create_study(storage=storage, study_name=self.scenario.name, load_if_exists=True)
            for number in range(len(study.trials), len(self._outcomes)):
                chosen, value = self._outcomes[number]
                study.add_trial(create_trial(params=chosen, distributions=dict(self.searched), value=value))


def carry_out_search(plan: SearchPlan, folder: Path, carry_out: Callable[[Sequence[Part]], None]) -> list[Part]:
    """Carry out all trials and the test of the best; return them.

    Parameters
    ----------
    folder : of the sweep. carry_out : carries out those of some runs that have not ended.
    """
    parts: list[Part] = []
    while len(parts) < plan.trials:
        together = plan.round(len(parts))
        carry_out(together)
        for part in together:
            plan.note(part, folder)
        parts += together
        plan.keep(folder)
    final = plan.final(parts[plan.best()])
    carry_out([final])
    return [*parts, final]


def _final(run: Run) -> float:
    """Return a run's mean error over replicas at its end, on examples held out."""
    test = run.metrics[run.metrics["split"] == "test"]
    last = test[test["epoch"] == test["epoch"].max()]
    name = next((metric for metric in RANKED_BY if metric in set(last["metric"])), str(last["metric"].iloc[0]))
    return float(last[last["metric"] == name]["value"].mean())
