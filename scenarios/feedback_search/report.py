"""The figure and the tables of `feedback-search`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
from circuitsim.analysis.reports.page import number, plural, two_digits
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.analysis.reports.search_plots import Searched, draw_history
from circuitsim.runs.tables import HELD_OUT
from circuitsim.scenarios.figures import SUMMARY, exhibit, frame, mean, without_rounding

if TYPE_CHECKING:
    import pandas as pd

TITLE = "feedback-search – kinds of feedback, each at its best setting"
ERROR = "held-out error (%)"
LAYERS = {"two": "the top layer and of those below", "each": "all layers"}


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    methods = list(dict.fromkeys(metrics["feedback"]))
    searches = [_searched(metrics, method) for method in methods]
    final = _final(metrics, searches, config)
    write_portfolio(folder, TITLE, _lead(final.numbers), [final, _history(searches)], config)


def budget(config: Mapping[str, Any]) -> str:
    """Describe what each method was given."""
    return (
        f"Each kind of feedback had {plural(config['trials'], 'trial')} (TPE, {config['startup']} of them random) for "
        f"the rates of {LAYERS[config['rates']]} and for its own coefficients; a trial is the mean error of "
        f"{plural(config['seeds'], 'circuit')} on the last {100 * config['held_out']:.3g} % of the training examples, "
        "which are left out of its training. The best setting was then trained on all training examples with "
        f"{plural(config['test_seeds'], 'other seed')}; the test split was used there alone. Every circuit learned "
        f"for {plural(config['epochs'], 'epoch')}."
    )


def _searched(metrics: pd.DataFrame, method: str) -> Searched:
    rows = metrics[(metrics["stage"] == "search") & (metrics["feedback"] == method) & (metrics["metric"] == "error")]
    trials = rows[rows["split"] == HELD_OUT].groupby("trial").agg({"value": "mean", "parameters": "first"}).sort_index()
    tried = [json.loads(text) for text in trials["parameters"]]
    return Searched(
        method, trials["value"].to_numpy(np.float64), {key: np.array([one[key] for one in tried]) for key in tried[0]}
    )


def _final(metrics: pd.DataFrame, searches: Sequence[Searched], config: Mapping[str, Any]) -> Exhibit:
    """Return the test error of each method, least first, its angle to backpropagation, and what was found."""
    rows = []
    for search in searches:
        own = metrics[(metrics["stage"] == "test") & (metrics["feedback"] == search.name)]
        errors = own[(own["metric"] == "error") & (own["split"] == "test")]["value"].to_numpy()
        angle = without_rounding(mean(own[own["metric"] == "angle/delta1"]["value"].to_numpy()))
        setting = ", ".join(f"{key} {number(values[search.least])}" for key, values in search.tried.items())
        rows.append((search.name, *summary(errors), angle, float(search.values.min()), setting))
    rows.sort(key=lambda row: row[1])
    columns = ["feedback", *SUMMARY, "angle at layer 1 (degrees)", ERROR, "setting"]
    return exhibit("final", "Test error (%)", f"{budget(config)} {MEANING}", columns, rows)


def _history(searches: Sequence[Searched]) -> Exhibit:
    columns = ["feedback", "trial", ERROR]
    rows = [(search.name, k + 1, float(value)) for search in searches for k, value in enumerate(search.values)]
    caption = "Each trial of each kind of feedback in order, and the least error so far."
    return Exhibit("history", "Trials", caption, frame(columns, rows), draw_history(searches, ERROR))


def _lead(final: pd.DataFrame) -> str:
    rows = final.to_dict(orient="records")
    ranked = [f"{row['feedback']} {number(row['mean'])} ± {two_digits(row['± 95 %'])}" for row in rows]
    return f"Test error in percent (± 95 %), least first: {', '.join(ranked)}."
