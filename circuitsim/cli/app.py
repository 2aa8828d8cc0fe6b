"""The command line: it parses arguments, calls what carries out a command, and turns errors into exit statuses."""

from __future__ import annotations

import errno
import json
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuitsim.cli.console import error_console, show_rows, table_of, terminal
from circuitsim.cli.designing import designed
from circuitsim.cli.exporting import export
from circuitsim.cli.keys import show_keys
from circuitsim.cli.options import Backend, ConfigFile, Quick, ScenarioName, Seed, Sets, ThemeOption, Varies
from circuitsim.cli.sweeping import sweep
from circuitsim.cli.timetables import following, show_timetable
from circuitsim.cli.variables import check_variables
from circuitsim.errors import ADVICE, CircuitsimError
from circuitsim.runs.given import shortened
from circuitsim.runs.lookup import all_scenarios, circuit_descriptions
from circuitsim.runs.own import find_scenario
from circuitsim.runs.tools import load_tool

if TYPE_CHECKING:
    from circuitsim.runs.run import Run

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(rich_markup_mode=None, help="Data sets: list them, find them, fetch them.")
app.add_typer(data_app, name="data")
app.command()(sweep)
app.command()(export)

NAME = "circuitsim"
_UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)  # of paths that no file can have: bad input
GOES_ON = "nobody reads this output any more; the run goes on to its end"
COMPLETING = f"_{NAME.upper()}_COMPLETE"  # the environment variable with which a shell asks for completions


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {version(NAME)}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_show_version)] = False,
) -> None:
    """Simulate learning in physical circuits, local in space and time."""


@app.command("list")
def list_() -> None:
    """Show scenarios and circuits, a line each."""
    table = table_of("name", "kind", "what it is")
    for name, found in all_scenarios().items():
        table.add_row(name, found.kind, found.description)
    for name, description in circuit_descriptions():
        table.add_row(name, "circuit", description)
    terminal().print(table)


@app.command()
def run(
    scenario: ScenarioName,
    set_: Sets = None,
    vary: Varies = None,
    config_file: ConfigFile = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: runs/SCENARIO-DATE.")] = None,
    init: Annotated[Path | None, typer.Option("--init", metavar="FILE.safetensors", help="First weights.")] = None,
    noise: Annotated[Path | None, typer.Option("--noise", metavar="FILE", help="Noise of mirror mode.")] = None,
    backend: Backend = "numba",
    quick: Quick = False,
    theme: ThemeOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")] = False,
) -> None:
    """Run a scenario and write its run folder."""
    from circuitsim.runs.arguments import parse_vary, values_of, vary_of
    from circuitsim.runs.launch import start_run

    found = find_scenario(scenario)
    sets = [*(set_ or []), *([] if noise is None else [f"noise={json.dumps(str(noise))}"])]
    defaults, given = values_of(found, sets, config_file, seed, quick)
    varied = vary_of(found, parse_vary(vary or []), defaults | given)
    values = {key: value for key, value in defaults.items() if key not in varied} | given
    options = {"init": init, "overwrite": overwrite, "theme": theme}
    _conclude(start_run(found, values, varied, backend, out, terminal(GOES_ON), **options))


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    trust: Annotated[bool, typer.Option("--trust", help="Execute the files with rules that the run names.")] = False,
    theme: ThemeOption = None,
) -> None:
    """Go on where a run in DIR stopped; of a complete one, draw the figures anew."""
    from circuitsim.runs.launch import resume_run

    _conclude(resume_run(folder, terminal(GOES_ON), trusted=trust, theme=theme))


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FIGURE.svg", help="Draw the curves.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="To draw; default: the one that ranks runs.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Show where the settings of runs differ, and how the runs ended."""
    from circuitsim.api.comparing import compare as compared
    from circuitsim.api.comparing import save_figure
    from circuitsim.runs.files import refuse_taken

    found = compared(folders)
    if out is not None:
        refuse_taken(out, overwrite)
        save_figure(found.plot(metric), out)
    show_rows(found.rows())
    if out is not None:
        terminal().print(f"written: {out}", soft_wrap=True)


