"""The log of a run's metrics: rows are appended to a file, and a checkpoint has only how much of it there was.

So the cost of an epoch does not grow with the epochs before it. A row is a line of JSON. What a killed run appended
after its last checkpoint is cut off when the run continues.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from circuitsim.errors import RunFolderError
from circuitsim.runs import tables

if TYPE_CHECKING:
    import pandas as pd


class MetricRow(NamedTuple):
    """A row of metrics.parquet, without the keys that vary."""

    replica: int
    epoch: int
    split: str
    metric: str
    value: float


class _Mark(BaseModel):
    """Mark of the part of the log that belongs to a checkpoint."""

    model_config = ConfigDict(strict=True)

    rows: int = Field(ge=0)
    length: int = Field(ge=0)
    sha256: str


_ROWS = TypeAdapter(list[MetricRow])


class MetricsLog:
    """A file of metrics, to which rows are appended.

    Parameters
    ----------
    path : of the file. table : the Parquet file of the same run, from which a damaged log can be made again.
    """

    def __init__(self, path: Path, table: Path) -> None:
        self._path, self._table = path, table
        self._rows, self._length, self._hash = 0, 0, hashlib.sha256()

    def append(self, metrics: Sequence[MetricRow]) -> None:
        """Append what a list of all rows has beyond those in the file, and make it durable."""
        content = _encoded(metrics[self._rows :])
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(self._length)
            file.seek(self._length)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._hash.update(content)
        self._rows, self._length = len(metrics), self._length + len(content)

    def mark(self) -> np.ndarray:
        """Return what a checkpoint keeps of the log: its rows, its length and its SHA-256."""
        kept = _Mark(rows=self._rows, length=self._length, sha256=self._hash.hexdigest())
        return np.frombuffer(kept.model_dump_json().encode(), np.uint8)

    def restore(self, mark: np.ndarray) -> list[MetricRow]:
        """Return the rows that a checkpoint knows, and let `append` go on behind them; nothing is written before that.

        Raises
        ------
        ValueError : the mark is none. RunFolderError : neither the log nor the table has the rows.
        """
        known = _Mark.model_validate_json(mark.tobytes())
        self._rows, self._length, self._hash = 0, 0, hashlib.sha256()
        content = kept = self._kept(known.length)
        if hashlib.sha256(content).hexdigest() != known.sha256:
            content = self._of_table(known.rows)
        if hashlib.sha256(content).hexdigest() != known.sha256:
            raise RunFolderError(
                f"metrics {self._path}",
                got="a content that does not match the checkpoint",
                expected="the file that the run wrote",
                remedy="Put it back, or start the run anew in another folder.",
            )
        rows = _ROWS.validate_json(b"[" + b",".join(content.splitlines()) + b"]")
        if content == kept:  # a log that was made again is written whole
            self._rows, self._length, self._hash = len(rows), known.length, hashlib.sha256(content)
        return rows

    def _kept(self, length: int) -> bytes:
        """Return the beginning of the file; nothing where there is none."""
        try:
            with self._path.open("rb") as file:
                return file.read(length)
        except OSError:
            return b""

    def _of_table(self, count: int) -> bytes:
        """Return the log of the first rows of the table; nothing where it cannot be read."""
        try:
            return _rows_of(tables.read_frame(self._table).head(count))
        except (RunFolderError, LookupError):
            return b""


def _rows_of(frame: pd.DataFrame) -> bytes:
    return _encoded(frame[list(tables.COLUMNS)].itertuples(index=False, name=None))


def _encoded(rows: Iterable[Sequence[object]]) -> bytes:
    return "".join(json.dumps([_plain(value) for value in row]) + "\n" for row in rows).encode()


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
