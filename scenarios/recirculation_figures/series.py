"""What the members of `recirculation-figures` measured, as curves by label and as tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.runs.scenario import MemberRun

if TYPE_CHECKING:
    import pandas as pd

Curves = dict[str, np.ndarray]
Label = Callable[[Mapping[str, Any]], str]
SUMMARY = ["mean", "SD", "least", "greatest", "seeds"]


@dataclass(frozen=True)
class Measured:
    """A member, and the rows of metrics.parquet that are its own."""

    run: MemberRun
    metrics: pd.DataFrame

    @property
    def replicas(self) -> list[dict[str, Any]]:
        """What each replica varies, in order."""
        vary = self.run.member.vary
        return [dict(zip(vary, one, strict=True)) for one in itertools.product(*vary.values())]

    @property
    def linear(self) -> bool:
        """Whether its units are."""
        return self.run.member.values.get("output") == "identity"

    @property
    def objective(self) -> str:
        """What its top layer descends."""
        return "mse" if self.linear else "bce"

    def curves(self, metric: str, label: Label, split: str = "test") -> Curves:
        """(epochs + 1, seeds) for each label, NaN where a replica has diverged."""
        own = self.metrics[(self.metrics["split"] == split) & (self.metrics["metric"] == metric)]
        epochs, replicas = int(self.run.member.values["epochs"]) + 1, self.replicas
        whole = np.full((epochs, len(replicas)), np.nan)
        whole[own["epoch"].to_numpy(), own["replica"].to_numpy()] = own["value"].to_numpy()
        places: dict[str, list[int]] = {}
        for index, replica in enumerate(replicas):
            places.setdefault(label(replica), []).append(index)
        return {name: whole[:, found] for name, found in places.items()}


def by(key: str) -> Label:
    """The label that is a varied key's value."""
    return lambda replica: str(replica[key])


def summary(values: np.ndarray) -> tuple[float, float, float, float, int]:
    """Mean, standard deviation (n - 1), least, greatest, and number of the seeds that are left."""
    known = values[np.isfinite(values)]
    if not known.size:
        return (np.nan, np.nan, np.nan, np.nan, 0)
    deviation = float(known.std(ddof=1)) if known.size > 1 else np.nan
    return float(known.mean()), deviation, float(known.min()), float(known.max()), known.size


def numbers(series: Sequence[tuple[str, str, Curves]], of: str, x: str = "epoch") -> pd.DataFrame:
    """Curves as rows: of each panel, metric, label and epoch the summary over seeds."""
    import pandas as pd

    rows = [
        (panel, metric, label, epoch, *summary(one))
        for panel, metric, curves in series
        for label, values in curves.items()
        for epoch, one in enumerate(values)
        if np.isfinite(one).any()
    ]
    return pd.DataFrame(rows, columns=["panel", "metric", of, x, *SUMMARY])


def ends(series: Sequence[tuple[str, str, Curves]], of: str) -> pd.DataFrame:
    """The last row of every curve; one whose replicas all diverged has no numbers."""
    import pandas as pd

    rows = [(panel, metric, label, *summary(v[-1])) for panel, metric, found in series for label, v in found.items()]
    return pd.DataFrame(rows, columns=["panel", "metric", of, *SUMMARY])
