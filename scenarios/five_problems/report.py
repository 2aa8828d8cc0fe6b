"""The figure and table of `five-problems`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import plural
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio

if TYPE_CHECKING:
    import pandas as pd

PANELS = (
    ("window", "Locality in time", "ticks that a neuron remembers"),
    ("hops", "Distance", "projections that an error travels"),
    ("labels", "Labels", "synapses that need labels (%)"),
    ("needs", "Modularity", "of the rest needed by layer 1 (%)"),
    ("transported", "Symmetry", "projections with transported weights"),
    ("interval", "Throughput", "ticks between examples"),
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, its table and the report."""
    keys = [key for key in ("method", "epoch") if key in metrics]
    table = metrics.pivot_table(index=keys, columns="metric", values="value", sort=False).reset_index()
    table = table.rename(columns={"epoch": "hidden layers"})
    table.columns.name = None
    labels = list(dict.fromkeys(metrics["method"])) if "method" in metrics else [str(config["method"])]
    panels = [_panel(metrics.assign(method=labels[0]) if len(labels) == 1 else metrics, *row) for row in PANELS]
    image = draw_panels(panels, labels, columns=3, what="The five problems against depth")
    caption = (
        "Growth of a Tourbillon (blocks and top layer at once, each block by recirculation), its fine-tuning through "
        "the decoders, random feedback (fa) and backpropagation (bp) in circuits of the same layers. All numbers are "
        "measured in running circuits. Throughput: each neuron remembers one example at a time. The table also has the "
        "number of values that a neuron holds at once (snapshots)."
    )
    exhibit = Exhibit("five-problems", "Five problems against depth", caption, table, image)
    write_portfolio(
        folder, "five-problems – a Tourbillon beside what it replaces", _lead(table, labels), [exhibit], config
    )


def _panel(metrics: pd.DataFrame, metric: str, title: str, ylabel: str) -> Panel:
    chosen = metrics[metrics["metric"] == metric]
    x = np.array(sorted(chosen["epoch"].unique()))
    curves = {
        str(label): part.pivot_table(index="epoch", columns="replica", values="value").reindex(x).to_numpy()
        for label, part in chosen.groupby("method", sort=False)
    }
    return Panel(title, "hidden layers", ylabel, x, curves, limits=_limits(chosen), whole="x")


def _limits(chosen: pd.DataFrame) -> tuple[float, float]:
    return 0.0, max(1.0, float(chosen["value"].max()) * 1.08)


def _lead(table: pd.DataFrame, labels: list[str]) -> str:
    deepest = table[table["hidden layers"] == table["hidden layers"].max()]
    parts = []
    for label in dict.fromkeys((labels[0], labels[-1])):
        row = deepest[deepest["method"] == label].iloc[0] if "method" in deepest else deepest.iloc[0]
        parts.append(
            f"{label}: a window of {row['window']:.0f} ticks, errors that travel over "
            f"{plural(int(row['hops']), 'projection')}, "
            f"labels for {row['labels']:.0f} % of the synapses, an example every {row['interval']:.0f} ticks"
        )
    return f"With {deepest['hidden layers'].iloc[0]} hidden layers – " + "; ".join(parts) + "."
