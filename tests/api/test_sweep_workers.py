"""Workers of a sweep: processes, Dask's workers that are killed at random, a cluster's queue."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import SMALL

import circuitsim as cs
from circuitsim.api import sweeping, workers
from circuitsim.api.sweep_plan import Part
from circuitsim.api.workers import Job, Workers, read_workers
from circuitsim.errors import BadInput, ConfigError
from circuitsim.runs.ownership import owned

TINY: dict[str, Any] = {**SMALL, "epochs": 1, "train_limit": 60, "test_limit": 20, "sizes": [64, 2, 64]}


def without_seconds(sweep: cs.Sweep) -> pd.DataFrame:
    return sweep.metrics[sweep.metrics["metric"] != "seconds"].reset_index(drop=True)


def test_workers_are_read() -> None:
    assert read_workers(1) == read_workers("local:1") == Workers() and read_workers("3") == Workers("local", 3)
    assert read_workers("dask:2") == Workers("dask", 2)
    assert read_workers("dask://host:8786") == Workers("dask", address="tcp://host:8786")
    assert read_workers("slurm") == Workers("slurm")
    options = {"timeout_min": 60, "slurm_partition": "long", "cpus_per_task": 4}
    assert read_workers("slurm:timeout_min=60,slurm_partition=long,cpus_per_task=4") == Workers(
        "slurm", options=options
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dask://",
            r"--workers dask://: got 'dask://'; expected local:N or dask:N with N from 1 to 1000, dask://HOST:",
        ),
        ("local:0", r"--workers local:0: got 'local:0'; expected local:N or dask:N .* Write for example local:4\."),
        ("slurm:", "--workers slurm:: got 'slurm:'; expected"),
        ("slurm:now", r"--workers slurm:now: got 'now'; .* Write for example slurm:timeout_min=60\."),
        ("ray:3", "--workers ray:3: got 'ray:3'; expected"),
    ],
)
def test_other_workers_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_workers(text)


@pytest.mark.parametrize(("kind", "package"), [("dask", "distributed"), ("slurm", "submitit")])
def test_a_missing_package_is_named(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    text = "dask:2" if kind == "dask" else kind
    with pytest.raises(ConfigError, match=rf"got no package {package}; .* pip install 'circuitsim\[{kind}\]'"):
        read_workers(text)


def test_a_job_that_is_preempted_is_queued_again() -> None:
    submitit = pytest.importorskip("submitit")
    done: list[Part] = []
    job, part = Job(done.append), Part(3, {}, {})
    job(part)
    again = job.checkpoint(part)
    assert done == [part] and isinstance(again, submitit.helpers.DelayedSubmission)
    again.function(*again.args)
    assert done == [part, part]


class Killed:
    """A scheduler and two workers, one of which is killed now and then and replaced by another."""

    def __init__(self, cluster: Any, place: Path) -> None:
        self.address, self.place, self.count = cluster.scheduler_address, place, 0
        self.workers = [self._worker() for _ in range(2)]
        self._draw, self._stop = random.Random(0), threading.Event()
        self._thread = threading.Thread(target=self._kill)

    def _worker(self) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.place))
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _kill(self) -> None:
        while not self._stop.wait(self._draw.uniform(4.0, 12.0)):
            place = self._draw.randrange(2)
            self.workers[place].kill()
            self.workers[place].wait()
            self.workers[place] = self._worker()
            self.count += 1

    def __enter__(self) -> Killed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for worker in self.workers:
            worker.kill()
            worker.wait()


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1000}),
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster,
        Killed(cluster, tmp_path / "workers") as made,
    ):
        yield made


@pytest.mark.nightly
def test_two_hundred_runs_on_dask_workers_that_are_killed(killed: Killed, tmp_path: Path) -> None:
    """The sweep itself is stopped twice and started again; its table has the bits of an undisturbed one."""
    vary = {"lr": [0.05 * k for k in range(1, 21)], "seed": range(10)}
    options: dict[str, Any] = {**TINY, "replicas": 1}
    workers = f"dask:{killed.address.removeprefix('tcp:')}"
    for limit in (30.0, 30.0, None):
        timer = None if limit is None else threading.Timer(limit, signal.raise_signal, (signal.SIGINT,))
        try:
            if timer is not None:
                timer.start()
            disturbed = cs.sweep("autoencoder", vary, out=tmp_path / "disturbed", workers=workers, **options)
        except KeyboardInterrupt:
            time.sleep(2.0)  # for what the workers have begun
        finally:
            if timer is not None:
                timer.cancel()
    assert killed.count > 5 and len(disturbed.runs) == 200
    whole = cs.sweep("autoencoder", vary, out=tmp_path / "whole", **options)
    pd.testing.assert_frame_equal(without_seconds(disturbed), without_seconds(whole))


@pytest.mark.nightly
def test_a_queue_carries_out_runs(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    vary = {"lr": [0.1, 0.5], "seed": range(2)}
    whole = cs.sweep("autoencoder", vary, out=tmp_path / "whole", replicas=2, **TINY)
    workers = "slurm:cluster=local,timeout_min=5"
    queued = cs.sweep("autoencoder", vary, out=tmp_path / "queued", replicas=2, workers=workers, **TINY)
    pd.testing.assert_frame_equal(without_seconds(queued), without_seconds(whole))
    assert list((tmp_path / "queued/jobs").glob("*_log.out"))


def test_a_worker_waits_for_another_that_is_at_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(0, dict(TINY), {"seed": [0]})
    folder = part.folder(tmp_path)
    folder.mkdir(parents=True)
    waited = list[float]()
    with ExitStack() as other:
        other.enter_context(owned(folder))

        def end(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                other.close()

        monkeypatch.setattr(sweeping.time, "sleep", end)
        sweeping.run_part("autoencoder", tmp_path, "numba", Path.cwd(), part)
    assert waited == [sweeping.POLL] * 3 and part.state(tmp_path).is_file()


def test_a_queue_that_takes_no_jobs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match=r"--workers slurm: got .*; expected options of submitit, and a queue"):
        cs.sweep("autoencoder", {"lr": [0.1]}, out=tmp_path / "sweep", workers="slurm", **TINY)
    with pytest.raises(BadInput, match=r"--workers slurm: got .*; expected options of submitit, and a queue"):
        cs.sweep("autoencoder", {"lr": [0.1]}, out=tmp_path / "sweep", workers="slurm:cluster=local,colour=red", **TINY)
    assert not (tmp_path / "sweep").exists()


def test_a_scheduler_without_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 0.3)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ConfigError, match=r"got no worker of Dask for 0\.3 seconds; expected processes that run"),
    ):
        list(workers.on_dask(client, tmp_path, print, [Part(0, {}, {})]))


def test_a_scheduler_that_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def silent(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://nowhere:1")

    monkeypatch.setattr(distributed, "Client", silent)
    with pytest.raises(BadInput, match=r"dask://nowhere:1: got Timed out .*; expected a scheduler that answers"):
        cs.sweep("autoencoder", {"lr": [0.1]}, out=tmp_path / "sweep", workers="dask://nowhere:1", **TINY)
    assert not (tmp_path / "sweep").exists()
