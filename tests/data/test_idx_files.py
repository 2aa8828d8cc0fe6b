"""MNIST's format: read in all its packings, and refused when truncated or altered."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_sets import idx_bytes

from circuitsim.data import load
from circuitsim.data.idx import parse
from circuitsim.errors import DataError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PATH = Path("some/file")
REPEATED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def unpack(folder: Path, name: str) -> bytes:
    data = gzip.decompress((folder / f"{name}.gz").read_bytes())
    (folder / f"{name}.gz").unlink()
    (folder / name).write_bytes(data)
    return data


def test_pixels_labels_and_shapes(small_mnist: Path) -> None:
    data = load("mnist")
    raw = np.frombuffer(gzip.decompress((small_mnist / f"{IMAGES}.gz").read_bytes())[16:], np.uint8).reshape(7, 20)
    assert data.train.dtype == np.float32 and data.train.flags.c_contiguous and data.test.flags.c_contiguous
    assert np.array_equal(data.train, raw.astype(np.float32) / np.float32(255))
    assert np.array_equal(load("mnist", "float64").train, raw / 255.0)
    assert data.train_labels is not None and data.test_labels is not None
    assert data.train_labels.dtype == np.int64 and data.train_labels.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert data.test_labels.tolist() == [1, 2, 3]
    assert data.image_shape == (1, 4, 5) and data.features == 20 and data.name == "mnist"


def test_unpacked_and_packed_again_are_accepted(small_mnist: Path) -> None:
    before = load("mnist").train
    unpack(small_mnist, LABELS)
    data = gzip.decompress((small_mnist / f"{IMAGES}.gz").read_bytes())
    (small_mnist / f"{IMAGES}.gz").write_bytes(gzip.compress(data, compresslevel=1))
    assert np.array_equal(load("mnist").train, before)


def test_limits(small_mnist: Path) -> None:
    data, whole = load("mnist", train_limit=2, test_limit=1), load("mnist")
    assert np.array_equal(data.train, whole.train[:2]) and np.array_equal(data.test, whole.test[:1])
    assert data.train_labels is not None and data.train_labels.tolist() == [1, 2]


@pytest.mark.parametrize("limit", [0, -1, 8, True, 2.0, "2"])
def test_limits_out_of_range(small_mnist: Path, limit: object) -> None:
    expected = "expected a whole number, at least 1 and at most 7. Leave the limit out to use every row."
    message = f"train_limit of data set 'mnist': got {limit!r}; {expected}"
    with pytest.raises(DataError, match=re.escape(message)):
        load("mnist", train_limit=limit)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"test_limit of data set 'mnist': got 4; .* at most 3"):
        load("mnist", test_limit=4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got 0 bytes; expected an IDX header of 16 bytes"),
        (b"\0\0\x08\x03" + b"\0" * 11, "got 15 bytes; expected an IDX header of 16 bytes"),
        (struct.pack(">4I", 0x0801, 1, 1, 1), r"got the magic number 0x00000801; expected 0x00000803 \(unsigned bytes"),
        (struct.pack(">4I", 0x0D03, 1, 1, 1), "got the magic number 0x00000d03"),
        (struct.pack(">4I", 0x0803, 1, 2, 2) + b"123", "a file that ends after 19 bytes, where the header promises 20"),
        (struct.pack(">4I", 0x0803, 1, 2, 2) + b"12345", "ends after 21 bytes, where the header promises 20"),
        (struct.pack(">4I", 0x0803, *3 * [2**32 - 1]), "promises 79228162458924105385300197391"),
        (struct.pack(">4I", 0x0803, 0, 2, 2), r"got the empty shape \(0, 2, 2\)"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"data set 'mnist', file some/file: .*{message}"):
        parse(data, 3, PATH, "mnist")


def test_parse_is_the_inverse_of_writing() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(parse(idx_bytes(array), 3, PATH, "mnist"), array)


@REPEATED
@given(data=st.data(), packed=st.booleans())
def test_truncated_files_are_refused(small_mnist: Path, data: st.DataObject, packed: bool) -> None:
    original = (small_mnist / f"{IMAGES}.gz").read_bytes()
    try:
        raw = original if packed else unpack(small_mnist, IMAGES)
        target = small_mnist / (f"{IMAGES}.gz" if packed else IMAGES)
        target.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
        with pytest.raises(DataError, match=f"data set 'mnist', file .*{IMAGES}.*(ends (early|after)|bytes)"):
            load("mnist")
    finally:
        (small_mnist / IMAGES).unlink(missing_ok=True)
        (small_mnist / f"{IMAGES}.gz").write_bytes(original)


def test_any_altered_byte_of_an_unpacked_file_is_refused(small_mnist: Path) -> None:
    raw = unpack(small_mnist, IMAGES)
    for i in range(len(raw)):
        (small_mnist / IMAGES).write_bytes(raw[:i] + bytes((raw[i] ^ 1 << i % 8,)) + raw[i + 1 :])
        with pytest.raises(DataError, match=f"file .*{IMAGES}: got .*(magic|promises|empty|checksum md5:)"):
            load("mnist")


def test_any_altered_bit_of_a_packed_file_is_refused_or_without_effect(small_mnist: Path) -> None:
    """Without effect: the header's hint of text (byte 3, bit 0), time (4 to 7), effort (8), system (9); padding."""
    target, whole = small_mnist / f"{IMAGES}.gz", load("mnist").train
    raw, accepted = target.read_bytes(), []
    for i, bit in ((i, bit) for i in range(len(raw)) for bit in range(8)):
        target.write_bytes(raw[:i] + bytes((raw[i] ^ 1 << bit,)) + raw[i + 1 :])
        try:
            assert np.array_equal(load("mnist").train, whole)
            accepted.append((i, bit))
        except DataError as error:
            assert re.search(f"file .*{IMAGES}.gz: got ", str(error))
    header = {(3, 0), *((i, bit) for i in range(4, 10) for bit in range(8))}
    assert header <= set(accepted) and len(accepted) <= len(header) + 7  # padding: less than a byte in one block


