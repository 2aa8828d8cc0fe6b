"""Checkpoints: whole or refused, the one before takes over, and what resumes ends in the same bits."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import (
    ENTRIES,
    checkpoints,
    circuitsim,
    final,
    interrupt,
    metrics,
    nightly,
    outcome,
    run,
    settings,
    skip_report,
    start,
    tree,
    vary,
)

from circuitsim.errors import RunFolderError
from circuitsim.runs import checkpoint, files
from circuitsim.runs.study import Study

FULL = {"momentum": 0.5, "lr": 0.2, "lr_decay": 0.8, "max_norm": 1.5, "epochs": 4}
VARIED = vary(rule="rec,rbp,error-rec", seed="0,1", data_seed="3,4")


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


class Killed(BaseException):
    """Nothing catches it: the process is gone as far as the run is concerned."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """End the run when so many batches are done; None goes on."""
    left = {"batches": 10**9}
    original = Study.train_epoch

    def train(self: Study, interval: float = 0.0) -> Iterator[int]:
        for batch in original(self):
            yield batch
            left["batches"] -= 1
            if not left["batches"]:
                raise Killed

    monkeypatch.setattr(Study, "train_epoch", train)
    yield left


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[bytes, bytes]]:
    """Return the outcome of a run of FULL that nothing interrupted, for each choice of options; each is run once."""

    @cache
    def outcome_of(*options: str) -> tuple[bytes, bytes]:
        out = tmp_path_factory.mktemp("whole") / "run"
        with pytest.MonkeyPatch.context() as patch:
            skip_report(patch)
            assert run(out, *options, **FULL) == 0
        return outcome(out)

    return outcome_of


# the file


def test_round_trip(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(12.0).reshape(3, 4),
        "b": np.array([True, False]),
        "c": np.zeros((2, 0), np.float32),
        "transposed": np.arange(6, dtype=np.int64).reshape(2, 3).T,
    }
    path = checkpoint.write(tmp_path / "checkpoint", 7, arrays)
    assert path.name == "000000000007.checkpoint"
    read = checkpoint.read(path)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for number in (1, 5, 20, 100):
        checkpoint.write(tmp_path / "c", number, {"a": np.ones(number)})
    names = [path.name for path, _ in checkpoint.newest(tmp_path / "c")]
    assert names == ["000000000100.checkpoint", "000000000020.checkpoint"]
    assert [len(content["a"]) for _, content in checkpoint.newest(tmp_path / "c")] == [100, 20]  # type: ignore[index]


def test_one_that_follows_a_refused_one_takes_its_place(tmp_path: Path) -> None:
    for number in (10, 30):
        checkpoint.write(tmp_path / "c", number, {"a": np.ones(1)})
    (tmp_path / "c" / "000000000030.checkpoint").write_bytes(b"damaged")
    checkpoint.write(tmp_path / "c", 20, {"a": np.ones(1)})
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "000000000010.checkpoint",
        "000000000020.checkpoint",
    ]


def _refusal(path: Path) -> str:
    with pytest.raises(RunFolderError) as caught:
        checkpoint.read(path)
    message = str(caught.value)
    assert message.startswith(f"checkpoint {path}: got ")
    assert message.endswith(
        "; expected a whole, unaltered checkpoint. Remove it: `circuitsim resume` uses the one before it."
    )
    return message


def test_cut_at_any_byte(tmp_path: Path) -> None:
    path = checkpoint.write(tmp_path / "c", 1, {"a": np.arange(5.0), "b": np.ones(3, np.float32)})
    content = path.read_bytes()
    head = len(checkpoint.MAGIC) + 32
    for length in range(len(content)):
        path.write_bytes(content[:length])
        expected = "bytes that do not begin as a checkpoint does" if length < head else "does not match its checksum"
        assert expected in _refusal(path)
    path.write_bytes(content + b"\0")
    assert "does not match its checksum" in _refusal(path)


def test_altered_at_any_byte(tmp_path: Path) -> None:
    path = checkpoint.write(tmp_path / "c", 1, {"a": np.arange(5.0), "b": np.ones(3, np.float32)})
    content = path.read_bytes()
    for place in range(len(content)):
        for change in (1, 0x80, 0xFF):
            altered = bytearray(content)
            altered[place] ^= change
            path.write_bytes(altered)
            expected = "do not begin as" if place < len(checkpoint.MAGIC) else "does not match its checksum"
            assert expected in _refusal(path)


def test_one_of_a_real_run_cut_or_altered_anywhere(tmp_path: Path) -> None:
    assert run(tmp_path / "run", *VARIED, **FULL) == 0
    path = checkpoints(tmp_path / "run")[-1]
    content = path.read_bytes()
    random = np.random.default_rng(0)
    header = len(checkpoint.MAGIC) + 40 + int.from_bytes(content[len(checkpoint.MAGIC) + 32 :][:8], "little")
    places = [*range(0, header, 61), *random.integers(header, len(content), 100).tolist()]
    for place in places:
        path.write_bytes(content[:place])
        _refusal(path)
        path.write_bytes(
            content[:place] + bytes([content[place] ^ (1 << int(random.integers(8)))]) + content[place + 1 :]
        )
        _refusal(path)


@pytest.mark.parametrize("place", ["a file", "a folder", "missing"])
def test_what_is_no_file(place: str, tmp_path: Path) -> None:
    path = tmp_path / "000000000001.checkpoint"
    if place == "a file":
        path.write_bytes(b"PK")
    if place == "a folder":
        path.mkdir()
    _refusal(path)


# resume


def test_runs_are_the_same_to_the_last_bit(tmp_path: Path, whole: Callable[..., tuple[bytes, bytes]]) -> None:
    assert run(tmp_path / "run", *VARIED, **FULL) == 0
    assert outcome(tmp_path / "run") == whole(*VARIED)


@pytest.mark.nightly
def test_so_are_runs_of_different_processes(tmp_path: Path, whole: Callable[..., tuple[bytes, bytes]]) -> None:
    process = start("run", "autoencoder", "--out", tmp_path / "run", *settings(**FULL), *VARIED)
    assert process.wait(120) == 0, process.communicate()[1]
    assert outcome(tmp_path / "run") == whole(*VARIED)


def test_checkpoints_and_their_number_change_nothing(tmp_path: Path, whole: Callable[..., tuple[bytes, bytes]]) -> None:
    assert run(tmp_path / "run", checkpoint_every=1, **FULL) == 0
    assert outcome(tmp_path / "run") == whole()


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
@pytest.mark.parametrize("every", [nightly(1), 3, nightly(5), None])
@pytest.mark.parametrize("batches", [nightly(1), 5, 8, nightly(14), nightly(20)])
def test_resume_gives_the_same_bits(
    backend: str,
    every: int | None,
    batches: int,
    tmp_path: Path,
    kill_after: dict[str, int],
    whole: Callable[..., tuple[bytes, bytes]],
) -> None:
    """Momentum, rates that decay, bounded norms, several circuits, several orders; killed in or after an epoch."""
    options = [*VARIED, "--backend", backend]
    expected = whole(*options)
    kill_after["batches"] = batches
    with pytest.raises(Killed):
        run(tmp_path / "run", *options, checkpoint_every=every, **FULL)
    assert not (tmp_path / "run" / "final.safetensors").exists()
    kill_after["batches"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == expected
    assert {path.name for path in (tmp_path / "run").iterdir()} == ENTRIES
    assert len(checkpoints(tmp_path / "run")) == 2


@pytest.mark.parametrize("every", [4, 5])
def test_resume_goes_on_from_the_newest_checkpoint(
    every: int, tmp_path: Path, kill_after: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    kill_after["batches"] = 9
    with pytest.raises(Killed):
        run(tmp_path / "run", checkpoint_every=every, **FULL)
    capfd.readouterr()
    kill_after["batches"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    place = "epoch 1, batch 3" if every == 4 else "epoch 1, batch 0"
    assert capfd.readouterr().out.startswith(f"resuming at {place}\n")


@pytest.mark.parametrize("damaged", [1, 2])
def test_refused_checkpoints_are_named_and_the_one_before_is_used(
    damaged: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With none left the run begins again, with the same first weights."""
    assert run(tmp_path / "run", **FULL) == 0
    expected = outcome(tmp_path / "run")
    for path in checkpoints(tmp_path / "run")[-damaged:]:
        path.write_bytes(path.read_bytes()[:-1])
    capfd.readouterr()
    assert circuitsim("resume", tmp_path / "run") == 0
    lines = capfd.readouterr().out.splitlines()
    for line in lines[:damaged]:
        assert re.fullmatch(r"refused: checkpoint .*\.checkpoint: got a content that does not match .*", line)
    assert lines[damaged] == f"resuming at epoch {3 if damaged == 1 else 0}, batch 0"
    assert outcome(tmp_path / "run") == expected
    assert all(isinstance(content, dict) for _, content in checkpoint.newest(tmp_path / "run" / "checkpoint"))


