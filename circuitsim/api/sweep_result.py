"""Results of a sweep: one table of all its runs, the best point, and the metric against the parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import half_width
from circuitsim.analysis.reports.groups import RANKED_BY, SEEDS
from circuitsim.api.result import Run
from circuitsim.api.sweep_plan import PLAN, RUNS, Part
from circuitsim.errors import ConfigError
from circuitsim.runs import runfolder, tables

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.analysis.reports.run_figure import CurvesFigure


TRIAL, TEST = "trial", -1  # a search's column, and the number of the run that is no trial


def gather(folder: Path, parts: Sequence[Part]) -> None:
    """Write the metrics of all complete runs as one Parquet file, with a column for each varied key."""
    import pandas as pd

    frames, first = [], 0
    plan = json.loads((folder / PLAN).read_bytes())
    vary, trials = plan["vary"], plan.get("trials", 0)
    for part in parts:
        if part.state(folder).is_file():
            frame = Run(part.folder(folder)).metrics.copy()
            frame.insert(0, "run", part.number)
            for key in vary:
                if key not in part.vary:
                    value = part.values[key]
                    frame[key] = tables.as_text(value) if isinstance(value, (str, list, dict)) else value
            if trials:
                frame[TRIAL] = part.number if part.number < trials else TEST
                if part.number < trials:  # whose test split is a part of the training examples
                    frame.loc[frame["split"] == "test", "split"] = tables.HELD_OUT
            frame["replica"] += first
            frames.append(frame)
        first += part.count
    if frames:
        order = ["run", *tables.COLUMNS, *([TRIAL] if trials else []), *vary]
        tables.write_frame(folder / runfolder.METRICS, pd.concat(frames, ignore_index=True)[order])


class Sweep:
    """A sweep, read from its folder.

    Parameters
    ----------
    folder : of the sweep.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / PLAN
        try:
            self._plan = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise runfolder.refused(self.folder, f"no {PLAN}", "a sweep's folder", "Name its --out.") from None
        except (OSError, ValueError) as error:
            raise runfolder.unreadable(path, error) from None

    @property
    def vary(self) -> dict[str, list[Any]]:
        """The varied keys and their values."""
        return dict(self._plan["vary"])

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The metrics of all complete runs: run, replica, epoch, split, metric, value, and each varied key."""
        path = self.folder / runfolder.METRICS
        if not path.is_file():
            raise runfolder.refused(self.folder, "no complete run", "at least one", "Start the sweep again.")
        return tables.read_frame(path)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have ended."""
        return tuple(Run(path.with_suffix("")) for path in self._ended)

    @cached_property
    def states(self) -> dict[int, dict[str, str]]:
        """State in which each run ended, by its number: complete or diverged, and the reason."""
        return {int(path.stem): json.loads(path.read_bytes()) for path in self._ended}

    @property
    def _ended(self) -> list[Path]:
        return sorted((self.folder / RUNS).glob("*.json"))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each point: varied keys without seeds, replicas, those that diverged, metrics of the others.

        Metrics are means over replicas; `SD of ...` are their standard deviations (n - 1), `± 95 % of ...` half of the
        mean's confidence interval (Student's t). A search has a row for each trial, with metrics on examples held out,
        and one, trial -1, with those of the best settings on the test split.
        """
        import pandas as pd

        judged = self.metrics[self.metrics["split"].isin(("test", tables.HELD_OUT))]
        ended = judged["epoch"] == judged.groupby("run")["epoch"].transform("max")
        ended &= judged["run"].map({number: one["state"] == "complete" for number, one in self.states.items()})
        keys = [*([TRIAL] if self._searches else []), *(key for key in self.vary if key not in SEEDS)]
        rows = []
        for labels, group in judged.groupby(keys, sort=False, dropna=False) if keys else [((), judged)]:
            last = group[ended[group.index]]
            count = group["replica"].nunique()
            row = dict(zip(keys, labels, strict=True))
            row |= {"replicas": count, "diverged": count - last["replica"].nunique()}
            for (split, metric), values in last.groupby(["split", "metric"], sort=False)["value"]:
                row |= {f"{split} {metric}": values.mean(), f"SD of {split} {metric}": values.std()}
                row[f"± 95 % of {split} {metric}"] = half_width(values.to_numpy())
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def _searches(self) -> bool:
        return "search" in self._plan

    def best(self, metric: str | None = None) -> dict[str, Any]:
        """Return the row of the table with the least test metric; of a search, the row of its test."""
        column = self._column(metric, "test")
        row = self.table.loc[self.table[column].idxmin()]
        row = row[[key for key in row.index if f"{tables.HELD_OUT} " not in key]]  # of other rows
        return {str(key): value.item() if isinstance(value, np.generic) else value for key, value in row.items()}

    def plot(self, metric: str | None = None) -> CurvesFigure:
        """Return a figure of a final test metric against the parameters.

        One number makes a line; a second key makes a line for each of its values, two numbers a heat map. Of a search
        each trial is a point, with its metric on examples held out.
        """
        from circuitsim.analysis.reports.sweep_figure import sweep_figure, trials_figure

        keys = [key for key in self.vary if key not in SEEDS and self.table[key].nunique() > 1]
        if self._searches:
            column = self._column(metric, tables.HELD_OUT)
            return trials_figure(self.table[self.table[column].notna()].reset_index(drop=True), keys, column)
        return sweep_figure(self.table, keys, self._column(metric, "test"))

    def _column(self, metric: str | None, split: str) -> str:
        known = [name.removeprefix(f"{split} ") for name in self.table if str(name).startswith(f"{split} ")]
        chosen = next((name for name in RANKED_BY if name in known), known[0]) if metric is None else metric
        if chosen not in known:
            raise ConfigError(
                f"metric of {self!r}", got=chosen, expected=f"one of {', '.join(known)}", remedy="Choose one of them."
            )
        return f"{split} {chosen}"

    def __repr__(self) -> str:
        return f"<Sweep: {self._plan['scenario']} over {', '.join(self.vary)}, {len(self.runs)} runs, in {self.folder}>"

    def _repr_html_(self) -> str:
        from circuitsim.analysis.reports.notebook import sweep_html

        return sweep_html(repr(self).strip("<>"), self.table, self.plot())
