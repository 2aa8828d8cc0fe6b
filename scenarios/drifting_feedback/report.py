"""The figures and tables of `drifting-feedback`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, by_number, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.scenarios.figures import SUMMARY, UNITS, epoch_panel, exhibit, frame, mean, pivoted, without_rounding

if TYPE_CHECKING:
    import pandas as pd

TITLE = "drifting-feedback – random feedback that rotates, beside recirculation"
NAMES = {"rec": "recirculation", "arbp": "adaptive random", "bp": "backpropagation", "top": "top layer alone"}
FIXED, ROTATING = "random, fixed", "random, rotating"
SHOWN = 90.0  # degrees an epoch: the angle between the ends of two epochs is ambiguous for faster rotation
CAPTION = (
    "Top left: random matrices rotate steadily; the errors of the others do not depend on the speed. The other panels "
    "show the linear maps that carry the error to each hidden layer, slopes included, means over examples: their "
    "angles to those of backpropagation through the same weights (90 degrees: nothing in common), and their rotation "
    "since the end of the epoch before. Lines are means over seeds, bands reach from least to greatest."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    rows = metrics.copy()
    for key in ("feedback", "seed"):  # a run of one replica has no columns of what it varies
        rows[key] = rows[key] if key in rows else _one(config[key])
    rows["feedback"] = rows["feedback"].map(str)
    objective = "bce" if "bce" in set(rows["metric"]) else "mse"
    exhibits = [_figure(rows, objective, int(config["epochs"])), _numbers(rows, objective, int(config["epochs"]))]
    write_portfolio(folder, TITLE, _lead(exhibits[1].numbers), exhibits, config)


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _speeds(rows: pd.DataFrame) -> list[str]:
    """Return the rotating ones, slowest first."""
    return sorted((name for name in set(rows["feedback"]) if name not in NAMES), key=float)


def _label(feedback: str) -> str:
    if feedback in NAMES:
        return NAMES[feedback]
    return FIXED if float(feedback) == 0 else f"random, {float(feedback):g}° an epoch"


def _curve(rows: pd.DataFrame, feedback: str, metric: str, split: str, epochs: int) -> np.ndarray:
    """Return a metric, (epochs + 1, seeds), NaN where there is none."""
    own = rows[(rows["feedback"] == feedback) & (rows["metric"] == metric) & (rows["split"] == split)]
    return pivoted(own, epochs + 1, "seed")


def _known(rows: pd.DataFrame) -> list[str]:
    return [name for name in NAMES if name in set(rows["feedback"])]


def _figure(rows: pd.DataFrame, objective: str, epochs: int) -> Exhibit:
    speeds, metrics = _speeds(rows), sorted(m for m in set(rows["metric"]) if m.startswith(("angle", "turn")))
    slow = [name for name in speeds if float(name) <= SHOWN]
    labels = [*(NAMES[name] for name in _known(rows)), ROTATING, *(_label(name) for name in slow)]
    panels = [_by_speed(rows, objective, epochs, speeds)] if speeds else []
    for metric in metrics:
        curves = {_label(name): _curve(rows, name, metric, "train", epochs) for name in (*_known(rows), *slow)}
        curves = {label: values for label, values in curves.items() if np.isfinite(values).any()}
        what, _, layer = metric.partition("/map")
        title = f"{'angle to backpropagation' if what == 'angle' else 'rotation in an epoch'}, layer {layer}"
        panels.append(epoch_panel(title, "angle (degrees)", curves))
    image = draw_panels(panels, labels, what="Error against the speed of feedback; angles of maps against the epoch")
    return Exhibit("drift", "How fast feedback may rotate", CAPTION, _table(rows, (objective, *metrics), epochs), image)


def _by_speed(rows: pd.DataFrame, objective: str, epochs: int, speeds: list[str]) -> Panel:
    """Return the errors at the end by speed."""
    end = {name: _curve(rows, name, objective, "test", epochs)[-1] for name in (*speeds, *_known(rows))}
    curves = {NAMES[name]: np.tile(end[name], (len(speeds), 1)) for name in _known(rows)}
    curves[ROTATING] = np.stack([end[name] for name in speeds])
    places = np.array(speeds, float)
    return Panel("error by speed", "degrees an epoch", UNITS[objective], curves=curves, **by_number(places))


def _table(rows: pd.DataFrame, metrics: tuple[str, ...], epochs: int) -> pd.DataFrame:
    """Return the summary over seeds of all metrics, as rows."""
    found = [
        (_label(name), metric, epoch, *summary(one))
        for name in (*_known(rows), *_speeds(rows))
        for metric in metrics
        for epoch, one in enumerate(_curve(rows, name, metric, "train" if "/" in metric else "test", epochs))
        if np.isfinite(one).any()
    ]
    return frame(["feedback", "metric", "epoch", *SUMMARY], found)


def _numbers(rows: pd.DataFrame, objective: str, epochs: int) -> Exhibit:
    """Return errors and angles at the end, and the rotation in the first and in the last epoch."""
    layers = sorted({m.removeprefix("turn/map") for m in rows["metric"] if m.startswith("turn/map")}, key=int)
    found = []
    for name in (*_known(rows), *_speeds(rows)):
        error = summary(_curve(rows, name, objective, "test", epochs)[-1])
        row: list[Any] = [_label(name), *error[:3], error[-1]]
        for layer in layers:
            angle = _curve(rows, name, f"angle/map{layer}", "train", epochs)
            turn = _curve(rows, name, f"turn/map{layer}", "train", epochs)
            row += [without_rounding(mean(angle[-1:])), mean(turn[1:2]), mean(turn[-1:])]
        found.append(row)
    columns = ["feedback", UNITS[objective], "SD", COLUMN, "seeds"]
    for layer in layers:
        columns += [
            f"layer {layer}: {what}" for what in ("angle to backpropagation", "first rotation", "last rotation")
        ]
    caption = (
        f"Means over seeds in degrees: angles after {epochs} epochs, and the rotation in the first and the last epoch. "
        f"Where matrices rotate by more than {SHOWN:g} degrees an epoch, the rotation is known only modulo a full turn."
        f" {MEANING}"
    )
    return exhibit("numbers", "Errors and angles in numbers", caption, columns, found)


def _lead(numbers: pd.DataFrame) -> str:
    column = numbers.columns[1]
    ranked = numbers.sort_values(column)[["feedback", column]].itertuples(index=False)
    return f"{column[0].upper()}{column[1:]}, least first: {', '.join(f'{k} {number(value)}' for k, value in ranked)}."