def test_another_file_of_the_same_shape_is_refused(small_mnist: Path) -> None:
    (small_mnist / f"{LABELS}.gz").write_bytes(gzip.compress(idx_bytes(np.zeros(7, np.uint8))))
    message = f"{LABELS}.gz: got content with the checksum md5:[0-9a-f]+; expected the published md5:[0-9a-f]+. Put an"
    with pytest.raises(DataError, match=message):
        load("mnist")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", r"got a gzip file that ends early \(after 0 bytes of content\); expected a whole gzip file"),
        (b"not gzip at all", r"got a damaged gzip file \(Error -3 .*incorrect header check\)"),
        (gzip.compress(b"x" * 100_000), "got more than 15 bytes when unpacked; expected 15 bytes"),
    ],
)
def test_damaged_packing(small_mnist: Path, raw: bytes, message: str) -> None:
    (small_mnist / f"{LABELS}.gz").write_bytes(raw)
    with pytest.raises(DataError, match=f"data set 'mnist', file .*{LABELS}.gz: {message}"):
        load("mnist")


def test_bytes_after_the_packing(small_mnist: Path) -> None:
    with (small_mnist / f"{LABELS}.gz").open("ab") as file:
        file.write(b"\0\0\0")
    with pytest.raises(DataError, match="got 3 bytes after the end of the gzip file"):
        load("mnist")


def test_a_folder_in_place_of_a_file(small_mnist: Path) -> None:
    (small_mnist / f"{LABELS}.gz").unlink()
    (small_mnist / f"{LABELS}.gz").mkdir()
    with pytest.raises(DataError, match=f"file .*{LABELS}.gz: got a folder; expected a readable file"):
        load("mnist")


def test_no_permission(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(DataError, match=f"{IMAGES}.gz: got a file that may not be read .* Change its permissions"):
        load("mnist")


def test_no_permission_for_the_folder(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(DataError, match=r"Permission denied.* Change the permissions of its folder"):
        load("mnist")


@pytest.mark.parametrize("dtype", ["float16", "int64", "nonsense", None, 3])
def test_other_types_are_refused(small_mnist: Path, dtype: object) -> None:
    with pytest.raises(DataError, match=re.escape(f"dtype of a data set: got {dtype!r}; expected float32 or float64")):
        load("mnist", dtype)  # type: ignore[arg-type]