@pytest.mark.nightly
def test_first_weights_that_were_given_survive_the_loss_of_all_checkpoints(tmp_path: Path) -> None:
    assert run(tmp_path / "first", *VARIED[:2], **FULL) == 0
    assert run(tmp_path / "single", rule="rbp", **FULL) == 0
    init = tmp_path / "single" / "final.safetensors"
    assert run(tmp_path / "run", *VARIED, "--init", init, **FULL) == 0
    expected = outcome(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    init.unlink()
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == expected


def test_resume_of_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "run", *VARIED, **FULL) == 0
    before = tree(tmp_path / "run")
    assert circuitsim("resume", tmp_path / "run") == 0
    assert tree(tmp_path / "run") == before


def test_resume_rewrites_what_is_missing_and_removes_what_a_kill_left(tmp_path: Path) -> None:
    assert run(tmp_path / "run", **FULL) == 0
    before = tree(tmp_path / "run")
    for name in ("metrics.parquet", "final.safetensors", "audit.json", "report.html"):
        (tmp_path / "run" / name).unlink()
    for folder in (tmp_path / "run", tmp_path / "run" / "checkpoint"):
        (folder / ".final.safetensors.x1y2.partial").write_bytes(b"half")
    assert circuitsim("resume", tmp_path / "run") == 0
    assert tree(tmp_path / "run") == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "run", **FULL) == 0
    assert run(tmp_path / "other", **FULL | {"sizes": [64, 7, 64]}) == 0
    shutil.copy(checkpoints(tmp_path / "other")[-1], checkpoints(tmp_path / "run")[-1])
    before = tree(tmp_path / "run")
    assert circuitsim("resume", tmp_path / "run") == 2
    assert re.search(r"got another run's content \(.*\); expected that of config\.json", capfd.readouterr().err)
    assert tree(tmp_path / "run") == before


