"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitsim.runs.lookup import scenario_names

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key; VALUE is TOML.")]
Varies = Annotated[list[str] | None, typer.Option("--vary", metavar="KEY=V1,V2,...", help="Cross into replicas.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Keys from a file.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Default of the keys seed and data_seed.")]
Quick = Annotated[bool, typer.Option("--quick", help="The scenario's short settings.")]
Backend = Annotated[
    str, typer.Option("--backend", help="numba; cupy (an NVIDIA GPU); or numpy (slow: the specification).")
]


ThemeOption = Annotated[
    str | None,
    typer.Option(
        "--theme",
        metavar="NAME",
        help="Size of the figures: page; column (of a paper, 3.3 inches wide) or columns (two, 7 inches).",
    ),
]


def _matching_scenarios(incomplete: str) -> list[str]:
    """Return the names that a shell offers for the beginning of a scenario's name."""
    return [name for name in scenario_names() if name.startswith(incomplete)]


ScenarioName = Annotated[str, typer.Argument(autocompletion=_matching_scenarios)]
