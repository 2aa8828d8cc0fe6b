"""Sweeps: many runs of one scenario over any of its keys, resumable, in several processes, in shards."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from circuitsim import kernels
from circuitsim.api.start import console, plain, values_of_vary
from circuitsim.api.sweep_plan import MOST_REPLICAS, Part, claim, divide, read_shard, read_workers
from circuitsim.api.sweep_result import Sweep, gather
from circuitsim.errors import BadInput, ConfigError, Diverged, Interrupted
from circuitsim.runs import runfolder
from circuitsim.runs.arguments import defaults_of, read_keys, vary_of
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.files import remove_partial
from circuitsim.runs.launch import resume_run, start_run
from circuitsim.runs.own import find_scenario
from circuitsim.runs.scenario import expect_circuits


def sweep(
    scenario: str | AnyScenario,
    vary: Mapping[str, Iterable[Any]],
    *,
    out: str | Path | None = None,
    backend: str = "numba",
    quick: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    workers: int | str = 1,
    shard: str | None = None,
    replicas: int = MOST_REPLICAS,
    progress: bool = True,
    **keys: Any,
) -> Sweep:
    """Run a scenario over all combinations of values of its keys, as `circuitsim sweep` does.

    Replicas of one run learn in bulk where only rates, rules and seeds differ; where shapes, data or epochs differ
    there are several runs. The same call with the same `out` goes on where an earlier one stopped.

    Parameters
    ----------
    scenario : its name, FILE.py:NAME, or a `Scenario` that trains circuits.
    vary : values by key, crossed; the last key runs fastest.
    out : the folder of the sweep; None: a temporary one, which is removed with the object returned.
    backend, quick, config, progress, keys : as for `run`.
    workers : processes on this machine, as a number or "local:N".
    shard : "K/N": only the K-th of N parts of the runs; the folder may be shared with the other parts.
    replicas : the most of one run, >= 1.

    Returns
    -------
    A `Sweep` of the runs that are complete: `metrics`, `table` with the final value at each point, `best()`, `plot()`.

    Raises
    ------
    BadInput : the request cannot be carried out. Interrupted : the same call goes on.
    """
    found = find_scenario(scenario) if isinstance(scenario, str) else scenario
    expect_circuits(found, "sweep of")
    given = {key: plain(value) for key, value in keys.items()}
    file = read_keys(Path(config)) if isinstance(config, (str, Path)) else config or {}
    defaults = defaults_of(found, {key: plain(value) for key, value in file.items()}, None, quick)
    asked = {key: values_of_vary(key, values) for key, values in vary.items()}
    return carry_out(found, defaults, given, asked, out=None if out is None else Path(out), backend=backend,
                     workers=workers, shard=shard, most=replicas, shown=console(progress))  # fmt: skip


def carry_out(
    scenario: AnyScenario,
    defaults: Mapping[str, Any],
    given: Mapping[str, Any],
    asked: Mapping[str, Sequence[Any]],
    *,
    out: Path | None,
    backend: str,
    workers: int | str,
    shard: str | None,
    most: int,
    shown: Console,
) -> Sweep:
    """Carry out a sweep whose keys have been read; see `sweep`."""
    vary = vary_of(scenario, asked, {**defaults, **given})
    values = {key: value for key, value in defaults.items() if key not in vary} | dict(given)
    parts, (place, of), processes = divide(scenario, values, vary, most), read_shard(shard), read_workers(workers)
    temporary = None if out is not None else Path(tempfile.mkdtemp(prefix="circuitsim-"))
    folder = out if out is not None else Path(str(temporary)) / scenario.name
    plan = {"scenario": scenario.reference, "values": values, "vary": vary, "backend": backend, "replicas": most}
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        kernels.backend(backend)
        claim(folder, plan)
        remove_partial(folder)
        chosen = [part for part in parts if part.number % of == place - 1]
        _carry_out(scenario, chosen, folder, backend, processes, shown)
    except BaseException as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        elif isinstance(error, BadInput) and new:
            _remove_unused(new)
        raise
    gather(folder, parts)
    made = Sweep(folder)
    if temporary is not None:
        weakref.finalize(made, shutil.rmtree, temporary, ignore_errors=True)
    return made


def _remove_unused(new: Sequence[Path]) -> None:
    """Remove the folder of a sweep that was refused before its first run, and those above it that were made for it.

    Parameters
    ----------
    new : the folder, and above it those that were not there before.
    """
    if not any(new[0].rglob(runfolder.CONFIG)):
        shutil.rmtree(new[0], ignore_errors=True)
        for above in new[1:]:
            with suppress(OSError):  # another run may lie there by now
                above.rmdir()


def _carry_out(
    scenario: AnyScenario, parts: Sequence[Part], folder: Path, backend: str, processes: int, shown: Console
) -> None:
    """Carry out the runs that are not complete, one after the other or in several processes."""
    left = [part for part in parts if not part.state(folder).is_file()]
    shown.print(f"{len(parts)} runs, {len(parts) - len(left)} of them complete", highlight=False)
    if processes == 1:
        for place, part in enumerate(left):
            shown.print(f"run {part.number} ({place + 1} of {len(left)})", highlight=False)
            _run(scenario, part, folder, backend, shown)
        return
    if scenario.reference == scenario.name:
        find_scenario(scenario.name)  # other processes have only its name
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        tasks = [pool.submit(run_part, scenario.reference, part, folder, backend) for part in left]
        for place, task in enumerate(tasks):
            try:
                task.result()
            except BrokenProcessPool:
                raise ConfigError(
                    f"sweep {folder}",
                    got="a process that was killed",
                    expected="processes that run to their end",
                    remedy="Check the memory and start the sweep again: it goes on with what is left.",
                ) from None
            shown.print(f"{place + 1} of {len(left)} runs", highlight=False)


def run_part(reference: str, part: Part, folder: Path, backend: str) -> None:
    """Carry out one run of a sweep in a process of its own."""
    _run(find_scenario(reference), part, folder, backend, Console(quiet=True))


def _run(scenario: AnyScenario, part: Part, folder: Path, backend: str, shown: Console) -> None:
    """Start or resume a run, and note how it ended; divergence is an outcome, not an error."""
    own = part.folder(folder)
    state = {"state": "complete", "reason": ""}
    try:
        if (own / runfolder.CONFIG).is_file():
            resume_run(own, shown, scenario=scenario)
        else:
            start_run(scenario, part.values, part.vary, backend, own, shown, overwrite=True)
    except Diverged as error:
        state = {"state": "diverged", "reason": str(error)}
    except Interrupted as error:
        where = f"run {part.number} of the sweep: {error.where}; the same sweep goes on with all"
        raise Interrupted(where, own) from None
    runfolder.write_json(part.state(folder), state)