@app.command()
def schedule(scenario: ScenarioName, set_: Sets = None, config_file: ConfigFile = None, quick: Quick = False) -> None:
    """Show the timetable of one presentation, as a table."""
    from circuitsim.timetable.schedule import make_schedules

    _, design = designed("schedule", scenario, set_, config_file, quick)
    planned = [(when, make_schedules(design.circuit, protocol)) for when, protocol in design.protocols()]
    for number, (when, plans) in enumerate(planned):
        if when:
            terminal().print("\n" * (number > 0) + when)
        for plan in plans:
            show_timetable(plan, design.protocol.passes)
        if when:
            terminal().print(following(plans[0]))


@app.command()
def audit(
    scenario: ScenarioName,
    set_: Sets = None,
    config_file: ConfigFile = None,
    backend: Backend = "numba",
    quick: Quick = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the experiments; default: drawn anew.")] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Repetitions with other random values.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="The whole audit, for programs.")] = False,
) -> None:
    """Audit the locality of a scenario's circuit, without training."""
    settings, design = designed("audit", scenario, set_, config_file, quick)
    found = load_tool("audit")(design, settings, backend, seed, runs)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        for part in load_tool("audit-text")(found):
            terminal().print(part)


@app.command()
def trace(
    scenario: ScenarioName,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.json", help="The file to write.")],
    set_: Sets = None,
    config_file: ConfigFile = None,
    quick: Quick = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write one presentation of random numbers as a Chrome-trace file."""
    from circuitsim.runs.files import refuse_taken, write_bytes

    settings, design = designed("trace", scenario, set_, config_file, quick)
    refuse_taken(out, overwrite)
    write_bytes(out, load_tool("trace")(design, settings))
    terminal().print(f"written: {out}. Open it at https://ui.perfetto.dev", soft_wrap=True)


@data_app.command("list")
def data_list() -> None:
    """Show the data sets and where each is."""
    from circuitsim import data

    table = table_of("name", "what it is", "where")
    for entry in data.names():
        table.add_row(entry.name, entry.what, str(entry.where))
    terminal().print(table)


@data_app.command("path")
def data_path(name: str) -> None:
    """Print where a data set is."""
    from circuitsim import data

    terminal().print(str(data.path(name)), soft_wrap=True)


@data_app.command("fetch")
def data_fetch(name: str) -> None:
    """Download a data set and check it."""
    from circuitsim import data

    terminal().print(str(data.fetch(name)), soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status; every failure is a message, never a traceback."""
    errors = error_console()
    try:
        status = _carry_out(sys.argv[1:] if arguments is None else arguments)
    except CircuitsimError as error:
        errors.print(f"circuitsim: {error}")
        status = error.exit_status
    except typer.TyperException as error:  # unknown commands and options
        errors.print(f"circuitsim: {error.format_message().rstrip('.')}. `circuitsim --help` shows what there is.")
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        errors.print("circuitsim: interrupted before anything new was done; resume, or start again.")
        status = 130
    except BrokenPipeError:  # the reader of our output has gone: nothing is wrong, and nobody to tell
        status = 0
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "Check the path and its rights.")
        errors.print(f"circuitsim: {error.strerror or error}: {shortened(str(error.filename or 'a file'))}. {advice}")
        status = 2 if error.errno in _UNUSABLE else 1
    except MemoryError as error:
        errors.print(f"circuitsim: not enough memory: {error}. Lower batch, sizes or the number of replicas.")
        status = 2
    sys.exit(status)


def _carry_out(arguments: list[str]) -> int:
    """Run the command; unlike calling `app`, this leaves interrupts and broken pipes to `main`."""
    check_variables()
    command = _command()
    if COMPLETING in os.environ:
        command.main(list(arguments), prog_name=NAME)  # prints completions and exits
    try:
        with command.make_context(NAME, list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:  # --help
        show_keys(arguments)
        return ended.exit_code
    return 0


@cache
def _command() -> Any:
    """Return what typer makes of the functions above: it takes longer than many commands."""
    return typer.main.get_command(app)


def _conclude(ended: Run[Any]) -> None:
    """Print the notes and the closing table of a run, and where its files are."""
    for note in ended.notes:
        terminal().print(note, highlight=False, soft_wrap=True)
    show_rows(ended.summary)
    terminal().print(f"done: {ended.folder}\nreport: {ended.folder / 'report.html'}", soft_wrap=True)
