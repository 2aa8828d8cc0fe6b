"""Start and resume runs from Python, with the keys and errors of the command line."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from circuitsim.api.result import Run
from circuitsim.errors import Diverged, Interrupted
from circuitsim.runs.arguments import defaults_of, read_keys, vary_of
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import refuse
from circuitsim.runs.launch import resume_run, start_run
from circuitsim.runs.own import find_scenario


def run(
    scenario: str | AnyScenario,
    *,
    vary: Mapping[str, Iterable[Any]] | None = None,
    out: str | Path | None = None,
    backend: str = "numba",
    quick: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    initial: str | Path | None = None,
    overwrite: bool = False,
    theme: str = "page",
    progress: bool = True,
    **keys: Any,
) -> Run:
    """Run a scenario to its end, as `circuitsim run` does.

    Parameters
    ----------
    scenario : a name that `circuitsim list` shows, FILE.py:NAME, or a `Scenario` of your own.
    vary : values to cross into replicas of one run, by key; the last key runs fastest.
    out : the run folder; None: a temporary one, which is removed with the object returned.
    backend : numba, cupy (an NVIDIA GPU) or numpy (slow: the specification).
    quick : the scenario's short settings. config : keys, or a TOML file of them, which `quick` and `keys` override.
    initial : a .safetensors file of first weights. overwrite : replace an earlier run in `out`.
    theme : size of the figures in the run folder: page; column (of a paper, 3.3 inches wide) or columns (two, 7
        inches).
    progress : show a bar in terminals and notebooks.
    keys : the scenario's keys, with the values of `--set`; tuples, ranges and arrays count as lists.

    Returns
    -------
    The `Run`, with its metrics, settings, audit, tensors, simulator and figures.

    Raises
    ------
    BadInput : the request cannot be carried out; nothing was written. Diverged, Interrupted : the folder has what was
        done; a temporary folder then stays.

    Examples
    --------
    >>> import circuitsim as cs
    >>> run = cs.run("autoencoder", sizes=[64, 4, 64], epochs=1, train_limit=100, vary={"seed": range(2)})
    >>> sorted(run.metrics.columns)
    ['epoch', 'metric', 'replica', 'seed', 'split', 'value']
    """
    found = find_scenario(scenario) if isinstance(scenario, str) else scenario
    given = {key: plain(value) for key, value in keys.items()}
    file = read_keys(Path(config)) if isinstance(config, (str, Path)) else config or {}
    defaults = defaults_of(found, {key: plain(value) for key, value in file.items()}, None, quick)
    varied = vary_of(
        found, {key: values_of_vary(key, values) for key, values in (vary or {}).items()}, defaults | given
    )
    values = {key: value for key, value in defaults.items() if key not in varied} | given
    temporary = None if out is not None else Path(tempfile.mkdtemp(prefix="circuitsim-"))
    folder = Path(out) if out is not None else Path(str(temporary)) / found.name
    options: dict[str, Any] = {"overwrite": overwrite, "theme": theme}
    first = None if initial is None else Path(initial)
    try:
        start_run(found, values, varied, backend, folder, console(progress), init=first, **options)
    except (Diverged, Interrupted) as error:
        error.add_note(f"What was done is in {folder}: circuitsim.load_run({str(folder)!r}) reads it.")
        raise
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    ended = Run(folder, found, trusted=True)
    if temporary is not None:
        weakref.finalize(ended, shutil.rmtree, temporary, ignore_errors=True)
    return ended


def resume(folder: str | Path, *, trust: bool = False, theme: str | None = None, progress: bool = True) -> Run:
    """Go on where the run in a folder stopped, as `circuitsim resume` does.

    Parameters
    ----------
    folder : the run folder. trust : execute code from the files that the run names.
    theme : size of the figures; None: as before.
    progress : show a bar in terminals and notebooks.

    Returns
    -------
    The `Run`, to the same bits as one that never stopped.

    Raises
    ------
    RunFolderError : the folder holds no run, a run that is still going on, or code that nobody has trusted.
    """
    ended = resume_run(Path(folder), console(progress), trusted=trust, theme=theme)
    return Run(Path(folder), ended.scenario, trusted=trust)


def console(progress: bool) -> Console:
    """Return where progress is shown: a terminal's standard error, or a notebook; otherwise nowhere."""
    shown = Console(stderr=True, markup=False, highlight=False)
    shown.quiet = not (progress and (shown.is_terminal or shown.is_jupyter))
    return shown


def plain(value: Any) -> Any:
    """Return a value as TOML would give it: lists for tuples, ranges and arrays, Python's numbers for NumPy's."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple, range)):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    return str(value) if isinstance(value, Path) else value


def values_of_vary(key: str, values: Any) -> list[Any]:
    """Return the values of a varied key."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        refuse(key, values, "a list of the values to vary", f"Write vary={{{key!r}: [{values!r}]}}.")
    found = [plain(value) for value in values]
    if not found:
        refuse(key, "vary without values", "a list of at least one value", "Name a value, or leave the key out.")
    return found
