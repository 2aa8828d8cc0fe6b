"""Numbers of items: the rows of an experiment's table that an item reads, and those that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.runs.tables import read_frame, write_frame
from circuitsim.scenarios.reproduce.items import RESULTS, Item, Read

if TYPE_CHECKING:
    import pandas as pd

MADE = ("machine", "versions", "seconds")
"""Columns that say where a kept table comes from, the same in every row."""


def selected(frame: pd.DataFrame, select: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows with these values, of the last epoch unless one is asked for.

    Parameters
    ----------
    select : values by column, compared as texts, or some of the keys of a column of tables; a column that the table
        lacks picks nothing.
    """
    for column, value in {"split": "test", **select}.items():
        if column not in frame:
            return frame.iloc[:0]
        if isinstance(value, Mapping):
            frame = frame[[value.items() <= json.loads(text).items() for text in frame[column]]]
        else:
            frame = frame[frame[column].astype(str) == str(value)]
    return frame if "epoch" in select or frame.empty else frame[frame["epoch"] == frame["epoch"].max()]


def values(frame: pd.DataFrame, read: Read) -> np.ndarray:
    """Return what a read gives, one number for each seed; empty if the table does not have it."""
    own: np.ndarray = selected(frame, read.select)["value"].to_numpy(np.float64)
    if read.relative_to is None:
        return own
    other: np.ndarray = selected(frame, read.relative_to)["value"].to_numpy(np.float64)
    if len(own) != len(other):
        return own[:0]
    return np.asarray(100 * (own / other - 1))


def needed(frame: pd.DataFrame, reads: Iterable[Read]) -> pd.DataFrame:
    """Return the rows of a table that any of these reads takes, each once, in order."""
    kept = np.zeros(len(frame), bool)
    numbered = frame.reset_index(drop=True)
    for read in reads:
        for select in (read.select, read.relative_to or {}):
            if select:
                kept[selected(numbered, select).index] = True
    return numbered[kept].reset_index(drop=True)


def reads_of(all_items: Iterable[Item], experiment: str) -> list[Read]:
    """Return all reads of an experiment."""
    return [read for item in all_items for read in item.reads if read.experiment == experiment]


def kept_results(experiment: str, folder: Path = RESULTS) -> pd.DataFrame | None:
    """Return the table that is kept of an experiment, if there is one."""
    path = folder / f"{experiment}.parquet"
    return read_frame(path) if path.exists() else None


def keep(frame: pd.DataFrame, experiment: str, folder: Path, config: Mapping[str, Any], seconds: float) -> None:
    """Write the rows that items read, with the machine and the versions that made them."""
    versions = config.get("versions", {})
    made = (versions.get("machine", ""), json.dumps(versions, sort_keys=True), round(seconds, 1))
    folder.mkdir(parents=True, exist_ok=True)
    write_frame(folder / f"{experiment}.parquet", frame.assign(**dict(zip(MADE, made, strict=True))))
