"""A user's own archive: what is accepted and what is refused."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuitsim.data import load, path
from circuitsim.errors import DataError

X = np.arange(22.0).reshape(11, 2)
Y = np.arange(11)


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, data in members.items():
            archive.writestr(f"{key}.npy", data)
    return stream.getvalue()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_last_fifth_rounded_up_is_the_test(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=Y))
    assert data.train.dtype == np.float32
    assert data.train.tolist() == X[:8].tolist() and data.test.tolist() == X[8:].tolist()
    assert data.train_labels is not None and data.test_labels is not None
    assert data.train_labels.dtype == np.int64 and data.test_labels.tolist() == [8, 9, 10]
    assert data.image_shape is None and data.name == str(tmp_path / "own.npz") == str(path(data.name))
    assert load(saved(tmp_path, x=X), train_limit=3).train_labels is None


def test_own_test_rows(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=Y.astype(np.uint8), x_test=X[:1], y_test=[7]), "float64", test_limit=1)
    assert len(data.train) == 11 and data.test.tolist() == [[0.0, 1.0]] and data.test.dtype == np.float64
    assert data.test_labels is not None and data.test_labels.tolist() == [7]


@pytest.mark.parametrize("order", ["C", "F"])
def test_bytes_are_pixels(tmp_path: Path, order: Any) -> None:
    x = np.arange(160, dtype=np.uint8).reshape((5, 4, 8), order="C").copy(order)
    data = load(saved(tmp_path, x=x))
    assert np.array_equal(data.train, x[:4].reshape(4, 32).astype(np.float32) / np.float32(255))
    assert data.image_shape == (1, 4, 8) and data.train.flags.c_contiguous


@pytest.mark.parametrize("kind", ["?", "<i2", ">f4", "f2", "u2", "i8"])
def test_other_numbers_are_used_as_they_are(tmp_path: Path, kind: str) -> None:
    x = (X % 2).astype(kind)
    assert load(saved(tmp_path, x=x)).train.tolist() == (X[:8] % 2).tolist()


@pytest.mark.parametrize(
    ("shape", "expected"), [((5, 3, 4, 4), (3, 4, 4)), ((5, 8, 8, 3), None), ((5, 2, 2, 2, 2), None)]
)
def test_image_shapes(tmp_path: Path, shape: tuple[int, ...], expected: object) -> None:
    assert load(saved(tmp_path, x=np.zeros(shape))).image_shape == expected


BAD = X.copy()
BAD[7, 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "got no arrays; expected an array 'x' of examples"),
        ({"y": Y}, "got y; expected an array 'x' of examples"),
        ({"x": X, "z": Y}, "got the member 'z.npy'; expected each at most once: x, y, x_test, y_test"),
        ({"x": X[:, 0]}, "array 'x': got 1 axes; expected at least 2"),
        ({"x": 1.0}, "array 'x': got 0 axes"),
        ({"x": X[:0]}, "array 'x': got the shape (0, 2); expected at least one example and one feature"),
        ({"x": X[:, :0]}, "array 'x': got the shape (11, 0)"),
        ({"x": X[:1]}, "array 'x': got 1 example; expected at least 2, as the last fifth is the test"),
        ({"x": BAD}, "array 'x': got a value in row 7 that is infinite or not a number; expected finite values"),
        ({"x": X, "x_test": -np.inf * X[1:]}, "array 'x_test': got a value in row 0 that is infinite"),
        ({"x": X * 1e300}, "array 'x': got a value of size 2.1e+301; expected values that float32 can hold"),
        ({"x": X + 1j}, "array 'x': got the type complex128; expected real numbers"),
        ({"x": X.astype(str)}, "array 'x': got the type <U32; expected real numbers"),
        ({"x": X.astype(object)}, "array 'x': got an array of Python objects; expected an array of numbers"),
        ({"x": X, "y": Y.astype(object)}, "array 'y': got an array of Python objects"),
        ({"x": X, "y": Y[:9]}, "array 'y': got 9 classes; expected 11, one for each row of 'x'"),
        ({"x": X, "y": Y[:, None]}, "array 'y': got 2 axes; expected 1: a class for each example"),
        ({"x": X, "y": Y + 0j}, "array 'y': got the type complex128; expected whole numbers"),
        ({"x": X, "y": Y > 3}, "array 'y': got the type bool; expected whole numbers"),
        ({"x": X, "y": Y - 1}, "array 'y': got classes from -1 to 9; expected classes that count from 0"),
        ({"x": X, "y": Y.astype("u8") + 2**63}, "array 'y': got classes from 9223372036854775808"),
        ({"x": X, "x_test": X[:, :1]}, "array 'x_test': got rows of the shape (1,); expected (2,), as in 'x'"),
        ({"x": X, "x_test": X.astype("u1")}, "array 'x_test': got the type uint8; expected the type of 'x', float64"),
        ({"x": X, "y_test": Y}, "got x, y_test; expected 'x_test' beside 'y_test'"),
        ({"x": X, "y": Y, "x_test": X}, "got x, y, x_test; expected classes of both splits or of neither"),
        ({"x": X, "x_test": X, "y_test": Y}, "got x, x_test, y_test; expected classes of both splits or of neither"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y[1:]}, "array 'y_test': got 10 classes; expected 11"),
    ],
)
def test_malformed_arrays(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"data file .*own.npz.*{re.escape(message)}"):
        load(saved(tmp_path, **arrays))


LYING = npy(X).replace(b"(11, 2)", b"(10, 2)")
HUGE = npy(X).replace(b"(11, 2), }     ", b"(9999999999999,2)}")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "got a file that cannot be read (BadZipFile"),
        (b"no archive", "got a file that cannot be read (BadZipFile"),
        (npy(X), "got a file that cannot be read (BadZipFile"),
        (pickle.dumps(X), "got a file that cannot be read (BadZipFile"),
        (zipped(x=npy(X))[:-30], "got a file that cannot be read (BadZipFile"),
        (zipped(x=b""), "array 'x': got an array that cannot be read (ValueError"),
        (zipped(x=npy(X)[:-1]), "array 'x': got an array that cannot be read (ValueError"),
        (zipped(x=npy(X) + b"1"), "array 'x': got 1 bytes after its last value"),
        (zipped(x=LYING), "array 'x': got 16 bytes after its last value"),
        (zipped(x=HUGE), "array 'x': got an array that cannot be read"),
        (zipped(x=npy(X)).replace(b"(11, 2)", b"(10, 2)"), "got a file that cannot be read (BadZipFile: Bad CRC-32"),
        (zipped(x=npy(X)).replace(b"x.npy", b"x.txt"), "got the member 'x.txt'"),
        (zipped(x=npy(X), y=npy(X)).replace(b"y.npy", b"x.npy"), "got twice the member 'x.npy'"),
    ],
)
def test_malformed_files(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "own.npz").write_bytes(raw)
    with pytest.raises(DataError, match=f"data file .*own.npz.*{re.escape(message)}"):
        load(str(tmp_path / "own.npz"))


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: got no such file; expected a readable file"):
        load(str(tmp_path / "none.npz"))
    with pytest.raises(DataError, match=r"none\.npz: got no such file; expected a file. Correct the path."):
        path(str(tmp_path / "none.npz"))
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match=r"folder\.npz: got a folder; expected a readable file"):
        load(str(tmp_path / "folder.npz"))
    with pytest.raises(DataError, match=r"got a file that cannot be read|got no such file"):
        load("null\0.npz")


def test_limit_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_limit of .*own.npz: got 9; .* at most 8"):
        load(saved(tmp_path, x=X), train_limit=9)


CLASSES = np.repeat(np.arange(10), 30)


def test_rows_that_are_sorted_by_class_are_shuffled_before_the_split(tmp_path: Path) -> None:
    x = np.column_stack([CLASSES, np.arange(300)]).astype(float)
    loaded = load(saved(tmp_path, x=x, y=CLASSES[::-1].copy()))
    assert loaded.note.endswith("sorted by class: its rows are shuffled, since the last fifth, which is the test, "
                                "would have only some of the classes")  # fmt: skip
    assert loaded.train_labels is not None and loaded.test_labels is not None
    assert set(loaded.train_labels) == set(loaded.test_labels) == set(range(10))
    rows = np.vstack([loaded.train, loaded.test])
    assert sorted(rows[:, 1]) == list(range(300))
    assert (9 - rows[:, 0] == np.concatenate([loaded.train_labels, loaded.test_labels])).all()
    assert np.array_equal(loaded.train, load(saved(tmp_path, x=x, y=CLASSES[::-1].copy())).train)


def test_a_limit_takes_rows_of_all_classes(tmp_path: Path) -> None:
    name = saved(tmp_path, x=np.eye(300, 3), y=CLASSES, x_test=np.eye(300, 3), y_test=CLASSES)
    whole = load(name)
    assert not whole.note and np.array_equal(whole.train, np.eye(300, 3))  # as they lie, where all are taken
    cut = load(name, train_limit=100)
    assert "since the rows that train_limit=100 takes would have only some of the classes" in cut.note
    assert cut.train_labels is not None and len(set(cut.train_labels)) == 10
    assert np.array_equal(cut.test, whole.test)
    both = load(name, train_limit=100, test_limit=50)
    assert "the rows that train_limit=100 takes and the rows that test_limit=50 takes" in both.note


def test_other_rows_stay_as_they_are(tmp_path: Path) -> None:
    mixed = CLASSES.copy()
    mixed[0] = 9
    for y in (mixed, None, np.zeros(300, int), np.arange(300)):
        loaded = load(saved(tmp_path, x=np.arange(300.0)[:, None], **({} if y is None else {"y": y})))
        assert not loaded.note and np.array_equal(loaded.train[:, 0], np.arange(240))


def test_what_shuffling_does_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from running import circuitsim, skip_report

    skip_report(monkeypatch)
    x = np.random.default_rng(0).random((300, 4)) + CLASSES[:, None]
    options = ["--set", "sizes=[4,8,10]", "--set", "epochs=1", "--set", "batch=30"]
    name = saved(tmp_path, x=x, y=CLASSES)
    assert circuitsim("run", "classifier", "--set", f"dataset={name}", *options, "--out", tmp_path / "a") == 0
    assert "is sorted by class: its rows are shuffled" in capsys.readouterr().out
    name = saved(tmp_path, x=x, y=CLASSES, x_test=x, y_test=CLASSES)
    options += ["--set", "shuffle=false"]
    assert circuitsim("run", "classifier", "--set", f"dataset={name}", *options, "--out", tmp_path / "b") == 0
    said = "shuffle is false, and the examples are sorted by class: most batches have one class"
    assert said in capsys.readouterr().out
