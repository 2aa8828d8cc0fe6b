"""Names, places and downloads."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pooch
import pytest
import requests

from circuitsim.data import fetch, load, names, path, registry
from circuitsim.errors import DataError

KNOWN = "one of cifar10, cluttered-digits, digits, fashion-mnist, lowrank, mnist, teacher, or a path that ends in .npz"


@pytest.mark.parametrize("call", [load, path, fetch])
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("minst", "Did you mean 'mnist'?"),
        ("CIFAR-10", "Did you mean 'cifar10'?"),
        ("fashion_mnist", "Did you mean 'fashion-mnist'?"),
        ("zzz", "Run `circuitsim data list` to see them."),
        ("", "Run `circuitsim data list` to see them."),
    ],
)
def test_unknown_names(call: object, name: str, remedy: str) -> None:
    message = f"name of a data set: got {name!r}; expected {KNOWN}. {remedy}"
    with pytest.raises(DataError, match=re.escape(message)):
        call(name)  # type: ignore[operator]


def test_list(small_mnist: Path) -> None:
    where = {entry.name: entry.where for entry in names()}
    assert where == {
        "cifar10": "not here: `circuitsim data fetch cifar10`",
        "cluttered-digits": "embedded",
        "digits": "embedded",
        "fashion-mnist": "not here: `circuitsim data fetch fashion-mnist`",
        "lowrank": "generated",
        "teacher": "generated",
        "mnist": str(small_mnist),
    }
    assert path("mnist") == small_mnist
    assert all(entry.what and "\n" not in entry.what for entry in names())


def test_list_goes_on_after_an_incomplete_one(small_mnist: Path) -> None:
    (small_mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    where = {entry.name: entry.where for entry in names()}
    assert where["mnist"] == f"unusable: data set 'mnist' in {small_mnist}: no file t10k-labels-idx1-ubyte.gz"


@pytest.mark.parametrize("call", [load, path])
def test_a_missing_file_is_named(small_mnist: Path, call: object) -> None:
    (small_mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    message = "data set 'mnist' in .*: got no file t10k-labels-idx1-ubyte.gz; expected all of train-images.*Put t10k"
    with pytest.raises(DataError, match=message):
        call("mnist")  # type: ignore[operator]


def test_a_file_in_place_of_the_folder(data_folder: Path) -> None:
    (data_folder / "mnist").write_text("")
    with pytest.raises(DataError, match=r"data set 'mnist' in .*: got a file; expected a folder"):
        load("mnist")


@pytest.mark.parametrize("exists", [True, False])
def test_variable_that_names_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    file = tmp_path / "file"
    if exists:
        file.write_text("")
    monkeypatch.setenv("CIRCUITSIM_DATA", str(file))
    got = "which is not a folder" if exists else "which is not there"
    for call in (names, lambda: load("mnist"), lambda: path("cifar10")):
        with pytest.raises(DataError, match=f"environment variable CIRCUITSIM_DATA: got '.*file', {got}; expected"):
            call()
    assert load("digits", test_limit=1).test.shape == (1, 64)


def test_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCUITSIM_DATA", "")
    with pytest.raises(
        DataError, match=r"data set 'mnist': got no files here; .*Run `circuitsim data fetch mnist`, or"
    ):
        path("mnist")


@pytest.mark.parametrize("call", [path, fetch])
@pytest.mark.parametrize(("name", "kind"), [("digits", "embedded"), ("lowrank", "generated")])
def test_nothing_to_fetch(call: object, name: str, kind: str) -> None:
    message = f"data set '{name}': got a data set that is {kind} and has no files; expected one of cifar10, .*just use"
    with pytest.raises(DataError, match=message):
        call(name)  # type: ignore[operator]


@pytest.mark.parametrize("call", [load, fetch])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_no_network(call: object, name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        call(name)  # type: ignore[operator]
    source = registry.SOURCES[name]
    message, first = str(caught.value), source.downloads[0].public_name
    assert message.startswith(f"download of data set '{name}', file {first}: got no file from")
    for mirror in source.mirrors:
        assert f"{mirror}{first} (ConnectionError: no route to" in message
    assert "set CIRCUITSIM_DATA to a folder that holds " + name in message
    assert all(f"{name}/{pinned.public_name}" in message for pinned in source.downloads)
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def serve(monkeypatch: pytest.MonkeyPatch, folder: Path, refuse: str = "none") -> list[str]:
    """Answer downloads from `folder`, and refuse addresses with `refuse` in them; returns the addresses asked for."""
    asked: list[str] = []

    def answer(self: object, url: str, output_file: str, *args: object, **kwargs: object) -> None:
        asked.append(url)
        if refuse in url:
            raise requests.exceptions.HTTPError("404 Client Error: Not Found")
        Path(output_file).write_bytes((folder / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", answer)
    return asked


@pytest.fixture
def elsewhere(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small data set as a server has it: not where it is looked for."""
    monkeypatch.delenv("CIRCUITSIM_DATA")
    return small_mnist


def test_download_on_load(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: object) -> None:
    asked = serve(monkeypatch, elsewhere, refuse="first")
    assert load("mnist").train.shape == (7, 20)
    assert len(asked) == 8 and asked[1].startswith("https://second.example/")
    assert path("mnist") == tmp_path / "cache" / "circuitsim" / "mnist"
    assert fetch("mnist") == path("mnist") and len(asked) == 8  # whole files are kept
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]


def test_own_folder_without_the_set_falls_through_to_the_cache(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(monkeypatch, elsewhere)
    fetch("mnist")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("CIRCUITSIM_DATA", str(tmp_path / "empty"))
    assert path("mnist") == tmp_path / "cache" / "circuitsim" / "mnist"


def test_a_part_in_the_cache_is_completed_and_a_damaged_file_replaced(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, elsewhere)
    folder = fetch("mnist")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    assert load("mnist").train.shape == (7, 20) and len(asked) == 5
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"got a damaged gzip file .* run `circuitsim data fetch mnist`"):
        load("mnist")
    fetch("mnist")
    assert load("mnist").train.shape == (7, 20) and len(asked) == 6


def test_another_file_is_not_kept(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (elsewhere / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"another"))
    serve(monkeypatch, elsewhere)
    with pytest.raises(
        DataError, match=r"no file from https://first.example/.*ValueError: (MD5|md5).*; https://second"
    ):
        load("mnist")
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_import_is_light() -> None:
    heavy = "{'sklearn', 'pyarrow', 'pooch', 'PIL', 'pandas', 'requests'}"
    code = f"import sys, circuitsim.data; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.stdout.strip() == ""


def test_variable_that_names_a_folder_out_of_reach(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", denied)
    with pytest.raises(DataError, match=r"CIRCUITSIM_DATA: got '.*', which is out of reach \(Permission denied\)"):
        names()
