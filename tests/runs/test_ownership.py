"""Owners of run folders: no two runs in one, and no run lost that somebody else started in the same second."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from running import ENTRIES, circuitsim, outcome, run, settings, skip_report, tree, vary

from circuitsim.errors import RunFolderError
from circuitsim.runs import run as running_module
from circuitsim.runs.ownership import LOCK, check_unowned, make_new, owned

GOING_ON = r"run folder {}: got a run that is still going on; expected a folder in which no run is going on\."


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> str:
    """A second that does not end, as the name of a run shows it."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(running_module, "datetime", Stopped)
    return "20260102-030405"


def test_runs_of_one_second_have_a_folder_each(second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        assert circuitsim("run", "autoencoder", *settings(epochs=0, seed=seed)) == 0
    names = [f"autoencoder-{second}", f"autoencoder-{second}-2", f"autoencoder-{second}-3"]
    assert sorted(path.name for path in Path("runs").iterdir()) == names
    seeds = [json.loads((Path("runs") / name / "config.json").read_text())["seed"] for name in names]
    assert seeds == [0, 1, 2]


def test_a_new_folder_is_made_by_one_alone(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def make(_: int) -> Path:
        start.wait()
        return make_new(tmp_path / "runs" / "a")

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(make, range(8)))
    assert {path.name for path in made} == {"a", *(f"a-{n}" for n in range(2, 9))}


@pytest.mark.parametrize("held_by", ["this process", "another process"])
@pytest.mark.parametrize("command", ["run", "overwrite", "resume"])
def test_a_folder_with_a_run_is_refused(
    held_by: str, command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert run(folder, epochs=1) == 0
    before = tree(folder)
    with Held(folder) if held_by == "another process" else owned(folder):
        if command == "resume":
            assert circuitsim("resume", folder) == 2
        else:
            assert run(folder, *["--overwrite"] * (command == "overwrite"), epochs=1, seed=1) == 2
    text = GOING_ON.format(folder) if command != "run" else f"run folder {folder}: got a folder with 9 files"
    capfd.readouterr().err.index(text.replace("\\", "").partition(";")[0])
    assert {name: held for name, held in tree(folder).items() if name != LOCK} == before
    assert circuitsim("resume", folder) == 0  # the lock ended with its owner


class Held:
    """The lock of a folder, held by another process, which is killed at the end."""

    def __init__(self, folder: Path) -> None:
        code = "import sys, time; from pathlib import Path; from circuitsim.runs.ownership import owned\n"
        code += "with owned(Path(sys.argv[1])): print(flush=True); time.sleep(600)"
        self._process = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def test_a_lock_of_a_dead_process_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with Held(folder):
        assert (folder / LOCK).exists()
        with pytest.raises(RunFolderError, match=GOING_ON.format(folder)), owned(folder):
            pass
    assert (folder / LOCK).exists()  # it was killed
    assert run(folder, epochs=1) == 0  # a folder with nothing but this file is empty
    assert {path.name for path in folder.iterdir()} == ENTRIES


def test_members_that_are_resumed_by_themselves_are_not_overwritten(tmp_path: Path) -> None:
    member = tmp_path / "campaign" / "members" / "first"
    member.mkdir(parents=True)
    with owned(member), pytest.raises(RunFolderError, match=GOING_ON.format(member)):
        check_unowned(tmp_path / "campaign")


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match=r"got a link in place of \.lock; .*Remove it\."), owned(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.nightly
def test_of_two_runs_with_one_folder_one_is_whole_and_the_other_refused(tmp_path: Path) -> None:
    """Both find the folder free; who owns it second finds it taken."""
    folder, alone = tmp_path / "run", tmp_path / "alone"
    command = [sys.executable, "-c", "from circuitsim.cli import main; main()", "run", "autoencoder"]
    options = [*settings(epochs=1), *vary(seed="0,1")]
    processes = [
        subprocess.Popen([*command, *options, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate()[1].decode() for process in processes]
    statuses = [process.returncode for process in processes]
    assert sorted(statuses) == [0, 2], errors
    assert "got a run that is still going on" in (text := errors[statuses.index(2)]) or "got a folder with" in text
    assert run(alone, *vary(seed="0,1"), epochs=1) == 0
    assert outcome(folder) == outcome(alone)
