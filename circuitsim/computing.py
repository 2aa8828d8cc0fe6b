"""Carries out a computation in a folder: its numbers are written whole or not at all, then its figures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from circuitsim import kernels, runfolder, signals, tables
from circuitsim.config import Keys, replicas
from circuitsim.errors import Interrupted
from circuitsim.files import remove_partial
from circuitsim.request import Conclusion, Request, refuse_init
from circuitsim.scenario import Computation

if TYPE_CHECKING:
    import pandas as pd


TELLING = 2.0  # seconds between lines of progress, at least


def run(computation: Computation, request: Request, console: Console) -> Conclusion:
    """Check all of a request, then start a run folder and compute."""
    runfolder.check_free(request.out, request.overwrite)
    refuse_init(request, "computation")
    kernels.backend(request.backend)
    settings = replicas(computation.settings, request.values, request.vary)
    config = runfolder.describe(computation.name, settings, request.vary, request.backend)
    runfolder.clear(request.out)
    runfolder.write_json(request.out / runfolder.CONFIG, config)
    return carry_out(request.out, computation, settings, config, console)


def resume(computation: Computation, folder: Path, config: Mapping[str, Any], console: Console) -> Conclusion:
    """Compute again what was not completed; of what was, draw the figures again."""
    settings = runfolder.read_settings(folder, config, computation.settings)
    return carry_out(folder, computation, settings, config, console)


def carry_out(
    folder: Path, computation: Computation, settings: Sequence[Keys], config: Mapping[str, Any], console: Console
) -> Conclusion:
    """Compute each replica, unless the folder has their numbers, and write what the computation makes of them.

    Raises
    ------
    Interrupted : the numbers are not in the folder, or all of them are.
    """
    remove_partial(folder)
    path = folder / runfolder.METRICS
    try:
        with signals.at_once():
            if not path.exists():
                tables.write_frame(path, _computed(computation, settings, list(config["vary"]), console))
            computation.finish(folder, tables.read_frame(path), config)
    except KeyboardInterrupt:
        where = "in its figures" if path.exists() else "before its numbers were complete, and none are kept"
        raise Interrupted(f"computation {computation.name}: interrupted {where}", folder) from None
    return Conclusion(folder)


def _computed(
    computation: Computation, settings: Sequence[Keys], vary: Sequence[str], console: Console
) -> pd.DataFrame:
    """The numbers of all replicas, one below the other."""
    import pandas as pd

    begin, told, parts = time.monotonic(), 0.0, []
    for replica, one in enumerate(settings):
        frame = computation.compute(one)
        frame.insert(0, "replica", replica)
        parts.append(frame)
        seconds = time.monotonic() - begin
        if seconds - told >= TELLING or replica + 1 == len(settings):
            told = seconds
            console.print(f"computed {replica + 1} of {len(settings)}  {seconds:.1f} s", highlight=False)
    return tables.with_varied(pd.concat(parts, ignore_index=True), settings, vary)
