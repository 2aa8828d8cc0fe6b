"""`circuitsim export`: the trained circuit of a run in a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitsim.cli.console import terminal
from circuitsim.runs.tools import load_tool


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its suffix is .onnx, .nir or .graphml.")],
    replica: Annotated[int, typer.Option("--replica", min=0, help="The replica whose weights are written.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write the trained circuit of a run for other programs."""
    from circuitsim.api.result import load_run
    from circuitsim.runs.files import refuse_taken

    refuse_taken(file, overwrite)
    load_tool("export")(load_run(folder).simulator(replica), file)
    terminal().print(f"written: {file}", soft_wrap=True)
