"""Every item of the sources: what is printed, what this package finds, by which command, and whether they agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field
from rich.console import Console

from circuitsim.errors import DataError, Diverged, Interrupted
from circuitsim.kernels import BACKENDS
from circuitsim.runs import runfolder
from circuitsim.runs.arguments import vary_of
from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.scenario import Computation
from circuitsim.runs.tables import read_frame
from circuitsim.scenarios.fields import NonNegative, among
from circuitsim.scenarios.reproduce.items import LONG, SOURCES, Experiment, Item, experiments, items
from circuitsim.scenarios.reproduce.reading import keep, kept_results, needed, reads_of, values

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
RUN, KEPT = "run", "kept"
COLUMNS = ("epoch", "split", "metric", "value", "source", "row", "label", "experiment", "origin", "number")


class ReproduceSettings(Settings):
    """The settings of `reproduce`."""

    source: Annotated[str, among((ALL, *SOURCES))] = Field(ALL, description=f"{ALL}, {', '.join(SOURCES)}")
    row: int | list[int] | None = Field(None, description="none, a row's number, or a list of them")
    minutes: NonNegative = Field(LONG, description="a number >= 0")
    store: str | None = Field(None, description="none, or a folder")

    FIXED: ClassVar[tuple[str, ...]] = ("source", "row", "minutes", "store")

    @property
    def chosen(self) -> list[Item]:
        """The items that the settings ask for."""
        return chosen(self.source, self.row)


def chosen(source: str, row: int | Sequence[int] | None) -> list[Item]:
    """Return the items of a source, or of all, with these numbers, or all."""
    rows = [row] if isinstance(row, int) else row
    return [item for item in items() if source in (ALL, item.source) and (rows is None or item.row in rows)]


def check(settings: ReproduceSettings) -> None:
    """Refuse rows that there are not."""
    found = {item.row for item in settings.chosen}
    asked = [settings.row] if isinstance(settings.row, int) else settings.row or []
    missing = [row for row in asked if row not in found]
    if missing or not found:
        count = max(n for name, (_, n) in SOURCES.items() if settings.source in (ALL, name))
        refuse("row", settings.row, f"rows from 1 to {count}", "docs/results.md lists them.")


def compute(settings: ReproduceSettings, kept: Path, backend: str, show: Callable[[str], None]) -> pd.DataFrame:
    """Run what the rows need and takes no longer than `minutes`; take the rest from the results that are kept.

    Columns beside epoch, split, metric and value: source, row, label, experiment, origin (run or kept), number (of the
    seed).
    """
    import pandas as pd

    found: list[tuple[Any, ...]] = []
    tables: dict[str, tuple[str, pd.DataFrame | None]] = {}
    for item in settings.chosen:
        for read in item.reads:
            name = read.experiment
            if name not in tables:
                tables[name] = _table(name, settings, kept, backend, show)
            origin, frame = tables[name]
            numbers = [] if frame is None else values(frame, read).tolist()
            found += [
                (0, "test", item.name, value, item.source, item.row, read.label, name, origin, k)
                for k, value in enumerate(numbers)
            ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _table(
    name: str, settings: ReproduceSettings, kept: Path, backend: str, show: Callable[[str], None]
) -> tuple[str, pd.DataFrame | None]:
    """Return where an experiment's table is from, and the table; none if it takes too long and none is kept."""
    experiment = experiments()[name]
    done = kept_results(name, kept / "tables")
    if done is not None:
        return RUN, done
    if experiment.minutes > settings.minutes:
        show(f"{name}: about {experiment.minutes:g} minutes: not run, the results kept are used")
        return KEPT, kept_results(name)
    show(f"{name}: about {experiment.minutes:g} minutes: {experiment.command}")
    begin, folder = time.monotonic(), kept / name
    try:
        frame = needed(_carried_out(experiment, folder, backend), reads_of(items(), name))
    except DataError as error:
        show(f"{name}: {error}")
        return KEPT, kept_results(name)
    config, seconds = runfolder.read_config(folder), time.monotonic() - begin
    for place in (kept / "tables", *([Path(settings.located(settings.store))] if settings.store else [])):
        keep(frame, name, place, config, seconds)
    return RUN, kept_results(name, kept / "tables")


def _carried_out(experiment: Experiment, folder: Path, backend: str) -> pd.DataFrame:
    """Start an experiment, or continue it where it stopped; return its table, whatever has diverged."""
    from circuitsim.runs.launch import resume_run, start_run  # imports the engine

    console = Console(quiet=True)
    scenario = load_scenario(experiment.scenario)
    try:
        if (folder / runfolder.CONFIG).exists():
            resume_run(folder, console, scenario=scenario)
        else:
            varied = vary_of(scenario, experiment.vary, experiment.set)
            own = backend if backend in getattr(scenario, "backends", BACKENDS) else "numba"
            start_run(scenario, experiment.set, varied, own, folder, console, overwrite=True)
    except Diverged:
        pass  # what was done is in the folder
    except Interrupted:
        raise KeyboardInterrupt from None  # the run around it says where it stopped
    return read_frame(folder / runfolder.METRICS)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the table and the report."""
    from circuitsim.scenarios.reproduce import report  # imports what draws

    report.finish(folder, metrics, chosen(config["source"], config["row"]), config)


SCENARIO = Computation(
    name="reproduce",
    description="every figure, table and theorem of the sources beside what is found here: value, command, verdict",
    settings=ReproduceSettings,
    compute=compute,
    finish=finish,
    check=check,
    keeps=True,
    backends=tuple(BACKENDS),
    quick={"minutes": 0.5},
)
