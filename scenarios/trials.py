"""Trials of a search: optuna proposes them from earlier ones and keeps them in a file.

A trial is written in one transaction once it has ended. Each proposal follows from the trials in the file and a seed of
its own, so that a search that was stopped continues with the same bits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from circuitsim.errors import CircuitsimError, ConfigError, RunFolderError
from circuitsim.randomness import generator
from circuitsim.runs.runfolder import ANEW

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

FILE = "study.db"
LEAST = 4  # optuna's major version
_PASSING = {
    "database is locked": "Wait until the program that uses the file has ended",
    "disk is full": "Free some space",
    "disk I/O error": "Free some space, and check the disk",
    "unable to open": "Check the rights of its folder",
    "readonly database": "Check its rights",
}
"""Causes, in SQLite's words, that leave the trials as they are, and what to do."""
_FINGERPRINT, _RESULTS, _ROWS = "fingerprint", "results", "rows"


def require_optuna(what: str) -> None:
    """Refuse what searches where optuna is missing or too old."""
    try:
        import optuna

        got = f"optuna {optuna.__version__}"
        if int(optuna.__version__.partition(".")[0]) >= LEAST:
            return
    except ImportError:
        got = "no package optuna"
    raise ConfigError(
        what,
        got=got,
        expected=f"optuna {LEAST} or newer, which proposes the trials",
        remedy="Install it: pip install 'circuitsim[search]'",
    )


@dataclass(frozen=True)
class Trial:
    """A trial that has ended: its number, its parameters, its mean error in percent, rows of metrics."""

    number: int
    parameters: dict[str, float]
    value: float
    rows: list[list[Any]]


class Notebook:
    """The file of all searches and their results.

    Parameters
    ----------
    path : a SQLite database, made where it is not there. fingerprint : of all that decides the results.

    Raises
    ------
    RunFolderError : the file cannot be read, or is another search's.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        import optuna

        self.path = path
        with quiet(), _readable(path):
            self.storage = optuna.storages.RDBStorage(_address(path))
            self._results = self.study(_RESULTS)
            kept = self._results.user_attrs.get(_FINGERPRINT)
        if kept not in (None, fingerprint):
            raise _refused(path, "the trials of other settings or data")
        with _writable(path):
            self._results.set_user_attr(_FINGERPRINT, fingerprint)

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.storage.remove_session()
        self.storage.engine.dispose()

    def study(self, name: str) -> optuna.Study:
        """Return the study of a name; create it if there is none."""
        import optuna

        return optuna.create_study(storage=self.storage, study_name=name, load_if_exists=True)

    def kept(self, name: str) -> list[list[Any]] | None:
        """Return the rows that are kept under a name, if there are any."""
        rows: list[list[Any]] | None = self._results.user_attrs.get(name)
        return rows

    def keep(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Keep rows under a name."""
        with _writable(self.path):
            self._results.set_user_attr(name, [list(row) for row in rows])


class Search:
    """A search for the parameters of least error.

    Parameters
    ----------
    notebook : where its trials are kept. name : of the search. ranges : by parameter, searched logarithmically.
    startup : trials before earlier ones are taken into account. seed : of all proposals.
    """

    def __init__(
        self, notebook: Notebook, name: str, ranges: Mapping[str, tuple[float, float]], startup: int, seed: int
    ) -> None:
        from optuna.distributions import FloatDistribution

        self.name, self.startup, self.seed, self._path = name, startup, seed, notebook.path
        self._ranges = {key: FloatDistribution(low, high, log=True) for key, (low, high) in ranges.items()}
        with quiet(), _readable(notebook.path):
            self._study = notebook.study(name)

    def trials(self) -> list[Trial]:
        """Return the trials that have ended, in order."""
        with _readable(self._path):
            ended = self._study.get_trials(deepcopy=False)
            return [Trial(t.number, dict(t.params), t.values[0], t.user_attrs[_ROWS]) for t in ended]

    def propose(self, done: Sequence[Trial]) -> dict[str, float]:
        """Return the next parameters to try; they follow from the trials that have ended and their number."""
        ended = [(trial.parameters, trial.value) for trial in done]
        asked = propose(self._ranges, ended, self.startup, self.seed, f"trials of {self.name}")
        return {key: float(value) for key, value in asked.items()}

    def record(self, parameters: Mapping[str, float], value: float, rows: Sequence[Sequence[Any]]) -> None:
        """Keep a trial that has ended."""
        with _writable(self._path):
            self._study.add_trial(self._frozen(parameters, value, rows))

    def _frozen(
        self, parameters: Mapping[str, float], value: float, rows: Sequence[Sequence[Any]]
    ) -> optuna.trial.FrozenTrial:
        from optuna.trial import create_trial

        kept = {_ROWS: [list(row) for row in rows]}
        return create_trial(params=dict(parameters), distributions=dict(self._ranges), value=value, user_attrs=kept)


def propose(
    ranges: Mapping[str, BaseDistribution],
    done: Sequence[tuple[Mapping[str, Any], float]],
    startup: int,
    seed: int,
    name: str,
) -> dict[str, Any]:
    """Return parameters to try next, by a tree-structured Parzen estimator.

    Parameters
    ----------
    ranges : distributions by parameter. done : parameters and values of earlier trials. startup : trials before which
    parameters are drawn at random. seed, name : of the numbers that are drawn.
    """
    import optuna

    drawn = int(generator(seed, name, len(done)).integers(2**32))
    with quiet():
        sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=startup, multivariate=True)
        study = optuna.create_study(sampler=sampler)
        for parameters, value in done:
            made = optuna.trial.create_trial(params=dict(parameters), distributions=dict(ranges), value=value)
            study.add_trial(made)
        return dict(study.ask(dict(ranges)).params)


def _address(path: Path) -> str:
    """Return the database's URI, in which all but letters, digits and slashes is escaped."""
    from urllib.parse import quote

    return f"sqlite:///file:{quote(quote(os.fsencode(path.absolute())))}?uri=true"


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress optuna's log and its warnings of experimental features."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Refuse a file that is no database of trials."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, LookupError, TypeError, ValueError, RuntimeError) as error:
        told = str(error.__cause__ or error).splitlines()[0]
        for cause, remedy in _PASSING.items():
            if cause in told:
                raise CircuitsimError(f"{path} cannot be used now: {told}. {remedy}, then resume.") from None
        raise _refused(path, f"a file that cannot be read ({told})") from None


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Report a file that cannot be written; its content is not lost."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        raise CircuitsimError(f"{path} cannot be written: {error}. Free some space, then resume.") from None


def _refused(path: Path, got: str) -> RunFolderError:
    expected = "the trials that the run in this folder wrote"
    return RunFolderError(f"run folder {path}", got=got, expected=expected, remedy=ANEW)
