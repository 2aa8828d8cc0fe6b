"""MNIST's IDX format: magic number, dimensions, bytes.

Big-endian: two zero bytes, a type (0x08: unsigned byte), the number of dimensions, each dimension in four bytes, then
the values, the last dimension changing fastest. Source: LeCun, Cortes & Burges, "The MNIST database", section "The IDX
file format".
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from circuitsim.data.dataset import Array, Limits, Raw, Split, rows_to_take
from circuitsim.data.files import check_digest, content, damaged
from circuitsim.data.registry import Form, PinnedFile

_UNSIGNED_BYTE = 0x08


def parse(data: bytes, ndim: int, path: Path, name: str) -> Array:
    """The array in `data`, `ndim` dimensions of uint8; raise DataError naming `path` and data set `name`."""
    header = 4 + 4 * ndim
    if len(data) < header:
        raise damaged(name, path, f"{len(data)} bytes", f"an IDX header of {header} bytes and what it promises")
    magic, expected = data[:4].hex(), bytes((0, 0, _UNSIGNED_BYTE, ndim)).hex()
    if magic != expected:
        raise damaged(name, path, f"the magic number 0x{magic}", f"0x{expected} (unsigned bytes, {ndim} dimensions)")
    shape = struct.unpack(f">{ndim}I", data[4:header])
    promised = header + math.prod(shape)  # Python's integers: three dimensions of four bytes overflow 64 bits
    if len(data) != promised:
        got = f"a file that ends after {len(data)} bytes, where the header promises {promised} ({shape})"
        raise damaged(name, path, got, "as many bytes as the header promises")
    if 0 in shape:
        raise damaged(name, path, f"the empty shape {shape}", "at least one value")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read(folder: Path, form: Form, name: str, limits: Limits) -> Raw:
    """The four files of `form`: training images and labels, test images and labels."""
    images, labels, test_images, test_labels = form.files
    train, shape = _split(folder, images, labels, name, limits.train, "train_limit")
    test, test_shape = _split(folder, test_images, test_labels, name, limits.test, "test_limit")
    if shape != test_shape:
        raise damaged(name, folder, f"test images of the shape {test_shape}", f"{shape}, as the training images")
    return Raw(train, test, (1, *shape))


def _split(
    folder: Path, images: PinnedFile, labels: PinnedFile, name: str, limit: int | None, what: str
) -> tuple[Split, tuple[int, int]]:
    pixels = _array(folder, images, 3, name)
    classes = _array(folder, labels, 1, name)
    if len(pixels) != len(classes):
        raise damaged(name, folder / labels.name, f"{len(classes)} labels", f"{len(pixels)}, one an image")
    n = rows_to_take(len(pixels), limit, f"{what} of data set '{name}'")
    rows, columns = pixels.shape[1:]
    return Split(pixels[:n].reshape(n, rows * columns), classes[:n]), (rows, columns)


def _array(folder: Path, pinned: PinnedFile, ndim: int, name: str) -> Array:
    path, data, packed = content(folder, pinned, name)
    array = parse(data, ndim, path, name)
    check_digest(data, path, pinned, name, packed)
    return array
