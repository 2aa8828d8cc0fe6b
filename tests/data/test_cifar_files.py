"""CIFAR-10's three layouts, on a few made-up images."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from small_sets import pinned

from circuitsim.data import load, parquet
from circuitsim.data.cifar import parse_batch
from circuitsim.data.registry import Form
from circuitsim.errors import DataError

PATH = Path("some/file")
NAMES = [f"cifar-10-batches-bin/{name}.bin" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")]
RANDOM = np.random.default_rng(0)
BATCHES = {name: bytes([i]) + RANDOM.bytes(3072) + bytes([9 - i]) + RANDOM.bytes(3072) for i, name in enumerate(NAMES)}


def archive_of(batches: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in batches.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def parquet_of(images: list[bytes | None], labels: list[object]) -> bytes:
    stream = pa.BufferOutputStream()
    rows = [{"bytes": image, "path": "some.png"} for image in images]
    pq.write_table(pa.table({"img": rows, "label": labels}), stream)
    return stream.getvalue().to_pybytes()


PIXELS = RANDOM.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
PARQUET = parquet_of([encoded(image) for image in PIXELS], [3, 1, 4, 1, 5])


@pytest.fixture
def folder(data_folder: Path) -> Path:
    made = data_folder / "cifar10"
    (made / "cifar-10-batches-bin").mkdir(parents=True)
    return made


@pytest.fixture
def put(folder: Path, register: Callable[..., None]) -> Callable[..., Path]:
    """Write and register one layout."""

    def write(reader: str, contents: dict[str, bytes]) -> Path:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        register("cifar10", Form(reader, tuple(pinned(name, data) for name, data in contents.items())))
        return folder

    return write


@pytest.mark.parametrize("reader", ["batches", "archive"])
def test_binary_form(put: Callable[..., Path], reader: str) -> None:
    put(reader, BATCHES if reader == "batches" else {"cifar-10-binary.tar.gz": archive_of(BATCHES)})
    data = load("cifar10")
    first = np.frombuffer(BATCHES[NAMES[0]][1:3073], np.uint8)
    assert data.train.shape == (10, 3072) and data.test.shape == (2, 3072) and data.image_shape == (3, 32, 32)
    assert np.array_equal(data.train[0], first.astype(np.float32) / np.float32(255))
    assert data.train_labels is not None and data.test_labels is not None
    assert data.train_labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5] and data.test_labels.tolist() == [5, 4]
    assert data.train.flags.c_contiguous and data.test.flags.c_contiguous
    assert load("cifar10", train_limit=3, test_limit=1).train.shape == (3, 3072)


def test_members_in_another_order(put: Callable[..., Path]) -> None:
    others = {"cifar-10-batches-bin/readme.html": b"hello"}
    put("archive", {"cifar-10-binary.tar.gz": archive_of(others | dict(reversed(BATCHES.items())))})
    assert load("cifar10").train_labels.tolist()[:2] == [0, 9]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got 0 bytes; expected a whole number of records of 3073 bytes"),
        (b"\0" * 3072, "got 3072 bytes"),
        (b"\x0a" + b"\0" * 3072, "got the label 10; expected labels from 0 to 9"),
    ],
)
def test_malformed_batches(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"data set 'cifar10', file some/file: {message}"):
        parse_batch(data, PATH, "cifar10")


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "got an archive that cannot be read"),
        (b"no archive", "got an archive that cannot be read .*not a gzip file"),
        (gzip.compress(b"no archive"), "got an archive that cannot be read"),
        (archive_of(BATCHES)[:-5000], "got an archive that cannot be read .*ended before"),
        (archive_of({}), "got an archive without cifar-10-batches-bin/data_batch_1.bin, .*; expected the six batches"),
        (archive_of(BATCHES | {NAMES[5]: b"123"}), "got 3 bytes; expected a whole number of records"),
    ],
    ids=["empty", "text", "packed text", "cut", "no batches", "short batch"],  # archives hold the time they were made
)
def test_malformed_archives(put: Callable[..., Path], archive: bytes, message: str) -> None:
    put("archive", {"cifar-10-binary.tar.gz": archive})
    with pytest.raises(DataError, match=f"data set 'cifar10', file .*cifar-10-binary.tar.gz: {message}"):
        load("cifar10")


@pytest.mark.parametrize(
    ("reader", "contents"),
    [
        ("batches", BATCHES),
        ("archive", {"cifar-10-binary.tar.gz": archive_of(BATCHES)}),
        ("parquet", {"train.parquet": PARQUET, "test.parquet": PARQUET}),
    ],
)
def test_altered_and_truncated_files_are_refused(
    put: Callable[..., Path], reader: str, contents: dict[str, bytes]
) -> None:
    folder = put(reader, contents)
    for name, data in contents.items():
        for i in (0, 4, 9, len(data) // 2, len(data) - 1, *RANDOM.integers(0, len(data), 20).tolist()):
            (folder / name).write_bytes(data[:i] + bytes((data[i] ^ 4,)) + data[i + 1 :])
            with pytest.raises(DataError, match=f"file .*{name}: got content with the checksum md5:.* expected the p"):
                load("cifar10")
            (folder / name).write_bytes(data[:i])
            with pytest.raises(DataError, match=f"file .*{name}: got ({i} bytes; expected {len(data)}|content with)"):
                load("cifar10")
        (folder / name).write_bytes(data)
    load("cifar10")


def test_parquet_form(put: Callable[..., Path]) -> None:
    put("parquet", {"train.parquet": PARQUET, "test.parquet": PARQUET})
    data = load("cifar10", "float64", train_limit=2)
    assert data.train.shape == (2, 3072) and data.test.shape == (5, 3072) and data.image_shape == (3, 32, 32)
    assert np.array_equal(data.train, PIXELS[:2].transpose(0, 3, 1, 2).reshape(2, -1) / 255)
    assert data.train_labels is not None and data.train_labels.tolist() == [3, 1]
    with pytest.raises(DataError, match=r"test_limit of data set 'cifar10': got 6; .* at most 5"):
        load("cifar10", test_limit=6)


def test_parquet_decodes_no_more_rows_than_asked() -> None:
    split = parquet.parse(parquet_of([encoded(PIXELS[0]), b"no image"], [1, 2]), 1, "limit", PATH, "cifar10")
    assert split.rows.shape == (1, 3072)


GRAY, SMALL = encoded(PIXELS[0, :, :, 0]), encoded(PIXELS[0, :31])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ArrowInvalid"),
        (b"no parquet file at all", "ArrowInvalid"),
        (PARQUET[:-100], "ArrowInvalid"),
        (parquet_of([b"no image"], [1]), "UnidentifiedImageError"),
        (parquet_of([encoded(PIXELS[0])[:-1000]], [1]), "OSError"),
        (parquet_of([None, encoded(PIXELS[0])], [1, 1]), "Error"),
        (parquet_of([GRAY], [1]), "an image of the mode L and the size .32, 32."),
        (parquet_of([SMALL], [1]), "an image of the mode RGB and the size .32, 31."),
        (parquet_of([encoded(PIXELS[0])], [10]), "the label 10"),
        (parquet_of([encoded(PIXELS[0])], [None]), "the label None"),
        (parquet_of([encoded(PIXELS[0])], ["cat"]), "the label cat"),
        (parquet_of([encoded(PIXELS[0])], [1]).replace(b"label", b"lobel"), "label"),
    ],
)
def test_malformed_parquet(data: bytes, message: str) -> None:
    start = "data set 'cifar10', file some/file: got a file that cannot be decoded"
    with pytest.raises(DataError, match=rf"{start} \(.*{message}.*expected Parquet with the columns"):
        parquet.parse(data, None, "limit", PATH, "cifar10")


def test_any_complete_layout_serves(folder: Path, register: Callable[..., None]) -> None:
    pair = tuple(pinned(name, PARQUET) for name in ("train.parquet", "test.parquet"))
    register("cifar10", Form("parquet", pair), Form("batches", tuple(pinned(n, d) for n, d in BATCHES.items())))
    (folder / "train.parquet").write_bytes(PARQUET)
    with pytest.raises(DataError, match=r"data set 'cifar10' in .*: got no file test.parquet; .* Put test.parquet"):
        load("cifar10")
    for name, data in BATCHES.items():
        (folder / name).write_bytes(data)
    assert len(load("cifar10").train) == 10
