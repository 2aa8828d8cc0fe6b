"""Machines that lack something: no home, no cache that can be kept, names that are not UTF-8, odd variables."""

from __future__ import annotations

import errno
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest
from numba.core.caching import FunctionCache
from running import COMMAND, circuitsim, run, skip_report, start

from circuitsim.compilation import compiled, tell_of_compilation
from circuitsim.data import locate
from circuitsim.environment import expanded, home_is_known, readable
from circuitsim.kernels.sources import written
from circuitsim.runs import tables
from circuitsim.runs.config import replicas
from circuitsim.runs.lookup import load_scenario

SOURCE = """from circuitsim.compilation import compiled

@compiled()
def twice(x):
    return 2 * x
"""


def loaded(path: Path) -> ModuleType:
    """The module in a file, executed anew as by another process."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a compiled function, and a folder beside it for what is compiled."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc", "*.nb?"])
@pytest.mark.parametrize("left", [0, 20, None])
def test_a_damaged_cache_is_made_anew(kind: str, left: int | None, cached: Path) -> None:
    assert loaded(cached).twice(2) == 4
    files = sorted((cached.parent / "cache").rglob(kind))
    assert files
    for path in files:
        path.write_bytes(b"another program's" * 9 if left is None else path.read_bytes()[:left])
    damaged = loaded(cached).twice
    assert damaged(3) == 6 and not damaged.stats.cache_hits
    again = loaded(cached).twice
    assert again(4) == 8 and sum(again.stats.cache_hits.values()) == 1  # kept as if nothing had happened


def test_a_full_disk_does_not_keep_a_kernel_from_running(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FunctionCache, "save_overload", full)
    assert loaded(cached).twice(2) == 4


def test_a_function_without_a_place_for_a_cache_is_compiled_in_memory() -> None:
    names: dict[str, Any] = {}
    exec(SOURCE, names)  # of no file
    assert names["twice"](2) == 4
    assert compiled()(lambda x: x + 1)(1) == 2


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that has no entry among the passwords, as in a container, and no HOME."""

    def unknown(*_: object) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "XDG_CACHE_HOME", locate.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    skip_report(monkeypatch)
    assert not home_is_known() and locate.cache_folder() is None and written("x = 1", "kernel.py") is None
    assert circuitsim("data", "list") == 0 and "not here: `circuitsim data fetch mnist`" in capfd.readouterr().out
    assert circuitsim("data", "fetch", "mnist") == 2
    assert "got a user without a home folder; expected a folder for downloads. Set HOME or" in capfd.readouterr().err
    assert run(tmp_path / "run", "--backend", "numpy", epochs=0) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # no folder named ~


@pytest.mark.usefixtures("homeless")
def test_without_a_home_kernels_keep_nothing_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)
    (tmp_path / "__pycache__").write_text("a file where the folder would be")
    assert loaded(path).twice(2) == 4
    assert sorted(one.name for one in tmp_path.iterdir()) == ["__pycache__", "kernels.py"]


def test_a_relative_cache_folder_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert not home_is_known()


def test_a_user_that_nobody_knows_is_part_of_a_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert expanded("~no-such-user/x.npz") == Path("~no-such-user/x.npz")
    assert circuitsim("run", "autoencoder", "--set", "dataset=~no-such-user/x.npz") == 2
    assert "data file ~no-such-user/x.npz: got no such file" in capfd.readouterr().err


def test_names_that_are_not_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    folder = tmp_path / os.fsdecode(b"r\xe9sultats")
    assert run(folder, epochs=1) == 0 and run(tmp_path / "other", epochs=1, seed=1) == 0
    assert circuitsim("resume", folder) == 0
    capfd.readouterr()
    assert circuitsim("compare", folder, tmp_path / "other", "--out", tmp_path / os.fsdecode(b"\xff.svg")) == 0
    assert "r\\xe9sultats" in capfd.readouterr().out
    assert readable(folder.name) == "r\\xe9sultats"
    assert run(tmp_path / "plain", "--config", folder / "none.toml") == 2


def test_values_that_are_not_utf_8_in_tables(tmp_path: Path) -> None:
    """Replicas are told apart by them, and a table has them with escapes."""
    settings = replicas(load_scenario("autoencoder").settings, {}, {"rule": ["r\udce9.py:f", "r\udce8.py:f"]})
    frame = pd.DataFrame({"replica": [0, 1], "epoch": 0, "split": "test", "metric": "mse", "value": 0.5})
    tables.write_frame(tmp_path / "t.parquet", tables.with_varied(frame, settings, ["rule"]))
    assert list(tables.read_frame(tmp_path / "t.parquet", own=True)["rule"]) == ["r\\udce9.py:f", "r\\udce8.py:f"]


