"""A run that has ended, read from its folder: numbers, settings, weights, figures, and a simulator that goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.audits.verdict import Audit
from circuitsim.errors import ConfigError
from circuitsim.runs import runfolder, tables
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import based
from circuitsim.runs.periods import Period
from circuitsim.runs.trust import check_code, digests, scenario_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from circuitsim.analysis.reports.groups import Results
    from circuitsim.engine.simulator import Simulator

NOT_KEYS = ("scenario", "backend", "theme")


def load_run(folder: str | Path, *, scenario: AnyScenario | None = None, trust: bool = False) -> Run:
    """Return the run in a folder, whoever started it; only its `simulator` executes anything.

    Parameters
    ----------
    folder : a run folder. scenario : that of the run, where it is neither installed nor in a file.
    trust : whether `simulator` may execute code from files that the run names.

    Raises
    ------
    RunFolderError : there is no run in the folder, or its files are not as a run wrote them.
    """
    return Run(Path(folder), scenario, trusted=trust)


class Run:
    """A run and what it left in its folder. Files are read when they are first asked for.

    Parameters
    ----------
    folder : the run folder. scenario : the scenario, if it is at hand; None: that which the folder names.
    trusted : whether `simulator` may execute code from files that the run names.
    """

    def __init__(self, folder: Path, scenario: AnyScenario | None = None, *, trusted: bool = False) -> None:
        self.folder = Path(folder)
        self._scenario, self._trusted = scenario, trusted
        self._config = runfolder.read_config(self.folder)

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self._config["scenario"])

    @cached_property
    def replicas(self) -> tuple[dict[str, Any], ...]:
        """The settings of each replica, as they were given."""
        return tuple(dict(one) for one in self._config["given"]["settings"])

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Scenario, backend, and each key with the value used; where replicas differ, the list of their values."""
        return {key: self._config[key] for key in (*NOT_KEYS, *self.replicas[0]) if key in self._config}

    @cached_property
    def varied(self) -> dict[str, list[Any]]:
        """The varied keys and their values."""
        return dict(self._config["vary"])

    @property
    def periods(self) -> tuple[Period, ...]:
        """The periods of a development; none if there is no development, or if replicas develop differently."""
        return tuple(Period(**one) for one in self._config["given"].get("periods", ()))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Columns replica, epoch (0: before training), split, metric, value, and each varied key."""
        path = self.folder / runfolder.METRICS
        try:
            frame = tables.read_frame(path)
        except (OSError, ValueError) as error:
            raise runfolder.unreadable(path, error) from None
        if "members" not in self._config:
            for key in self.varied:
                values = _column([one[key] for one in self.replicas])
                frame[key] = [values[replica] for replica in frame["replica"]]
        return frame

    @cached_property
    def audit(self) -> Audit | None:
        """The locality audit of what ran; None for a run without circuits of its own."""
        path = self.folder / "audit.json"
        try:
            return Audit(json.loads(path.read_bytes())) if path.exists() else None
        except (OSError, ValueError) as error:
            raise runfolder.unreadable(path, error) from None

    @property
    def report(self) -> Path:
        """The report's file, which a browser shows."""
        return self.folder / "report.html"

    @cached_property
    def members(self) -> dict[str, Run]:
        """The runs of a campaign, by name; none for other runs."""
        folders = [self.folder / runfolder.MEMBERS / str(one["name"]) for one in self._config.get("members", ())]
        return {f.name: Run(f, trusted=self._trusted) for f in folders if (f / runfolder.CONFIG).exists()}

    def tensors(self, replica: int | None = 0, *, initial: bool = False) -> dict[str, np.ndarray]:
        """Return weights and biases by name.

        Parameters
        ----------
        replica : its number; None: all, with a leading replica axis, NaN where a replica lacks the tensor.
        initial : those before training.
        """
        import numpy as np

        file = runfolder.INITIAL if initial else runfolder.FINAL
        found = runfolder.read_tensors(self.folder / file)
        several = len(self.replicas) > 1
        if replica is None:
            return found if several else {name: values[None] for name, values in found.items()}
        self._check_replica(replica)
        own = {name: values[replica] for name, values in found.items()} if several else found
        return {name: values for name, values in own.items() if not (several and np.isnan(values).all())}

    def simulator(self, replica: int = 0) -> Simulator:
        """Return a simulator of one replica as the run left it, with its training examples, ready to go on.

        Raises
        ------
        RunFolderError : the run executes code from a file that nobody has trusted.
        """
        from circuitsim.api.continuing import simulator_of

        self._check_replica(replica)
        scenario = self._scenario or scenario_of(self.folder, self._config, self._trusted)
        settings = runfolder.read_settings(self.folder, self._config, scenario.settings)
        base = str(self._config["given"].get("folder", ""))
        based(settings, base)
        if not self._trusted:
            check_code(self.folder, digests("", settings, base), self._config["given"])
        return simulator_of(scenario, settings, self.folder, self._config, replica)

    @cached_property
    def results(self) -> Results:
        """The metrics by group of replicas that differ only in their seeds, the best group first."""
        from circuitsim.analysis.reports.groups import group_results, telling

        frame, varied = self.metrics, tuple(self.varied)
        if "member" in frame:  # of a campaign, whose members number their replicas each from 0
            numbers = frame.groupby(["member", "replica"], sort=False).ngroup()
            varied = tuple(key for key in frame if key not in tables.COLUMNS)
            frame = frame.assign(replica=numbers)
        return group_results(frame, varied, telling(self.settings) or self.name)

    def plot(self, metric: str | None = None, split: str | None = None) -> Figure:
        """Return a matplotlib figure of metrics against the epoch: means over seeds, bands from least to greatest.

        The periods of a development are marked on the curves.

        Parameters
        ----------
        metric : a metric's name; None: the one that ranks the groups. split : train or test; None: both.

        Raises
        ------
        ConfigError : a metric or split that was not measured.
        """
        return figure_of(self.results, metric, split, self.periods)

    @property
    def _label(self) -> str:
        count = len(self.replicas)
        return f"{self.name}, {count} replica{'s' * (count > 1)}, in {self.folder}"

    def __repr__(self) -> str:
        return f"<Run: {self._label}>"

    def _repr_html_(self) -> str:
        from circuitsim.analysis.reports.notebook import run_html

        return run_html(self._label, self.results, self.audit, self.report, self.periods)

    def _check_replica(self, replica: int) -> None:
        count = len(self.replicas)
        if not 0 <= replica < count:
            expected = "0, the only one" if count == 1 else f"a whole number from 0 to {count - 1}"
            raise ConfigError(f"replica of {self!r}", got=str(replica), expected=expected, remedy="Choose one of them.")


def figure_of(results: Results, metric: str | None, split: str | None, periods: Sequence[Period] = ()) -> Figure:
    """Draw a metric, or the one that ranks the groups, on one split or both; ConfigError if it was not measured."""
    from circuitsim.analysis.reports.run_figure import curves_figure

    chosen = results.ranked_by if metric is None else metric
    pairs = [pair for pair in results.measured if pair[1] == chosen and split in (None, pair[0])]
    if not pairs:
        known = ", ".join(dict.fromkeys(name for _, name in results.measured)) or "nothing"
        where = "" if split is None else f" on split {split}"
        raise ConfigError(
            "plot", got=f"metric {chosen}{where}", expected=f"one that was measured: {known}", remedy="Choose another."
        )
    return curves_figure(results, sorted(pairs), periods)


def _column(values: list[Any]) -> list[Any]:
    """Return a varied key's values as a column: numbers as numbers, tables and lists as text."""
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
        return [float("nan") if value is None else value for value in values]
    return [json.dumps(value) if isinstance(value, (list, Mapping)) else value for value in values]
