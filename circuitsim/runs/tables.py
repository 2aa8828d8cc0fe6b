"""Tables of numbers: metrics.parquet, its columns, and how it is written and read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.errors import RunFolderError
from circuitsim.runs.config import Settings
from circuitsim.runs.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("replica", "epoch", "split", "metric", "value")
HELD_OUT = "held-out"  # the split of training examples that judge trials of a search
_DIGEST = b"circuitsim rows"  # where a file's metadata have the digest of its rows


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a Parquet file, whole or not at all, with a digest of its rows: Parquet itself has no checksums."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    digest = _digest(table.to_pandas())  # as it is read
    buffer = io.BytesIO()  # pyarrow opens no path that is not UTF-8
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, _DIGEST: digest}), buffer)
    write_bytes(path, buffer.getvalue())


def read_frame(path: Path, *, own: bool = False) -> pd.DataFrame:
    """Read a Parquet file.

    Parameters
    ----------
    path : of the file. own : whether only what `write_frame` wrote will do, and no table without a digest.

    Raises
    ------
    RunFolderError : it cannot be read, has other columns, or other rows than were written.
    """
    import pandas as pd
    import pyarrow
    from pyarrow import parquet

    try:
        content = io.BytesIO(path.read_bytes())
        frame = pd.read_parquet(content)
        kinds = [np.dtype(frame[column].dtype).kind for column in ("replica", "epoch", "value")]
        if not (set(COLUMNS) <= set(frame) and kinds[0] in "iu" and kinds[1] in "iu" and kinds[2] in "iuf"):
            raise ValueError(f"other columns than {', '.join(COLUMNS)}")
        digest = (parquet.read_schema(content).metadata or {}).get(_DIGEST)
        if digest != _digest(frame) and (own or digest is not None):
            raise ValueError("other rows than were written")
        return frame
    except (OSError, LookupError, TypeError, ValueError, pyarrow.ArrowException) as error:
        raise RunFolderError(
            f"table {path}",
            got=f"a file that cannot be read ({type(error).__name__}: {error})",
            expected="the Parquet file that the run wrote",
            remedy=f"Write it again: circuitsim resume {path.parent}",
        ) from None


def _digest(frame: pd.DataFrame) -> bytes:
    """Return a digest of names and values that is the same before a table is written and after it is read."""
    found = hashlib.sha256()
    for name in frame:
        values = frame[name].to_numpy()
        found.update(f"{name}\n".encode("utf-8", "backslashreplace"))
        if values.dtype.kind in "biuf":
            found.update(np.ascontiguousarray(values).tobytes())
        else:
            words = ["" if value is None or value != value else str(value) for value in values]
            found.update("\0".join(words).encode("utf-8", "backslashreplace"))
    return found.hexdigest().encode()


def with_varied(frame: pd.DataFrame, settings: Sequence[Settings], vary: Sequence[str]) -> pd.DataFrame:
    """Add a column for each varied key to a table that has the column `replica`."""
    if len(settings) > 1:
        for key in vary:
            values = [getattr(s, key) for s in settings]
            plain = all(isinstance(v, str) for v in values) or all(isinstance(v, (int, float)) for v in values)
            column = values if plain and not isinstance(values[0], str) else [as_text(v) for v in values]
            frame[key] = [column[replica] for replica in frame["replica"]]
    return frame


def as_text(value: object) -> str:
    """Return a value as a column of text has it: with escapes where a name is not UTF-8, as Parquet holds no such."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "backslashreplace").decode()


def of_members(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of a campaign's members as one, the first column their names; a key that is text in one is in all."""
    import pandas as pd

    for name, frame in frames.items():
        frame.insert(0, "member", name)
    found = pd.concat(list(frames.values()), ignore_index=True)
    for key in (key for key in found if found[key].dtype == "object"):
        known = found[key].notna()
        found[key] = found[key].where(~known, found[key].map(lambda v: v if isinstance(v, str) else json.dumps(v)))
    return found


def summary(
    metrics: Iterable[tuple[int, int, str, str, float]], settings: Sequence[Any], epoch: int, vary: Sequence[str]
) -> list[dict[str, str]]:
    """Return the test metrics of an epoch, a row for the replicas that differ only in their seeds.

    Parameters
    ----------
    metrics : rows (replica, epoch, split, metric, value). settings : of each replica. vary : the varied keys.
    """
    varied = [key for key in vary if key not in ("seed", "data_seed")]
    rows: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for replica, at, split, metric, value in metrics:
        if (at, split) == (epoch, "test"):
            label = tuple(str(getattr(settings[replica], key)) for key in varied)
            rows.setdefault(label, {}).setdefault(metric, []).append(value)
    return [
        {
            **dict(zip(varied, label, strict=True)),
            "replicas": str(max(map(len, found.values()))),
            **{f"test {metric}": f"{np.mean(values):.4g}" for metric, values in found.items()},
        }
        for label, found in rows.items()
    ]
