"""The figure and table of `five-problems`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import plural
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.scenarios.five_problems.learning import LEVEL

if TYPE_CHECKING:
    import pandas as pd

TRAINED = (
    "Test error: digits, {epochs} with labels, mean over {seeds}; each method at each depth has the best "
    "of the rates {rates}, chosen on a fifth of the training examples that is held out. Growth trains its blocks and "
    "its top at once; fine-tuning follows as many epochs of growth without labels."
)
PANELS = (
    ("window", "Locality in time", "ticks that a neuron remembers"),
    ("hops", "Distance", "projections on an error's path"),
    ("labels", "Labels", "synapses that need labels (%)"),
    ("needs", "Modularity", "of the rest needed by layer 1 (%)"),
    ("symmetry", "Symmetry", "required angle (degrees)"),
    ("interval", "Throughput", "ticks between examples"),
    ("error", "Test error", "test error on digits (%)"),
    ("labelled", "Labelled examples", f"presentations until {LEVEL:g} %"),
)
GIVEN_UP = (
    "Growth alone needs labels for its top layer only, and has a greater error than its fine-tuning. Fine-tuning gives "
    "up what growth has: its window and the distance of its errors grow with depth as those of feedback alignment do, "
    "and all of its synapses need labels. It keeps that no feedback weights need to be like others, and modularity."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, its table and the report."""
    keys = [key for key in ("method", "epoch") if key in metrics]
    table = metrics.pivot_table(index=keys, columns="metric", values="value", sort=False).reset_index()
    table = table.rename(columns={"epoch": "hidden layers"})
    table.columns.name = None
    labels = list(dict.fromkeys(metrics["method"])) if "method" in metrics else [str(config["method"])]
    named = metrics.assign(method=labels[0]) if len(labels) == 1 else metrics
    panels = [_panel(named, *row) for row in PANELS if np.isfinite(named[named["metric"] == row[0]]["value"]).any()]
    image = draw_panels(panels, labels, what="The five problems against depth")
    counted = {"epochs": plural(config["epochs"], "epoch"), "seeds": plural(config["seeds"], "seed")}
    caption = (
        "Growth of a Tourbillon (blocks and top layer at once, each block by recirculation), its fine-tuning through "
        "the decoders, random feedback (fa) and backpropagation (bp) in circuits of the same layers. All numbers are "
        "measured in running circuits. Throughput: each neuron remembers one example at a time. The table also has the "
        "number of values that a neuron holds at once (snapshots). Symmetry: the smallest angle between feedback and "
        "forward weights that the circuit requires; 90 degrees: none is required. "
        + (TRAINED.format(**{**config, **counted}) if config["epochs"] else "")
    )
    exhibit = Exhibit("five-problems", "Five problems against depth", caption, table, image)
    write_portfolio(
        folder,
        "five-problems – a Tourbillon beside what it replaces",
        _lead(table, labels),
        [exhibit],
        config,
        remarks=[GIVEN_UP],
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
    return 0.0, max(1.0, float(chosen["value"].max()) * 1.08)  # without NaN


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
