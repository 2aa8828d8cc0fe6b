"""Sweeps: many runs of one scenario over any of its keys, resumable, in several processes, in shards."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from circuitsim import kernels
from circuitsim.api.start import console, plain, values_of_vary
from circuitsim.api.sweep_plan import MOST_REPLICAS, Part, claim, divide, read_shard
from circuitsim.api.sweep_result import Sweep, gather
from circuitsim.api.sweep_search import TPE, SearchPlan, carry_out_search
from circuitsim.api.workers import Carry, Workers, opened, read_workers
from circuitsim.errors import BadInput, Diverged, Interrupted
from circuitsim.runs import runfolder
from circuitsim.runs.arguments import defaults_of, read_keys, vary_of
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import refuse
from circuitsim.runs.files import remove_partial
from circuitsim.runs.launch import resume_run, start_run
from circuitsim.runs.own import find_scenario
from circuitsim.runs.ownership import StillRunning
from circuitsim.runs.scenario import expect_circuits

POLL = 0.5  # seconds between looks at a run that another worker carries out


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
    search: str | None = None,
    trials: int = 0,
    at_once: int = 4,
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
    workers : processes on this machine, as a number or "local:N"; "dask:N" or "dask://HOST:PORT"; "slurm" or
        "slurm:KEY=VALUE,..." with options of submitit. All see the same folders.
    shard : "K/N": only the K-th of N parts of the runs; the folder may be shared with the other parts.
    replicas : the most of one run, >= 1.
    search : "tpe": `vary` has ranges, as "LOW..HIGH" (whole numbers if both are; otherwise logarithmic above 0), and
        choices. Trials are judged by the mean over seeds on training examples held out (`held_out`, 0.2 by default);
        the best settings are then trained on all of them with five other seeds, and tested.
    trials : of the search, >= 1. at_once : trials that are proposed together, >= 1; results depend on it, and not on
        the workers.

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
    ranges = {key: [values] if search and isinstance(values, str) else values for key, values in vary.items()}
    asked = {key: values_of_vary(key, values) for key, values in ranges.items()}
    how = How(backend, workers, shard, replicas, search, trials, at_once)
    return carry_out(found, defaults, given, asked, None if out is None else Path(out), how, console(progress))


@dataclass(frozen=True)
class How:
    """Options of a sweep beside its keys; see `sweep`."""

    backend: str = "numba"
    workers: int | str = 1
    shard: str | None = None
    replicas: int = MOST_REPLICAS
    search: str | None = None
    trials: int = 0
    at_once: int = 4

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        if self.search not in (None, TPE):
            expected = f"{TPE}, or no search"
            refuse("--search", self.search, expected, "Without a search all combinations of values are run.")
        if self.search and (self.trials < 1 or self.at_once < 1):
            refuse("--trials", [self.trials, self.at_once], "numbers >= 1 of trials and of trials at once", "Set both.")
        if not self.search and self.trials:
            refuse("--trials", self.trials, "a search", "Add --search tpe, or remove it.")
        if self.search and self.shard:
            refuse("--shard", self.shard, "no shard", "Trials follow from earlier ones: use --workers.")


def carry_out(
    scenario: AnyScenario,
    defaults: Mapping[str, Any],
    given: Mapping[str, Any],
    asked: Mapping[str, Sequence[Any]],
    out: Path | None,
    how: How,
    shown: Console,
) -> Sweep:
    """Carry out a sweep whose keys have been read; see `sweep`."""
    vary = asked if how.search else vary_of(scenario, asked, {**defaults, **given})
    values = {key: value for key, value in defaults.items() if key not in vary} | dict(given)
    workers, (place, of) = read_workers(how.workers), read_shard(how.shard)
    kernels.backend(how.backend)
    plan: dict[str, Any] = {"scenario": scenario.reference, "values": values, "vary": vary, "backend": how.backend}
    if how.search:
        search = SearchPlan(scenario, values, vary, how.trials, how.at_once)
        plan |= {"search": how.search, "trials": how.trials, "at_once": how.at_once}
    else:
        parts = divide(scenario, values, vary, how.replicas)
        plan |= {"replicas": how.replicas}
    with _folder(out, scenario.name) as (folder, temporary):
        claim(folder, plan)
        remove_partial(folder)
        alone = workers == Workers()
        with nullcontext() if alone else opened(workers, folder) as carry:
            run = partial(_carry_out, scenario, folder=folder, backend=how.backend, carry=carry, shown=shown)
            if how.search:
                parts = carry_out_search(search, folder, run)
            else:
                run([part for part in parts if part.number % of == place - 1])
        gather(folder, parts)
        made = Sweep(folder)
        if temporary is not None:
            weakref.finalize(made, shutil.rmtree, temporary, ignore_errors=True)
    return made


@contextmanager
def _folder(out: Path | None, name: str) -> Iterator[tuple[Path, Path | None]]:
    """Give the folder of a sweep, and the temporary one that it lies in; a sweep that is refused leaves nothing."""
    temporary = None if out is not None else Path(tempfile.mkdtemp(prefix="circuitsim-"))
    folder = out.absolute() if out is not None else Path(str(temporary)) / name
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield folder, temporary
    except BaseException as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        elif isinstance(error, BadInput) and new:
            _remove_unused(new)
        raise


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
    scenario: AnyScenario, parts: Sequence[Part], *, folder: Path, backend: str, carry: Carry | None, shown: Console
) -> None:
    """Carry out the runs that are not complete, one after the other or where the workers are."""
    left = [part for part in parts if not part.state(folder).is_file()]
    shown.print(f"{len(parts)} runs, {len(parts) - len(left)} of them complete", highlight=False)
    if carry is None:
        for place, part in enumerate(left):
            shown.print(f"run {part.number} ({place + 1} of {len(left)})", highlight=False)
            _run(scenario, part, folder, backend, shown)
    elif left:
        if scenario.reference == scenario.name:
            find_scenario(scenario.name)  # other processes have only its name
        run = partial(run_part, scenario.reference, folder, backend, Path.cwd())
        for place, _ in enumerate(carry(run, left)):
            shown.print(f"{place + 1} of {len(left)} runs", highlight=False)


def run_part(reference: str, folder: Path, backend: str, where: Path, part: Part) -> None:
    """Carry out one run of a sweep in a process of its own, unless it has ended; relative paths begin in `where`.

    A worker that was thought dead may still be at it, as may one of a sweep that was stopped: then wait for its end.
    """
    while not part.state(folder).is_file():
        try:
            with chdir(where):
                _run(find_scenario(reference), part, folder, backend, Console(quiet=True))
        except StillRunning:
            time.sleep(POLL)


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
