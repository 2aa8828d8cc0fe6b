"""Groups of replicas that differ only in their seeds: their curves, final values and ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import half_width

if TYPE_CHECKING:
    import pandas as pd

SEEDS = ("seed", "data_seed")
TELLING = ("rule", "feedback")  # keys that name a run
PLAIN = (*TELLING, "scenario", "run", "curve")  # keys whose values need no key beside them in a label
RANKED_BY = ("mse", "error", "loss", "bce")  # the first of these that was measured ranks the groups
SECONDS = "seconds"


@dataclass(frozen=True)
class Final:
    """Mean, standard deviation (n - 1) and half the 95 % interval of a group's n finite replicas at one epoch."""

    mean: float
    sd: float
    half: float
    n: int


@dataclass(frozen=True)
class Group:
    """Replicas with equal settings apart from seeds; `series` holds (epoch, replica) for each (split, metric)."""

    label: str
    replicas: int
    series: Mapping[tuple[str, str], np.ndarray]

    def curve(self, split: str, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, least and greatest over the finite replicas, each (epoch,)."""
        return spread(self.series[split, metric])

    def final(self, split: str, metric: str) -> Final:
        """Values at the run's last epoch."""
        values = self.series[split, metric][-1]
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean()) if values.size else math.nan
            sd = float(values.std(ddof=1)) if values.size > 1 else math.nan
        return Final(mean, sd, half_width(values), values.size)

    def best(self, split: str, metric: str) -> tuple[float, int]:
        """Least value of the mean curve and its index; (NaN, -1) if no value is finite."""
        mean = self.curve(split, metric)[0]
        if not np.isfinite(mean).any():
            return math.nan, -1
        index = int(np.nanargmin(mean))
        return float(mean[index]), index


@dataclass(frozen=True)
class Results:
    """Metrics of a run by group, the best group first; `measured` holds the (split, metric) pairs in order."""

    epochs: np.ndarray
    groups: tuple[Group, ...]
    measured: tuple[tuple[str, str], ...]

    @cached_property
    def data_metrics(self) -> tuple[str, ...]:
        """Metrics of the data: those of the test split."""
        return tuple(metric for split, metric in self.measured if split == "test")

    @cached_property
    def other_metrics(self) -> tuple[str, ...]:
        """Metrics of the circuit itself, without seconds."""
        return tuple(m for _, m in self.measured if m not in self.data_metrics and m != SECONDS)

    @cached_property
    def ranked_by(self) -> str | None:
        """Metric that ranks the groups."""
        known = [metric for metric in RANKED_BY if metric in self.data_metrics]
        return next(iter([*known, *self.data_metrics]), None)

    @cached_property
    def seconds(self) -> np.ndarray:
        """Training time of each epoch of the run, (epoch,), the longest over replicas."""
        found = np.full(len(self.epochs), np.nan)
        for group in self.groups:
            if ("train", SECONDS) in group.series:
                found = np.fmax(found, group.curve("train", SECONDS)[2])
        return found


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest over the finite replicas (last axis); NaN where none is finite."""
    finite = np.isfinite(values)
    known, found = np.where(finite, values, np.nan), np.full((3, len(values)), np.nan)
    some = finite.any(axis=1)
    with np.errstate(over="ignore"):  # values that are about to diverge
        found[:, some] = [f(known[some], axis=1) for f in (np.nanmean, np.nanmin, np.nanmax)]
    return found[0], found[1], found[2]


def group_results(metrics: pd.DataFrame, varied: Sequence[str], label: str) -> Results:
    """Sort a metrics table into groups, best first; values that are not finite count as missing.

    Parameters
    ----------
    metrics : columns replica, epoch, split, metric, value and the varied keys. label : of the only group, if nothing
        but seeds varies.
    """
    keys = [key for key in varied if key not in SEEDS and key in metrics]
    epochs, replicas = np.unique(metrics["epoch"]), np.unique(metrics["replica"])
    series = _series(metrics, epochs, replicas)
    first = metrics.drop_duplicates("replica").sort_values("replica")
    members: dict[str, list[int]] = {}
    columns = [list(first[key]) for key in keys]
    for index in range(len(first)):
        members.setdefault(_label(keys, tuple(column[index] for column in columns)) or label, []).append(index)
    groups = [
        Group(name, len(columns), {key: values[:, columns] for key, values in series.items()})
        for name, columns in members.items()
    ]
    results = Results(epochs, tuple(groups), tuple(series))
    return Results(epochs, tuple(sorted(groups, key=lambda g: _rank(g, results.ranked_by))), tuple(series))


def telling(settings: Mapping[str, Any]) -> str:
    """Return the name of a run that varies nothing but seeds: its rule or feedback, or "" if it has neither."""
    named = (settings.get(key) for key in TELLING)
    return next((value for value in named if isinstance(value, str)), "")


def _series(metrics: pd.DataFrame, epochs: np.ndarray, replicas: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    found: dict[tuple[str, str], np.ndarray] = {}
    for (split, metric), rows in metrics.groupby(["split", "metric"], sort=False):
        values = np.full((len(epochs), len(replicas)), np.nan)
        value = rows["value"].to_numpy(np.float64, na_value=np.nan)
        at = np.searchsorted(epochs, rows["epoch"]), np.searchsorted(replicas, rows["replica"])
        values[at] = np.where(np.isfinite(value), value, np.nan)
        found[str(split), str(metric)] = values
    return found


def _rank(group: Group, metric: str | None) -> float:
    mean = group.final("test", metric).mean if metric else 0.0
    return mean if math.isfinite(mean) else math.inf


def _label(keys: Sequence[str], values: Sequence[Any]) -> str:
    """Settings that a group has in common."""
    return ", ".join(
        _spell(value) if key in PLAIN else f"{key} {_spell(value)}" for key, value in zip(keys, values, strict=True)
    )


def _spell(value: Any) -> str:
    if value is None or value != value:
        return "none"
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
