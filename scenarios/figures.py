"""Curves over seeds, their tables and their panels, for the reports of computations and campaigns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim import data
from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.page import Image, number, two_digits
from circuitsim.analysis.reports.panels import Panel
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.data import Dataset
from circuitsim.runs.runfolder import FINAL, INITIAL, METRICS, read_tensors
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame

if TYPE_CHECKING:
    import pandas as pd

Curves = dict[str, np.ndarray]
"""Values by label, (epochs + 1, seeds); NaN where a replica has diverged."""
Label = Callable[[Mapping[str, Any]], str]
"""From what a replica varies to the label of its curve."""
Series = Sequence[tuple[str, str, Curves]]
"""Title and quantity of each panel, and its curves."""
SPLITS = ("train", "test")
SUMMARY = ["mean", "SD", COLUMN, "least", "greatest", "seeds"]
UNITS = {"mse": "test error per unit (mse)", "bce": "test cross-entropy (nats)"}
MEANS = "mean ± half of its 95 % interval by Student's t (standard deviation, n − 1) over seeds"
OVER_SEEDS = "Lines are means over seeds; bands reach from the least to the greatest seed."
BANDS = f"{OVER_SEEDS} Epoch 0 is before training."
AT_END = f"After the last epoch. The column seeds counts those that have not diverged. {MEANING}"


@dataclass(frozen=True)
class Measured:
    """A member of a campaign, and its rows of metrics.parquet."""

    run: MemberRun
    metrics: pd.DataFrame

    @property
    def name(self) -> str:
        """The member's name."""
        return self.run.member.name

    @property
    def values(self) -> Mapping[str, Any]:
        """The member's settings."""
        return self.run.member.values

    @property
    def dataset(self) -> str:
        """The data set that the member was trained on."""
        return str(self.values["dataset"])

    @property
    def circuit(self) -> str:
        """The units of all layers."""
        return "-".join(map(str, self.values["sizes"]))

    @property
    def replicas(self) -> list[dict[str, Any]]:
        """The varied settings of each replica, in order."""
        vary = self.run.member.vary
        return [dict(zip(vary, one, strict=True)) for one in itertools.product(*vary.values())]

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return int(self.values["epochs"])

    def curves(self, metric: str, label: Label, split: str = "test") -> Curves:
        """Return the curves of a metric by label."""
        own = self.metrics[(self.metrics["split"] == split) & (self.metrics["metric"] == metric)]
        replicas = self.replicas
        whole = np.full((self.epochs + 1, len(replicas)), np.nan)
        whole[own["epoch"].to_numpy(), own["replica"].to_numpy()] = own["value"].to_numpy()
        places: dict[str, list[int]] = {}
        for index, replica in enumerate(replicas):
            places.setdefault(label(replica), []).append(index)
        return {name: whole[:, found] for name, found in places.items()}

    def curve(self, metric: str, split: str = "test") -> np.ndarray:
        """Return a metric, (epochs + 1, seeds), of a member that varies its seed alone."""
        (values,) = self.curves(metric, lambda _: "", split).values()
        return values

    def data(self) -> Dataset:
        """Load the data set that the member was trained on."""
        return data.load(self.dataset, "float32", self.values["train_limit"], self.values["test_limit"])

    def tensors(self, *, initial: bool = False) -> dict[str, np.ndarray]:
        """Return all tensors at the end or at the start, (replica, ...)."""
        found = read_tensors(self.run.folder / (INITIAL if initial else FINAL))
        return found if len(self.replicas) > 1 else {name: values[None] for name, values in found.items()}


def measured(folder: Path, runs: Iterable[MemberRun], kind: type[Measured] = Measured) -> list[Any]:
    """Return the members that ran, with the metrics of each."""
    metrics = read_frame(folder / METRICS)
    ran = (run for run in runs if (run.folder / METRICS).exists())
    return [kind(run, metrics[metrics["member"] == run.member.name]) for run in ran]


def by(key: str) -> Label:
    """Return the label that is a varied key's value."""
    return lambda replica: str(replica[key])


