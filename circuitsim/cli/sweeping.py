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

Workers = Annotated[str, typer.Option("--workers", metavar="local:N", help="Processes on this machine.")]
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
) -> None:
    """Run a scenario over any of its keys, shapes included; the same command goes on where it stopped."""
    from circuitsim.api.sweeping import carry_out
    from circuitsim.runs.arguments import parse_vary, values_of
    from circuitsim.runs.scenario import expect_circuits

    found = expect_circuits(find_scenario(scenario), "sweep of")
    defaults, given = values_of(found, set_, config_file, seed, quick)
    folder = out or Path("runs") / f"sweep-{datetime.now():%Y%m%d-%H%M%S}"
    made = carry_out(found, defaults, given, parse_vary(vary or []), out=folder, backend=backend, workers=workers,
                     shard=shard, most=replicas, shown=terminal())  # fmt: skip
    show_rows(
        [
            {str(key): f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()}
            for row in made.table.to_dict(orient="records")
        ]
    )
    terminal().print(f"done: {made.folder}", soft_wrap=True)
    lost = [f"run {number}: {one['reason']}" for number, one in made.states.items() if one["state"] == "diverged"]
    if lost:
        raise Diverged(f"{len(lost)} of {len(made.runs)} runs diverged, what they did is kept: {'; '.join(lost)}")
