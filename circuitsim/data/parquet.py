"""CIFAR-10 in Parquet, in the layout of the public hub's image data sets.

One row is `img`, a structure of the encoded image (`bytes`) and its `path`, and `label`. The pinned pair holds JPEG
copies of the images in a fixed shuffled order, so pixels, and errors measured on them, differ a little from those of
the author's files.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.data.cifar import CLASSES, FEATURES, IMAGE_SHAPE
from circuitsim.data.dataset import Array, Limits, Raw, Split, rows_to_take
from circuitsim.data.files import check_digest, check_size, content, damaged
from circuitsim.data.registry import Form, PinnedFile
from circuitsim.errors import DataError


def read(folder: Path, form: Form, name: str, limits: Limits) -> Raw:
    """The two files of `form`: training and test."""
    train, test = form.files
    return Raw(
        _split(folder, train, name, limits.train, "train_limit"),
        _split(folder, test, name, limits.test, "test_limit"),
        IMAGE_SHAPE,
    )


def parse(data: bytes, limit: int | None, what: str, path: Path, name: str) -> Split:
    """The first rows of the Parquet file in `data`; no more rows are decoded than `limit` (called `what`) asks for."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        n = rows_to_take(file.metadata.num_rows, limit, what)
        pixels, labels = np.empty((n, FEATURES), np.uint8), np.empty(n, np.int64)
        for i, (image, label) in zip(range(n), _rows(file), strict=False):
            pixels[i], labels[i] = decoded(image), _checked_class(label)
    except DataError:
        raise
    # A Parquet or image file that is not what it says can fail anywhere in two large decoders.
    except Exception as error:
        got = f"a file that cannot be decoded ({type(error).__name__}: {error})"
        raise damaged(name, path, got, "Parquet with the columns img.bytes (32 x 32 colour images) and label") from None
    return Split(pixels, labels)


def decoded(image: bytes) -> Array:
    """Pixels of one encoded image, flattened channel, row, column; raise ValueError unless it is 32 x 32 RGB."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        if picture.mode != "RGB" or picture.size != (32, 32):
            raise ValueError(f"an image of the mode {picture.mode} and the size {picture.size}")
        return np.asarray(picture).transpose(2, 0, 1).reshape(-1)


def _split(folder: Path, pinned: PinnedFile, name: str, limit: int | None, what: str) -> Split:
    path, data, _ = content(folder, pinned, name)
    check_size(data, path, pinned, name)
    check_digest(data, path, pinned, name)
    return parse(data, limit, f"{what} of data set '{name}'", path, name)


def _rows(file: Any) -> Iterator[tuple[bytes, int]]:
    for batch in file.iter_batches(batch_size=1000, columns=["img.bytes", "label"]):
        images, labels = batch.column("img").field("bytes"), batch.column("label")
        yield from zip(images.to_pylist(), labels.to_pylist(), strict=True)


def _checked_class(label: object) -> int:
    if not isinstance(label, int) or not 0 <= label < CLASSES:
        raise ValueError(f"the label {label}")
    return label