@pytest.mark.nightly
def test_values_that_are_not_utf_8_vary(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In tables, legends, reports and sweeps; replicas are told apart by them."""
    data, rules = tmp_path / os.fsdecode(b"r\xe9.npz"), tmp_path / os.fsdecode(b"r\xe9.py")
    with data.open("wb") as file:
        np.savez(file, x=np.eye(40, 64), y=np.arange(40) % 10)
    rules.write_text("".join(f"def {name}(pre, post, w):\n    return pre.at(0) * post.at(0)\n" for name in "fg"))
    small = ("--set", "sizes=[64,3,64]", "--set", "epochs=1", "--set", "batch=5")
    given = ("--set", f"dataset={data}", "--vary", f"rule={rules}:f,{rules}:g")
    assert circuitsim("run", "autoencoder", *small, *given, "--out", tmp_path / "run") == 0
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["rule"]) == {
        str(tmp_path / f"r\\udce9.py:{name}") for name in "fg"
    }
    assert "r\\udce9.py:f" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert circuitsim("resume", tmp_path / "run", "--trust") == 0
    assert circuitsim("sweep", "autoencoder", *small, "--vary", f"dataset={data}", "--out", tmp_path / "sweep") == 0
    assert set(pd.read_parquet(tmp_path / "sweep" / "metrics.parquet")["dataset"]) == {str(tmp_path / "r\\udce9.npz")}


def test_a_configuration_may_begin_with_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    file = tmp_path / "keys.toml"
    file.write_bytes(b"\xef\xbb\xbfmomentum = 0.25\r\n")
    assert run(tmp_path / "run", "--config", file, epochs=0) == 0
    config = tmp_path / "run" / "config.json"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert circuitsim("resume", tmp_path / "run") == 0


VARIABLES = {
    "NUMBA_NUM_THREADS=0": "got '0'; expected a whole number >= 1. Correct or unset it.",
    "NUMBA_NUM_THREADS=many": "got 'many'; expected a whole number >= 1",
    "NUMBA_DISABLE_JIT=1": "got 1; expected none: the kernels exist only compiled. Unset it, or choose --backend numpy",
    "MPLBACKEND=paper": "got 'paper'; expected a backend of Matplotlib. Correct or unset it.",
}


@pytest.mark.parametrize("given", VARIABLES)
def test_odd_variables_are_refused_before_a_folder_is_made(given: str, tmp_path: Path) -> None:
    name, _, value = given.partition("=")
    process = start("run", "autoencoder", "--set", "epochs=0", "--out", tmp_path / "x", env=os.environ | {name: value})
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.startswith(f"circuitsim: environment variable {name}: {VARIABLES[given]}")
    assert not (tmp_path / "x").exists()


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root and unshare")
def test_an_installation_that_cannot_be_written(tmp_path: Path) -> None:
    """Neither the package's folder nor the home takes a cache: all is compiled in memory."""
    root = Path(__file__).parents[1]
    mount = f"mount --bind '{root}' '{root}' && mount -o remount,ro,bind '{root}'"
    options = "--set epochs=1 --set train_limit=100 --set test_limit=50"
    code = "from circuitsim.cli import main; main()"
    command = f"{mount} && cd '{tmp_path}' && '{sys.executable}' -c '{code}' run autoencoder {options} --out x"
    environment = os.environ | {"HOME": "/proc/nowhere", "PYTHONPYCACHEPREFIX": "/proc/nowhere"}
    done = subprocess.run(["unshare", "-m", "bash", "-c", command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x" / "report.html").is_file()


def test_output_to_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    monkeypatch.setattr(sys, "stdout", None)
    assert run(tmp_path / "run", epochs=1) == 0


@pytest.mark.nightly
@pytest.mark.parametrize("closed", ["out", "err"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    """A daemon's process may have neither output."""
    command = [*COMMAND, "run", "autoencoder", "--set", "epochs=0", "--set", "sizes=[64,2,64]", "--out", "x"]
    quoted = " ".join(f"'{part}'" for part in command)
    shell = f"{quoted} {'>' if closed == 'out' else '2>'}&-"
    assert subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, timeout=60).returncode == 0


def test_a_wait_for_the_compiler_is_told_once(cached: Path) -> None:
    told = list[str]()
    for _ in range(2):
        tell_of_compilation(lambda: told.append("compiling"))
        assert loaded(cached).twice(2) == 4 and loaded(cached).twice(2.5) == 5
    assert told == ["compiling"]  # the second time all is in the cache
