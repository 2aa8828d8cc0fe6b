"""Optuna's part in `mirror-search`: proposals from earlier trials, and trials kept in a file.

A trial is written once it has ended, in one transaction, and each proposal follows from the trials in the file and a
seed of its own. So a search that was stopped goes on as if nothing had happened.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from circuitsim.errors import CircuitsimError, ConfigError, RunFolderError
from circuitsim.randomness import generator

if TYPE_CHECKING:
    import optuna

FILE = "study.db"
LEAST = 4  # optuna's major version
_FINGERPRINT, _RESULTS, _ROWS = "fingerprint", "results", "rows"


def require_optuna() -> None:
    """Refuse to search where optuna is missing or too old."""
    try:
        import optuna

        got = f"optuna {optuna.__version__}"
        if int(optuna.__version__.partition(".")[0]) >= LEAST:
            return
    except ImportError:
        got = "no package optuna"
    raise ConfigError(
        "scenario mirror-search",
        got=got,
        expected=f"optuna {LEAST} or newer, which proposes the trials",
        remedy="Install it: pip install 'circuitsim[search]'",
    )


@dataclass(frozen=True)
class Trial:
    """One that has ended: its place in the search, what was tried, its mean error in percent, rows of numbers."""

    number: int
    parameters: dict[str, float]
    value: float
    rows: list[list[Any]]


class Notebook:
    """The file in which searches are kept, and what came of them.

    Parameters
    ----------
    path : a SQLite database, made where it is not there. fingerprint : of all that decides what is found.

    Raises
    ------
    RunFolderError : the file cannot be read, or is another search's.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        import optuna

        self.path = path
        with _quiet(), _readable(path):
            self.storage = optuna.storages.RDBStorage(_address(path))
            self._results = self.study(_RESULTS)
            kept = self._results.user_attrs.get(_FINGERPRINT)
        if kept not in (None, fingerprint):
            raise _refused(path, "the trials of other settings or data")
        self._results.set_user_attr(_FINGERPRINT, fingerprint)

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.storage.remove_session()
        self.storage.engine.dispose()

    def study(self, name: str) -> optuna.Study:
        """The study of a name, made where it is not there."""
        import optuna

        return optuna.create_study(storage=self.storage, study_name=name, load_if_exists=True)

    def kept(self, name: str) -> list[list[Any]] | None:
        """The rows that are kept under a name."""
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
        with _quiet(), _readable(notebook.path):
            self._study = notebook.study(name)

    def trials(self) -> list[Trial]:
        """Those that have ended, in order."""
        with _readable(self._path):
            ended = self._study.get_trials(deepcopy=False)
            return [Trial(t.number, dict(t.params), t.values[0], t.user_attrs[_ROWS]) for t in ended]

    def propose(self, done: Sequence[Trial]) -> dict[str, float]:
        """What to try next: it follows from the trials that have ended and from how many these are."""
        import optuna

        seed = int(generator(self.seed, f"trials of {self.name}", len(done)).integers(2**32))
        with _quiet():
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.startup, multivariate=True)
            study = optuna.create_study(sampler=sampler)
            study.add_trials([self._frozen(trial.parameters, trial.value, []) for trial in done])
            asked = study.ask(dict(self._ranges))
        return {key: float(value) for key, value in asked.params.items()}

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


def _address(path: Path) -> str:
    """The database's address: in a URI everything but letters, digits and slashes is escaped."""
    from urllib.parse import quote

    return f"sqlite:///file:{quote(quote(str(path.absolute())))}?uri=true"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without optuna's lines on standard error, and its warnings of what is experimental in older versions."""
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
    """Tell of a file that is no notebook."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise _refused(path, f"a file that cannot be read ({str(error).splitlines()[0]})") from None


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Tell of a file that cannot be written: nothing that it had is lost."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        raise CircuitsimError(f"{path} cannot be written: {error}. Free some space, then resume.") from None


def _refused(path: Path, got: str) -> RunFolderError:
    expected = "the trials that the run in this folder wrote"
    return RunFolderError(f"run folder {path}", got=got, expected=expected, remedy="Start the run again.")
