"""Small data sets in the published formats, registered in place of the real ones; no test reaches the network."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pooch
import pytest
import requests
from small_sets import idx_bytes, pinned

from circuitsim.data import registry
from circuitsim.data.registry import Form, Source

REAL_DATA = os.environ.get("CIRCUITSIM_DATA", "")


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the user's data, nor the user's cache, nor a network."""

    def offline(self: object, url: str, *args: object, **kwargs: object) -> NoReturn:
        raise requests.exceptions.ConnectionError(f"no route to {url}")

    monkeypatch.delenv("CIRCUITSIM_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", offline)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    if not REAL_DATA:
        pytest.skip("CIRCUITSIM_DATA names no folder with the real data sets")
    monkeypatch.setenv("CIRCUITSIM_DATA", REAL_DATA)
    return Path(REAL_DATA)


@pytest.fixture
def data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder that CIRCUITSIM_DATA names."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("CIRCUITSIM_DATA", str(folder))
    return folder


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a source with these layouts in the place of `name`."""

    def put(name: str, *forms: Form) -> None:
        downloads = forms[0].files
        mirrors = ("https://first.example/", "https://second.example/")
        monkeypatch.setitem(registry.SOURCES, name, Source(name, "a few examples", forms, downloads, mirrors))

    return put


@pytest.fixture
def small_mnist(data_folder: Path, register: Callable[..., None]) -> Path:
    """Seven training and three test images of 4 x 5 pixels, as MNIST, packed; returns their folder."""
    random = np.random.default_rng(0)
    folder = data_folder / "mnist"
    folder.mkdir()
    files = []
    for part, n in (("train", 7), ("t10k", 3)):
        images = idx_bytes(random.integers(0, 256, (n, 4, 5), dtype=np.uint8))
        labels = idx_bytes(np.arange(n, dtype=np.uint8) + 1)
        for name, data in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            packed = gzip.compress(data, mtime=1)
            (folder / f"{name}.gz").write_bytes(packed)
            files.append(pinned(name, data, packed))
    register("mnist", Form("idx", tuple(files)))
    return folder
