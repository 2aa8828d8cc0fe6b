"""The command `circuitsim sweep`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from circuitsim.cli.console import show_rows, terminal
from circuitsim.cli.options import Backend, ConfigFile, Quick, ScenarioName, Seed, Sets, Varies
from circuitsim.errors import Diverged
from circuitsim.runs.own import find_scenario

Workers = Annotated[
    str,
    typer.Option("--workers", metavar="WHERE", help="local:N, dask:N, dask://HOST:PORT, slurm or slurm:KEY=VALUE,..."),
]
SearchBy = Annotated[
    str | None, typer.Option("--search", metavar="tpe", help="Search; --vary KEY=LOW..HIGH is a range.")
]
Trials = Annotated[int, typer.Option("--trials", metavar="N", help="Trials of the search.")]
AtOnce = Annotated[int, typer.Option("--at-once", metavar="N", help="Trials that are proposed together.")]
Shard = Annotated[str | None, typer.Option("--shard", metavar="K/N", help="Only the K-th of N parts of the runs.")]


def sweep(
    scenario: ScenarioName,
    set_: Sets = None,
    vary: Varies = None,
    config_file: ConfigFile = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: runs/sweep-DATE.")] = None,
    backend: Backend = "numba",
    quick: Quick = False,
    workers: Workers = "local:1",
    shard: Shard = None,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="The most in one run.")] = 64,
    search: SearchBy = None,
    trials: Trials = 0,
    at_once: AtOnce = 4,
) -> None:
    """Run a scenario over any of its keys, shapes included; the same command goes on where it stopped."""
    from circuitsim.api.sweeping import How, carry_out
    from circuitsim.runs.arguments import parse_vary, values_of
    from circuitsim.runs.scenario import expect_circuits

    found = expect_circuits(find_scenario(scenario), "sweep of")
    defaults, given = values_of(found, set_, config_file, seed, quick)
    folder = out or Path("runs") / f"sweep-{datetime.now():%Y%m%d-%H%M%S}"
    how = How(backend, workers, shard, replicas, search, trials, at_once)
    made = carry_out(found, defaults, given, parse_vary(vary or []), folder, how, terminal())
    show_rows(
        [
            {str(key): f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()}
            for row in made.table.drop(columns=[key for key in made.table if str(key).startswith("SD ")]).to_dict(
                orient="records"
            )
        ]
    )
    terminal().print(f"done: {made.folder}", soft_wrap=True)
    lost = [f"run {number}: {one['reason']}" for number, one in made.states.items() if one["state"] == "diverged"]
    if lost:
        raise Diverged(f"{len(lost)} of {len(made.runs)} runs diverged, what they did is kept: {'; '.join(lost)}")