def test_a_run_that_is_refused_after_its_checkpoint_was_read_stays_as_it_was(
    tmp_path: Path, kill_after: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    """By another library of products; rows that were logged after the last checkpoint are still in the log."""
    kill_after["batches"] = 12
    with pytest.raises(Killed):
        run(tmp_path / "run", **FULL)
    folder = tmp_path / "run"
    with (folder / "metrics.jsonl").open("a") as log:
        log.write("[0, 9")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"products": "other 1.0"}))
    before = tree(folder)
    assert circuitsim("resume", folder) == 2
    assert "got matrix products by other 1.0 when it started" in capfd.readouterr().err
    assert tree(folder) == before


Arrays = dict[str, np.ndarray]


def _json(arrays: Arrays, name: str, **changes: Any) -> None:
    content = json.loads(arrays[name].tobytes()) | changes
    arrays[name] = np.frombuffer(json.dumps(content).encode(), np.uint8)


def _weights(arrays: Arrays, change: Callable[[np.ndarray], np.ndarray]) -> None:
    name = next(name for name in arrays if name.startswith("group0/state/") and name.endswith("weight"))
    arrays[name] = change(arrays[name])


COUNTERS = "its counters are not those of a run with these settings"
FORGED: dict[str, tuple[Callable[[Arrays], Any], str]] = {
    "an epoch beyond the last": (lambda a: _json(a, "counters", epoch=9), COUNTERS),
    "more batches than an epoch has": (lambda a: _json(a, "counters", epoch=1, batch=10**6), COUNTERS),
    "sums of no group": (lambda a: _json(a, "counters", sums=[]), COUNTERS),
    "a negative batch": (lambda a: _json(a, "counters", batch=-1), "greater than or equal to 0"),
    "an epoch of words": (lambda a: _json(a, "counters", epoch="1"), "valid integer"),
    "other settings": (lambda a: _json(a, "counters", fingerprint="0"), "its settings, rules or data are not those of"),
    "deep counters": (lambda a: a.update(counters=np.frombuffer(b"[" * 10**5, np.uint8)), "recursion limit"),
    "no counters": (lambda a: a.pop("counters"), "'counters'"),
    "no mark": (lambda a: a.pop("metrics"), "'metrics'"),
    "nothing": (lambda a: a.clear(), "'counters'"),
    "rows that were never written": (lambda a: _json(a, "metrics", length=10**9, sha256="0"), "does not match the che"),
    "weights of another type": (lambda a: _weights(a, lambda w: w.astype(np.float16)), "as float16 of shape"),
    "weights of another shape": (lambda a: _weights(a, lambda w: w[..., None]), "as float64 of shape"),
    "weights that are no numbers": (lambda a: _weights(a, lambda w: w * np.nan), "values that are not finite"),
    "more": (lambda a: a.update({"group0/more": np.zeros(1)}), "got more; expected nothing that this simulator lacks"),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_checkpoint_with_the_right_checksum_is_refused(
    forgery: str, forgeable: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, told = FORGED[forgery]
    shutil.copytree(forgeable, tmp_path / "run")
    path = checkpoints(tmp_path / "run")[-1]
    arrays = {name: np.array(array) for name, array in checkpoint.read(path).items()}
    change(arrays)
    checkpoint.write(path.parent, int(path.stem), arrays)
    before = tree(tmp_path / "run")
    assert circuitsim("resume", tmp_path / "run") == 2
    err = capfd.readouterr().err
    assert told in " ".join(err.split()) and "Traceback" not in err
    assert tree(tmp_path / "run") == before


@pytest.fixture(scope="module")
def forgeable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run."""
    out = tmp_path_factory.mktemp("forgeable") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        assert run(out, epochs=2) == 0
    return out


# a full disk


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Room for so many more files."""
    room = {"files": 10**9}
    original = Path.write_bytes

    def write(self: Path, content: bytes) -> int:
        room["files"] -= 1
        if room["files"] < 0:
            original(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    return room


@pytest.mark.parametrize("files", range(2, 8))
def test_full_disk(
    files: int,
    tmp_path: Path,
    full_disk: dict[str, int],
    capfd: pytest.CaptureFixture[str],
    whole: Callable[..., tuple[bytes, bytes]],
) -> None:
    """Initial weights, config.json, then checkpoints, then the end: whatever finds no room, what was there stays."""
    expected = whole()
    capfd.readouterr()
    full_disk["files"] = files
    assert run(tmp_path / "run", **FULL) == 1
    err = capfd.readouterr().err
    told = r"circuitsim: No space left on device: (?P<path>.*)\. Free some space, then resume\.\n"
    found = re.fullmatch(told, err)
    assert found and found["path"].startswith(str(tmp_path / "run"))  # the system names no file where a write fails
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.endswith(".partial")]
    assert [isinstance(content, dict) for _, content in checkpoint.newest(tmp_path / "run" / "checkpoint")] == [
        True
    ] * min(files - 2, 2)
    full_disk["files"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == expected


def test_a_disk_that_is_really_full(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    mounted = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        keys = FULL | {"sizes": [64, 40, 64]}
        assert run(tmp_path / "whole", **keys) == 0
        assert run(disk / "run", **keys) == 1
        assert re.search(r"No space left on device: .*\. Free some space, then resume\.", capfd.readouterr().err)
        assert not list(disk.rglob("*.partial"))
        subprocess.run([mount, "-o", "remount,size=50m", disk], check=True)
        assert circuitsim("resume", disk / "run") == 0
        assert outcome(disk / "run") == outcome(tmp_path / "whole")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_bytes(path, b"old")

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_whole(path, fail)
    assert tree(tmp_path) == {"file": b"old"}


# Ctrl-C


def test_interrupt(tmp_path: Path) -> None:
    """It stops after the presentation in progress, wherever in an epoch that is, with a checkpoint of just then."""
    keys = FULL | {"epochs": 6, "train_limit": 1400, "batch": 1}
    varied = vary(rule="rec,rbp")
    assert run(tmp_path / "whole", *varied, **keys) == 0
    process = start("run", "autoencoder", "--out", tmp_path / "run", *settings(**keys), *varied)
    _wait_for(tmp_path / "run" / "checkpoint" / "000000001400.checkpoint")
    time.sleep(0.2)
    interrupt(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    found = re.fullmatch(
        r"circuitsim: interrupted in epoch (\d+) after (\d+) of 1400 batches; go on with: circuitsim resume .*\n", err
    )
    assert found, err
    newest, content = next(iter(checkpoint.newest(tmp_path / "run" / "checkpoint")))
    assert isinstance(content, dict)
    assert int(newest.stem) == (int(found[1]) - 1) * 1400 + int(found[2])
    assert not (tmp_path / "run" / "final.safetensors").exists()
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_interrupt_before_anything_is_done(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("circuitsim.runs.training.make_study", interrupted)
        assert run(tmp_path / "run", **FULL) == 130
    assert "interrupted before anything new was done" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_seconds_count_all_parts_of_an_epoch(tmp_path: Path, kill_after: dict[str, int]) -> None:
    kill_after["batches"] = 3
    with pytest.raises(Killed):
        run(tmp_path / "run", checkpoint_every=1, **FULL)
    [(_, content), *_] = checkpoint.newest(tmp_path / "run" / "checkpoint")
    assert isinstance(content, dict)
    before = json.loads(content["counters"].tobytes())["seconds"]
    kill_after["batches"] = 10**9
    assert circuitsim("resume", tmp_path / "run") == 0
    frame = metrics(tmp_path / "run")
    seconds = frame[(frame["metric"] == "seconds") & (frame["epoch"] == 1)]["value"]
    assert len(seconds) == 1
    assert seconds.iloc[0] > before > 0
    assert final(tmp_path / "run")


def _wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} has not appeared within a minute")
