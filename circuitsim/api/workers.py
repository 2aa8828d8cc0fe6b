"""Workers that carry out the runs of a sweep: processes, Dask's workers, or jobs in the queue of a cluster."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from circuitsim.api.sweep_plan import Part
from circuitsim.errors import ConfigError
from circuitsim.runs.arguments import parse_value, split_top
from circuitsim.runs.given import shortened

LOCAL, DASK, SLURM = "local", "dask", "slurm"
MOST_WORKERS = 1000
FAILURES = 10  # deaths of workers that a run on Dask's own local cluster survives
PATIENCE = 120.0  # seconds without any worker of Dask
JOBS = "jobs"  # where a queue's scripts and logs lie, in the folder of a sweep
EXPECTED = (
    f"local:N or dask:N with N from 1 to {MOST_WORKERS}, dask://HOST:PORT, slurm, or slurm:KEY=VALUE,... with options "
    "of submitit"
)
Run = Callable[[Part], None]
Carry = Callable[[Run, Sequence[Part]], Iterator[None]]


@dataclass(frozen=True)
class Workers:
    """The kind of the workers: how many there are, or where they are found, or what a queue is asked for."""

    kind: str = LOCAL
    count: int = 1
    address: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def read_workers(workers: int | str) -> Workers:
    """Read `--workers`: a number of processes, local:N, dask:N, dask://HOST:PORT, slurm or slurm:KEY=VALUE,...

    Raises
    ------
    ConfigError : the text is none of these, or the package for it is missing.
    """
    text = str(workers)
    kind, colon, rest = text.partition(":")
    if rest.startswith("//") and kind == DASK and len(rest) > 2:
        made = Workers(DASK, address=f"tcp:{rest}")
    elif kind == SLURM and (rest or not colon):
        made = Workers(SLURM, options=_options(rest))
    else:
        kind, rest = (kind, rest) if kind in (LOCAL, DASK) and colon else (LOCAL, text)
        if not (rest.isdecimal() and len(rest) < 6 and 1 <= int(rest) <= MOST_WORKERS):
            _refuse(text, shortened(repr(text)), EXPECTED, "Write for example local:4.")
        made = Workers(kind, int(rest))
    _check_package(text, made.kind)
    return made


def _options(text: str) -> dict[str, Any]:
    """Read the options of a queue."""
    found = {}
    for part in split_top("--workers", text) if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            _refuse(f"{SLURM}:{text}", shortened(repr(part)), EXPECTED, "Write for example slurm:timeout_min=60.")
        found[name] = parse_value("--workers", value)
    return found


def _check_package(text: str, kind: str) -> None:
    """Refuse workers whose package is not installed."""
    try:
        if kind == DASK:
            import distributed  # noqa: F401
        elif kind == SLURM:
            import submitit  # noqa: F401
    except ImportError:
        package = "distributed" if kind == DASK else "submitit"
        _refuse(text, f"no package {package}", "an installed one", f"Install it: pip install 'circuitsim[{kind}]'")


@contextmanager
def opened(workers: Workers, folder: Path) -> Iterator[Carry]:
    """Give what carries out runs: called with a function of one run and the runs, it yields at the end of each.

    Parameters
    ----------
    folder : of the sweep. The function is called in another process; it and what it raises can be pickled.

    Raises
    ------
    CircuitsimError : a worker cannot be reached or has died. What a run raises is passed on.
    """
    if workers.kind == LOCAL:
        with ProcessPoolExecutor(workers.count, multiprocessing.get_context("spawn")) as pool:
            yield partial(_in_processes, pool, folder)
    elif workers.kind == DASK:
        with _client(workers) as client:
            yield partial(on_dask, client, folder)
    else:
        yield partial(_in_queue, workers.options, folder)


def _in_processes(pool: ProcessPoolExecutor, folder: Path, run: Run, parts: Sequence[Part]) -> Iterator[None]:
    try:
        for task in as_completed([pool.submit(run, part) for part in parts]):
            task.result()
            yield
    except BrokenProcessPool:
        _died(folder, "a process that was killed")


@contextmanager
def _client(workers: Workers) -> Iterator[Any]:
    """Give a client of a scheduler, or of a cluster of processes on this machine that lasts as long."""
    import dask

    distributed: Any = importlib.import_module("distributed")  # it has no types
    with dask.config.set({"distributed.scheduler.allowed-failures": FAILURES}):
        options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
        cluster = None if workers.address else distributed.LocalCluster(n_workers=workers.count, **options)
        try:
            client = distributed.Client(workers.address or cluster, timeout=20)
        except (OSError, TimeoutError, ValueError) as error:
            got = shortened(str(error).splitlines()[0] if str(error) else type(error).__name__)
            _refuse(f"dask:{workers.address[4:]}", got, "a scheduler that answers", "Start one: dask scheduler")
        try:
            yield client
        finally:
            client.close()
            if cluster is not None:
                cluster.close()


def on_dask(client: Any, folder: Path, run: Run, parts: Sequence[Part]) -> Iterator[None]:
    """Carry out runs on the workers of a client, however often they die."""
    distributed: Any = importlib.import_module("distributed")
    left = {client.submit(run, part, pure=False) for part in parts}
    while left:
        try:
            ended, left = distributed.wait(left, timeout=PATIENCE, return_when="FIRST_COMPLETED")
        except TimeoutError:
            if not client.scheduler_info()["workers"]:
                _died(folder, f"no worker of Dask for {PATIENCE:g} seconds")
            continue
        for task in ended:
            try:
                task.result()
            except distributed.KilledWorker as error:
                _died(folder, f"a run whose workers died: {shortened(str(error))}")
            yield


def _in_queue(given: Mapping[str, Any], folder: Path, run: Run, parts: Sequence[Part]) -> Iterator[None]:
    """Submit an array of jobs, one for each run, and wait for all of them; jobs that are preempted are queued again."""
    import submitit

    options = dict(given)
    cluster = options.pop("cluster", SLURM)
    try:
        executor = submitit.AutoExecutor(folder / JOBS, cluster=cluster)
        executor.update_parameters(name="circuitsim", **options)
        jobs = executor.map_array(Job(run), parts)
    except (NameError, TypeError, ValueError, RuntimeError, OSError) as error:
        got = shortened(str(error).partition("\n")[0])
        _refuse(SLURM, got, "options of submitit, and a queue that takes jobs", "Correct --workers.")
    try:
        for job in submitit.helpers.as_completed(jobs):
            _ended(job, folder)
            yield
    except BaseException:
        for job in jobs:
            job.cancel()
        raise


def _ended(job: Any, folder: Path) -> None:
    """Pass on what a job of a queue raised."""
    import submitit

    try:
        job.result()
    except submitit.core.utils.UncompletedJobError as error:
        _died(folder, f"job {job.job_id}, which ended without a result: {shortened(str(error).splitlines()[0])}")
    except submitit.core.utils.FailedJobError as error:
        _died(folder, f"job {job.job_id}, which failed: {str(error).strip().splitlines()[-1]}")


@dataclass(frozen=True)
class Job:
    """Work of a queue: one run; after a preemption it goes on from the last checkpoint."""

    run: Run

    def __call__(self, part: Part) -> None:
        self.run(part)

    def checkpoint(self, part: Part) -> Any:
        """Return what is queued in place of a job that was preempted."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, part)


def _died(folder: Path, got: str) -> NoReturn:
    raise ConfigError(
        f"sweep {folder}",
        got=got,
        expected="processes that run to their end",
        remedy="Check their memory and their logs, and start the sweep again: it goes on with what is left.",
    ) from None


def _refuse(workers: str, got: str, expected: str, remedy: str) -> NoReturn:
    raise ConfigError(f"--workers {shortened(workers)}", got=got, expected=expected, remedy=remedy) from None
