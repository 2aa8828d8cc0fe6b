"""Carries out a computation in a folder: its numbers are written whole or not at all, then its figures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from circuitsim import kernels
from circuitsim.errors import ConfigError, Interrupted
from circuitsim.runs import runfolder, signals, tables
from circuitsim.runs.config import Keys, replicas
from circuitsim.runs.files import remove_partial
from circuitsim.runs.request import Conclusion, Place, Request, refuse_init
from circuitsim.runs.scenario import Computation

if TYPE_CHECKING:
    import pandas as pd


TELLING = 2.0  # seconds between lines of progress, at least


def run(computation: Computation, request: Request, console: Console) -> Conclusion:
    """Check all of a request, then start a run folder and compute."""
    runfolder.check_free(request.out, request.overwrite)
    refuse_init(request, "computation")
    _check_backend(computation, request.backend)
    settings = replicas(computation.settings, request.values, request.vary)
    for one in settings:
        computation.check(one)
    config = runfolder.describe(computation.name, settings, request.vary, request.backend)
    runfolder.clear(request.out)
    runfolder.write_json(request.out / runfolder.CONFIG, config)
    return carry_out(request.out, computation, settings, config, console)


def _check_backend(computation: Computation, name: str) -> None:
    kernels.backend(name)
    if name not in computation.backends:
        raise ConfigError(
            f"backend of computation {computation.name}",
            got=repr(name),
            expected=" or ".join(computation.backends),
            remedy="Leave --backend out.",
        )


def resume(computation: Computation, folder: Path, config: Mapping[str, Any], console: Console) -> Conclusion:
    """Compute again what was not completed, or go on with it; of what was completed, draw the figures again."""
    settings = runfolder.read_settings(folder, config, computation.settings)
    for one in () if (folder / runfolder.METRICS).exists() else settings:
        computation.check(one)
    return carry_out(folder, computation, settings, config, console)


def carry_out(
    folder: Path, computation: Computation, settings: Sequence[Keys], config: Mapping[str, Any], console: Console
) -> Conclusion:
    """Compute each replica, unless the folder has their numbers, and write what the computation makes of them.

    Raises
    ------
    Interrupted : the numbers are not in the folder, or all of them are; or `keeps` has those that were done.
    """
    remove_partial(folder)
    path = folder / runfolder.METRICS
    try:
        with signals.at_once():
            if not path.exists():
                tables.write_frame(path, _computed(folder, computation, settings, config, console))
            computation.finish(folder, tables.read_frame(path), config)
    except KeyboardInterrupt:
        kept = f"{computation.keeps} has those that were" if computation.keeps else "and none are kept"
        where = "in its figures" if path.exists() else f"before its numbers were complete, {kept}"
        raise Interrupted(f"computation {computation.name}: interrupted {where}", folder) from None
    return Conclusion(folder)


def _computed(
    folder: Path, computation: Computation, settings: Sequence[Keys], config: Mapping[str, Any], console: Console
) -> pd.DataFrame:
    """The numbers of all replicas, one below the other."""
    import pandas as pd

    place = Place(folder, str(config["backend"]), partial(console.print, markup=False, highlight=False, soft_wrap=True))
    given = (place,) if computation.keeps else ()
    begin, told, parts = time.monotonic(), 0.0, []
    for replica, one in enumerate(settings):
        frame = computation.compute(one, *given)
        frame.insert(0, "replica", replica)
        parts.append(frame)
        seconds = time.monotonic() - begin
        if seconds - told >= TELLING or replica + 1 == len(settings):
            told = seconds
            console.print(f"computed {replica + 1} of {len(settings)}  {seconds:.1f} s", highlight=False)
    return tables.with_varied(pd.concat(parts, ignore_index=True), settings, list(config["vary"]))
