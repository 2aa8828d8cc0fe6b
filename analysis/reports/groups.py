"""Replicas that differ in nothing but their seeds make a group: its curves, its final values, its rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SEEDS = ("seed", "data_seed")
TELLING = ("rule", "feedback")  # keys whose values speak for themselves
RANKED_BY = ("mse", "error", "loss", "bce")  # the first of these that was measured decides which group is best
SECONDS = "seconds"


@dataclass(frozen=True)
class Final:
    """Values of a group's replicas at one epoch: their mean, their standard deviation (n - 1), how many are finite."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class Group:
    """Replicas with equal settings, seeds aside; `series` holds (epoch, replica) for each (split, metric)."""

    label: str
    replicas: int
    series: Mapping[tuple[str, str], np.ndarray]

    def curve(self, split: str, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, least and greatest over the replicas that are finite, each (epoch,); NaN where none is."""
        values = self.series[split, metric]
        found = np.full((3, len(values)), np.nan)
        some = np.isfinite(values).any(axis=1)
        with np.errstate(over="ignore"):  # of values that are about to diverge
            found[:, some] = [f(values[some], axis=1) for f in (np.nanmean, np.nanmin, np.nanmax)]
        return found[0], found[1], found[2]

    def final(self, split: str, metric: str) -> Final:
        """What the replicas have come to at the run's last epoch."""
        values = self.series[split, metric][-1]
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean()) if values.size else math.nan
            sd = float(values.std(ddof=1)) if values.size > 1 else math.nan
        return Final(mean, sd, values.size)

    def best(self, split: str, metric: str) -> tuple[float, int]:
        """The least value of the mean curve and its index, (NaN, -1) where there is none."""
        mean = self.curve(split, metric)[0]
        if not np.isfinite(mean).any():
            return math.nan, -1
        index = int(np.nanargmin(mean))
        return float(mean[index]), index


@dataclass(frozen=True)
class Results:
    """A run's metrics by group, the best group first; `measured` holds the (split, metric) pairs in order."""

    epochs: np.ndarray
    groups: tuple[Group, ...]
    measured: tuple[tuple[str, str], ...]

    @cached_property
    def data_metrics(self) -> tuple[str, ...]:
        """The metrics that are figures of the data: those that the test split has."""
        return tuple(metric for split, metric in self.measured if split == "test")

    @cached_property
    def other_metrics(self) -> tuple[str, ...]:
        """The metrics that belong to no data, seconds aside."""
        return tuple(m for _, m in self.measured if m not in self.data_metrics and m != SECONDS)

    @cached_property
    def ranked_by(self) -> str | None:
        """The metric that ranks the groups."""
        known = [metric for metric in RANKED_BY if metric in self.data_metrics]
        return next(iter([*known, *self.data_metrics]), None)

    @cached_property
    def seconds(self) -> np.ndarray:
        """Training time of each epoch, (epoch,): the run's, or the longest of its replicas'."""
        found = np.full(len(self.epochs), np.nan)
        for group in self.groups:
            if ("train", SECONDS) in group.series:
                found = np.fmax(found, group.curve("train", SECONDS)[2])
        return found


def group_results(metrics: pd.DataFrame, varied: Sequence[str], label: str) -> Results:
    """Put the rows of a metrics table into groups, best first; values that are not finite count as missing.

    Parameters
    ----------
    metrics : columns replica, epoch, split, metric, value, and varied keys. label : the group's where nothing varies.
    """
    keys = [key for key in varied if key not in SEEDS and key in metrics]
    epochs, replicas = np.unique(metrics["epoch"]), np.unique(metrics["replica"])
    series = _series(metrics, epochs, replicas)
    first = metrics.drop_duplicates("replica").sort_values("replica")
    members: dict[str, list[int]] = {}
    for index, values in enumerate(first[keys].itertuples(index=False, name=None)):
        members.setdefault(_label(keys, values) or label, []).append(index)
    groups = [
        Group(name, len(columns), {key: values[:, columns] for key, values in series.items()})
        for name, columns in members.items()
    ]
    results = Results(epochs, tuple(groups), tuple(series))
    return Results(epochs, tuple(sorted(groups, key=lambda g: _rank(g, results.ranked_by))), tuple(series))


def telling(settings: Mapping[str, Any]) -> str:
    """What a run is called in which nothing but seeds is varied; "" where no key tells."""
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
    """The settings that a group has in common."""
    return ", ".join(
        _spell(value) if key in TELLING else f"{key} {_spell(value)}" for key, value in zip(keys, values, strict=True)
    )


def _spell(value: Any) -> str:
    if value is None or value != value:
        return "none"
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
