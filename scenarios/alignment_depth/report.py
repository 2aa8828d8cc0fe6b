"""The figures and tables of `alignment-depth`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
from circuitsim.analysis.reports.maps import Matrix, draw_matrices
from circuitsim.analysis.reports.page import number, plural
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.analysis.reports.search_plots import Searched, draw_history
from circuitsim.runs.tables import HELD_OUT
from circuitsim.scenarios.figures import SUMMARY, exhibit, frame, mean

if TYPE_CHECKING:
    import pandas as pd

TITLE = "alignment-depth – do feedback rules tuned on a small residual network serve deeper ones?"
ERROR = "held-out error (%)"
MEASURES = {
    "angle of B and Wᵀ (degrees)": "angle/W",
    "angle of errors (degrees)": "angle/delta",
    "rank of errors": "rank/delta",
    "rank of backpropagated errors": "rank/bp",
    "size of backpropagated errors": "size/bp",
}
"""Columns of means over layers, by the beginning of the metrics' names."""


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    networks = [config["network"], *config["carried"]]
    methods = list(dict.fromkeys(metrics["feedback"]))
    searches = [_searched(metrics, method) for method in methods]
    final = _transfer(metrics, networks, methods, config)
    exhibits = [final, _noise(metrics, methods, config), _history(searches, config)]
    write_portfolio(folder, TITLE, _lead(final.numbers, networks), exhibits, config, remarks=_remarks())


def budget(config: Mapping[str, Any]) -> str:
    """Describe what each rule was given."""
    return (
        f"Each rule had {plural(config['trials'], 'trial')} on {config['network']} (TPE, {config['startup']} of them "
        "random) for the learning rate and its own coefficients; a trial is the mean error of "
        f"{plural(config['seeds'], 'circuit')} on the last {100 * config['held_out']:.3g} % of the training examples, "
        "which are left out of its training. The best setting then trained each network on all training examples with "
        f"{plural(config['test_seeds'], 'other seed')}. Every circuit learned for {plural(config['epochs'], 'epoch')}."
    )


def _searched(metrics: pd.DataFrame, method: str) -> Searched:
    rows = metrics[(metrics["stage"] == "search") & (metrics["feedback"] == method) & (metrics["metric"] == "error")]
    trials = rows[rows["split"] == HELD_OUT].groupby("trial").agg({"value": "mean", "parameters": "first"}).sort_index()
    tried = [json.loads(text) for text in trials["parameters"]]
    values = trials["value"].to_numpy(np.float64)
    return Searched(method, values, {key: np.array([one[key] for one in tried]) for key in tried[0]})


def _errors(rows: pd.DataFrame) -> np.ndarray:
    found: np.ndarray = rows[(rows["metric"] == "error") & (rows["split"] == "test")]["value"].to_numpy(np.float64)
    return found


def _transfer(
    metrics: pd.DataFrame, networks: Sequence[str], methods: Sequence[str], config: Mapping[str, Any]
) -> Exhibit:
    """Return the errors of each rule on each network, and what its errors were like."""
    tested, rows = metrics[metrics["stage"] == "test"], []
    for network in networks:
        for method in methods:
            own = tested[(tested["network"] == network) & (tested["feedback"] == method)]
            measured = [
                mean(own[own["metric"].str.match(f"{begin}[0-9]+$")]["value"].to_numpy()) for begin in MEASURES.values()
            ]
            rows.append((network, method, *summary(_errors(own)), *measured))
    numbers = frame(["network", "feedback", *SUMMARY, *MEASURES], rows)
    cells = numbers.pivot(index="feedback", columns="network", values="mean").loc[list(methods), list(networks)]
    values = cells.to_numpy(np.float64)
    matrix = Matrix("Test error", "test error (%)", list(methods), list(networks), values,
                    np.full(values.shape, np.nan), False)  # fmt: skip
    caption = (
        f"{budget(config)} Angles, ranks and sizes are means over layers and seeds, at the end of training, of "
        f"{config['angle_examples']} training examples; where backpropagated errors have no size, angles say nothing. "
        f"{MEANING}"
    )
    return Exhibit("transfer", "Test error (%)", caption, numbers, draw_matrices([matrix], "network"))


def _noise(metrics: pd.DataFrame, methods: Sequence[str], config: Mapping[str, Any]) -> Exhibit:
    rows = []
    own = metrics[(metrics["network"] == config["network"]) & metrics["stage"].isin(["test", "noise"])]
    for method in methods:
        for level in (0.0, *config["noise"]):
            errors = _errors(own[(own["feedback"] == method) & (own["noise"] == level)])
            rows.append((method, level, *summary(errors)))
    caption = (
        "After each update every weight and bias gets the learning rate times the noise times a standard normal number."
    )
    return exhibit("noise", "Test error (%) with noise", caption, ["feedback", "noise", *SUMMARY], rows)


def _history(searches: Sequence[Searched], config: Mapping[str, Any]) -> Exhibit:
    rows = [(search.name, k + 1, float(value)) for search in searches for k, value in enumerate(search.values)]
    image = draw_history(searches, ERROR)
    return Exhibit("history", "Trials", budget(config), frame(["feedback", "trial", ERROR], rows), image)


def _lead(final: pd.DataFrame, networks: Sequence[str]) -> str:
    parts = []
    for network in networks:
        rows = final[final["network"] == network].sort_values("mean").to_dict(orient="records")
        ranked = ", ".join(f"{row['feedback']} {number(row['mean'])}" for row in rows)
        parts.append(f"{network}: {ranked}")
    return f"Test error in percent, least first. {'. '.join(parts)}."


def _remarks() -> list[str]:
    return [
        "Kunin et al. 2020 tune on ResNet-18 with ImageNet and carry the settings to ResNet-50 and deeper ones: there "
        "the weight mirror fails and information alignment loses, symmetric and activation alignment keep up with "
        "backpropagation. Data, sizes and budgets here are much smaller.",
        "The rule frozen is backpropagation in the last block and the top layer alone; the layers below stay random.",
    ]
