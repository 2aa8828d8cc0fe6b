"""Comparison of runs: where their settings differ, how they ended, and their curves in one figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.averages import half_width
from circuitsim.analysis.reports.groups import PLAIN, SEEDS, Results, group_results
from circuitsim.analysis.reports.notebook import comparison_html
from circuitsim.api.result import NOT_KEYS, Run, figure_of, load_run
from circuitsim.environment import readable
from circuitsim.errors import ConfigError
from circuitsim.runs.config import spell
from circuitsim.runs.periods import shared_periods

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ABSENT = "–"
FORMS = (".pdf", ".png", ".svg")


def compare(runs: Iterable[Run | str | Path]) -> Comparison:
    """Compare runs, given as objects or as folders.

    Returns
    -------
    A `Comparison`: `table` has a row for each group of replicas that differ only in their seeds, with the settings
    that differ and the final test metrics; `plot()` draws the curves of all.

    Raises
    ------
    ConfigError : there are no runs. RunFolderError : a folder holds none.
    """
    found = [one if isinstance(one, Run) else load_run(one) for one in runs]
    if not found:
        raise ConfigError("compare", got="no runs", expected="at least one", remedy="Name runs or their folders.")
    return Comparison(tuple(found))


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs side by side.

    Parameters
    ----------
    runs : at least one.
    """

    runs: tuple[Run, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the runs: those of their folders, with a number where several are equal."""
        plain = [readable(run.folder.resolve().name) for run in self.runs]
        return tuple(
            name if plain.count(name) == 1 else f"{name}-{plain[: index + 1].count(name)}"
            for index, name in enumerate(plain)
        )

    @cached_property
    def differing(self) -> tuple[str, ...]:
        """The keys, without seeds, whose values differ between replicas or runs that have them."""
        each = [settings for run in self.runs for settings in _settings(run)]
        keys = dict.fromkeys(key for settings in each for key in settings if key not in SEEDS)
        return tuple(key for key in keys if len({settings[key] for settings in each if key in settings}) > 1)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The metrics of all runs, with columns for the run and for each differing key; replicas are numbered anew."""
        import pandas as pd

        parts, first = [], 0
        for name, run in zip(self.names, self.runs, strict=True):
            columns = ["replica", "epoch", "split", "metric", "value"]
            frame = run.metrics[columns].copy()
            each = _settings(run)
            frame.insert(0, "run", name)
            for key in self.differing:
                frame[key] = [each[replica].get(key, ABSENT) for replica in run.metrics["replica"]]
            frame["replica"] += first
            first += len(each)
            parts.append(frame)
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each group of replicas: the run, differing settings, replicas, final test metrics, intervals."""
        import pandas as pd

        test = self.metrics[self.metrics["split"] == "test"]
        last = test[test["epoch"] == test.groupby("run")["epoch"].transform("max")]  # without replicas that diverged
        rows = []
        for labels, group in last.groupby(["run", *self.differing], sort=False):
            row = dict(zip(("run", *self.differing), labels, strict=True))
            row |= {"replicas": group["replica"].nunique(), "epochs": int(group["epoch"].max())}
            for metric, values in group.groupby("metric", sort=False)["value"]:
                row |= {f"test {metric}": values.mean(), f"SD of test {metric}": values.std()}
                row[f"± 95 % of test {metric}"] = half_width(values.to_numpy())
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def results(self) -> Results:
        """The metrics by group, the best first."""
        keys = self.differing or ("run",)
        rows = self.metrics[list(keys)].to_dict(orient="records")
        curves = [_label({str(key): str(value) for key, value in row.items()}) for row in rows]
        return group_results(self.metrics.assign(curve=curves), ("curve",), self.names[0])

    def plot(self, metric: str | None = None, split: str | None = None) -> Figure:
        """Return one matplotlib figure with the curves of all runs, and the periods that they share; see `Run.plot`."""
        return figure_of(self.results, metric, split, shared_periods(run.periods for run in self.runs))

    def rows(self) -> list[dict[str, str]]:
        """Return the table as texts, for a terminal: means with their standard deviations over seeds."""
        found = []
        for row in self.table.to_dict(orient="records"):
            shown = {}
            for key, value in row.items():
                if key.startswith(("SD of ", "± 95 %")):
                    continue
                sd = row.get(f"SD of {key}")
                shown[key] = _number(value) + (f" ± {sd:.2g}" if sd is not None and sd == sd else "")
            found.append(shown)
        return found

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        return comparison_html(self.rows(), self.results)


def _settings(run: Run) -> list[dict[str, str]]:
    """Return the settings of each replica as texts, with the scenario and the backend."""
    shared = {key: str(run.settings[key]).rpartition("/")[2] for key in NOT_KEYS}
    each = []
    for replica in run.replicas:
        own = {key: value for key, value in replica.items() if not _follows(key, replica)}
        each.append(shared | {key: spell(value).strip("'") for key, value in own.items()})
    return each


def _label(row: dict[str, str]) -> str:
    """Return the label of a curve: the differing settings that its run has."""
    return ", ".join(value if key in PLAIN else f"{key} {value}" for key, value in row.items() if value != ABSENT)


def _follows(key: str, settings: dict[str, Any]) -> bool:
    """Return whether a key has its value from another one."""
    return key == "lr_bias" and settings[key] == settings["lr"]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file; ConfigError unless its name ends in .pdf, .png or .svg."""
    if path.suffix not in FORMS:
        got, expected = f"the ending {path.suffix!r}", f"one of {', '.join(FORMS)}"
        raise ConfigError(f"--out {path}", got=got, expected=expected, remedy="Choose one of them.")
    figure.savefig(path)
