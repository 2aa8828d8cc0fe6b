"""CIFAR-10 in its author's binary form: the archive, or the batches unpacked from it.

A record is one label byte, then 3,072 pixel bytes: 1,024 red, 1,024 green, 1,024 blue, each row by row; a batch is
10,000 records. Source: Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
"""

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import Path

import numpy as np

from circuitsim.data.dataset import Limits, Raw, Split, cut
from circuitsim.data.files import check_digest, check_size, content, damaged
from circuitsim.data.registry import Form

IMAGE_SHAPE = (3, 32, 32)
CLASSES = 10
FEATURES = 3 * 32 * 32
_RECORD = 1 + FEATURES
_FOLDER = "cifar-10-batches-bin"
_MEMBERS = (*(f"{_FOLDER}/data_batch_{i}.bin" for i in range(1, 6)), f"{_FOLDER}/test_batch.bin")


def parse_batch(data: bytes, path: Path, name: str) -> Split:
    """The records in `data`; raise DataError naming `path` and data set `name`."""
    if not data or len(data) % _RECORD:
        raise damaged(name, path, f"{len(data)} bytes", f"a whole number of records of {_RECORD} bytes, at least one")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() >= CLASSES:
        raise damaged(name, path, f"the label {records[:, 0].max()}", f"labels from 0 to {CLASSES - 1}")
    return Split(records[:, 1:], records[:, 0])


def read_batches(folder: Path, form: Form, name: str, limits: Limits) -> Raw:
    """The six files of `form`: five batches to train on, one to test."""
    splits = []
    for pinned in form.files:
        path, data, _ = content(folder, pinned, name)
        check_size(data, path, pinned, name)
        check_digest(data, path, pinned, name)
        splits.append(parse_batch(data, path, name))
    return _joined(splits, name, limits)


def read_archive(folder: Path, form: Form, name: str, limits: Limits) -> Raw:
    """The one file of `form`, a tar archive packed by gzip, read in memory: nothing is unpacked to disk."""
    path, data, _ = content(folder, form.files[0], name)
    check_digest(data, path, form.files[0], name)
    return _joined([parse_batch(batch, path, name) for batch in _members(data, path, name)], name, limits)


def _members(data: bytes, path: Path, name: str) -> list[bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            # One pass in the archive's own order: seeking back in a gzip stream unpacks it again from the start.
            streams = ((m.name, archive.extractfile(m)) for m in archive if m.name in _MEMBERS)
            found = {member: stream.read() for member, stream in streams if stream is not None}
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise damaged(name, path, f"an archive that cannot be read ({error})", "a tar archive packed by gzip") from None
    missing = [member for member in _MEMBERS if member not in found]
    if missing:
        raise damaged(name, path, f"an archive without {', '.join(missing)}", "the six batches")
    return [found[member] for member in _MEMBERS]


def _joined(splits: list[Split], name: str, limits: Limits) -> Raw:
    """All but the last batch are training data."""
    rows = np.concatenate([split.rows for split in splits[:-1]])
    labels = np.concatenate([split.labels for split in splits[:-1] if split.labels is not None])
    train = cut(Split(rows, labels), limits.train, f"train_limit of data set '{name}'")
    return Raw(train, cut(splits[-1], limits.test, f"test_limit of data set '{name}'"), IMAGE_SHAPE)