def pivoted(rows: pd.DataFrame, epochs: int, columns: str = "replica") -> np.ndarray:
    """Return rows of one metric as (epochs, replicas or seeds), NaN where there is none."""
    table = rows.pivot(index="epoch", columns=columns, values="value").reindex(range(epochs))
    return np.asarray(table.to_numpy(np.float64))


def mean(values: np.ndarray) -> float:
    """Return the mean of the finite values."""
    return summary(values)[0]


def without_rounding(value: float, noise: float = 1e-3) -> float:
    """Return 0 for a value that is smaller than rounding makes it: an angle in degrees, or another `noise`."""
    return 0.0 if abs(value) < noise else value


def mean_and_sd(values: np.ndarray) -> str:
    """Write the mean, half its 95 % interval, and the standard deviation (n - 1) of the finite values."""
    average, deviation, half, *_ = summary(values)
    return (
        f"{number(average)} ± {two_digits(half)} ({two_digits(deviation)})"
        if np.isfinite(deviation)
        else number(average)
    )


def exhibit(
    name: str, title: str, caption: str, columns: Sequence[str], rows: Sequence[Any], image: Image | None = None
) -> Exhibit:
    """Return an exhibit of rows, and of a figure if there is one."""
    return Exhibit(name, title, caption, frame(columns, rows), image)


def frame(columns: Sequence[str], rows: Sequence[Any]) -> pd.DataFrame:
    """Return rows as a table."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def numbers(series: Series, of: str, x: str = "epoch", panel: str = "panel") -> pd.DataFrame:
    """Return the summary over seeds of each panel, quantity, label and epoch, as rows."""
    rows = [
        (title, metric, label, epoch, *summary(one))
        for title, metric, curves in series
        for label, values in curves.items()
        for epoch, one in enumerate(values)
        if np.isfinite(one).any()
    ]
    return frame([panel, "metric", of, x, *SUMMARY], rows)


def last_numbers(series: Series, of: str) -> pd.DataFrame:
    """Return the summary over seeds at the last epoch of each panel, quantity and label, as rows."""
    last = [
        (title, metric, {label: values[-1:] for label, values in curves.items()}) for title, metric, curves in series
    ]
    return numbers(last, of).drop(columns="epoch")


def ends(name: str, title: str, series: Series, of: str = "label", caption: str = AT_END) -> Exhibit:
    """Return an exhibit of the last row of every curve; one whose replicas all diverged has no numbers."""
    rows = [(panel, metric, label, *summary(v[-1])) for panel, metric, found in series for label, v in found.items()]
    return exhibit(f"{name}-final", f"{title}: at the end", caption, ["panel", "metric", of, *SUMMARY], rows)


def known_labels(series: Series) -> list[str]:
    """Return all labels, each once, in order."""
    return list(dict.fromkeys(label for *_, curves in series for label in curves))


def epoch_panel(title: str, ylabel: str, curves: Mapping[str, np.ndarray], **options: Any) -> Panel:
    """Return a panel of curves against the epoch."""
    epochs = np.arange(len(next(iter(curves.values()))))
    return Panel(title, "epoch", ylabel, epochs, curves, whole="x", **options)


def falling_panel(title: str, ylabel: str, curves: Curves) -> Panel:
    """Return a panel with a logarithmic axis that ends a little above where the curves begin."""
    found = np.concatenate([values.reshape(-1) for values in curves.values()])
    first = np.concatenate([values[0] for values in curves.values()])
    low, high = np.nanmin(found), max(np.nanmax(first), np.nanmin(found) * 1.2)
    return epoch_panel(title, ylabel, curves, logarithmic=True, limits=(low / 1.06, high * 1.06))


def fitted_panel(title: str, ylabel: str, curves: Curves, **options: Any) -> Panel:
    """Return a panel with a logarithmic axis that holds all curves."""
    found = np.concatenate([values[np.isfinite(values)] for values in curves.values()])
    margin = float(found.max() / found.min()) ** 0.05
    limits = (float(found.min()) / margin, float(found.max()) * margin)
    return epoch_panel(title, ylabel, curves, logarithmic=True, limits=limits, **options)
