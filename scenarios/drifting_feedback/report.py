"""The figures and tables of `drifting-feedback`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.scenarios.recirculation_figures.curves import UNITS
from circuitsim.scenarios.recirculation_figures.series import SUMMARY, summary

if TYPE_CHECKING:
    import pandas as pd

TITLE = "drifting-feedback – random feedback that turns, beside recirculation"
NAMES = {"rec": "recirculation", "arbp": "adaptive random", "bp": "backpropagation", "top": "top layer alone"}
FIXED, TURNING = "random, fixed", "random, turning"
SHOWN = 90.0  # degrees an epoch: of what turns faster the angle from one end of an epoch to the next tells nothing
CAPTION = (
    "Left above: random matrices turn steadily, each on a circle of its own; lines of the others are level. The other "
    "panels are of the linear maps that carry the error to each hidden layer, slopes included, means over examples: "
    "their angles to those of backpropagation through the same weights (90 degrees: nothing in common), and how far "
    "each turned since the end of the epoch before. Lines are means over seeds, bands reach from least to greatest."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    frame = metrics.copy()
    for key in ("feedback", "seed"):  # a run of one replica has no columns of what it varies
        frame[key] = frame[key] if key in frame else _one(config[key])
    frame["feedback"] = frame["feedback"].map(str)
    objective = "bce" if "bce" in set(frame["metric"]) else "mse"
    exhibits = [_figure(frame, objective, int(config["epochs"])), _numbers(frame, objective, int(config["epochs"]))]
    write_portfolio(folder, TITLE, _lead(exhibits[1].numbers), exhibits, config)


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _speeds(frame: pd.DataFrame) -> list[str]:
    """The turning ones, slowest first."""
    return sorted((name for name in set(frame["feedback"]) if name not in NAMES), key=float)


def _label(feedback: str) -> str:
    if feedback in NAMES:
        return NAMES[feedback]
    return FIXED if float(feedback) == 0 else f"random, {float(feedback):g}° an epoch"


def _curve(frame: pd.DataFrame, feedback: str, metric: str, split: str, epochs: int) -> np.ndarray:
    """(epochs + 1, seeds), NaN where there is none."""
    own = frame[(frame["feedback"] == feedback) & (frame["metric"] == metric) & (frame["split"] == split)]
    table = own.pivot(index="epoch", columns="seed", values="value").reindex(range(epochs + 1))
    found: np.ndarray = table.to_numpy(np.float64)
    return found


def _known(frame: pd.DataFrame) -> list[str]:
    return [name for name in NAMES if name in set(frame["feedback"])]


def _figure(frame: pd.DataFrame, objective: str, epochs: int) -> Exhibit:
    speeds, metrics = _speeds(frame), sorted(m for m in set(frame["metric"]) if m.startswith(("angle", "turn")))
    slow = [name for name in speeds if float(name) <= SHOWN]
    labels = [*(NAMES[name] for name in _known(frame)), TURNING, *(_label(name) for name in slow)]
    panels = [_by_speed(frame, objective, epochs, speeds)] if speeds else []
    for metric in metrics:
        curves = {_label(name): _curve(frame, name, metric, "train", epochs) for name in (*_known(frame), *slow)}
        curves = {label: values for label, values in curves.items() if np.isfinite(values).any()}
        what, _, layer = metric.partition("/map")
        title = f"{'angle to backpropagation' if what == 'angle' else 'turned in an epoch'}, layer {layer}"
        panels.append(Panel(title, "epoch", "angle (degrees)", np.arange(epochs + 1), curves, whole="x"))
    image = draw_panels(panels, labels, what="Error against the speed of feedback; angles of maps against the epoch")
    return Exhibit("drift", "How fast feedback may turn", CAPTION, _table(frame, (objective, *metrics), epochs), image)


def _by_speed(frame: pd.DataFrame, objective: str, epochs: int, speeds: list[str]) -> Panel:
    """Errors at the end by speed, places evenly apart."""
    end = {name: _curve(frame, name, objective, "test", epochs)[-1] for name in (*speeds, *_known(frame))}
    curves = {NAMES[name]: np.tile(end[name], (len(speeds), 1)) for name in _known(frame)}
    curves[TURNING] = np.stack([end[name] for name in speeds])
    ticks = {float(place): f"{float(name):g}" for place, name in enumerate(speeds)}
    places = np.arange(len(speeds), dtype=float)
    return Panel("error by speed", "degrees an epoch", UNITS[objective], places, curves, ticks=ticks)


def _table(frame: pd.DataFrame, metrics: tuple[str, ...], epochs: int) -> pd.DataFrame:
    """All that was measured, as rows."""
    import pandas as pd

    rows = []
    for name in (*_known(frame), *_speeds(frame)):
        for metric in metrics:
            values = _curve(frame, name, metric, "train" if "/" in metric else "test", epochs)
            for epoch, one in enumerate(values):
                if np.isfinite(one).any():
                    rows.append((_label(name), metric, epoch, *summary(one)))
    return pd.DataFrame(rows, columns=["feedback", "metric", "epoch", *SUMMARY])


def _numbers(frame: pd.DataFrame, objective: str, epochs: int) -> Exhibit:
    """Error at the end, angles at the end, and turns in the first and in the last epoch, means over seeds."""
    import pandas as pd

    layers = sorted({m.removeprefix("turn/map") for m in frame["metric"] if m.startswith("turn/map")}, key=int)
    rows = []
    for name in (*_known(frame), *_speeds(frame)):
        error = summary(_curve(frame, name, objective, "test", epochs)[-1])
        row: list[Any] = [_label(name), error[0], error[1], error[-1]]
        for layer in layers:
            angle = _curve(frame, name, f"angle/map{layer}", "train", epochs)
            turn = _curve(frame, name, f"turn/map{layer}", "train", epochs)
            row += [_mean(angle, -1), _mean(turn, 1), _mean(turn, -1)]
        rows.append(row)
    header = ["feedback", UNITS[objective], "SD", "seeds"]
    for layer in layers:
        header += [f"layer {layer}: {what}" for what in ("angle to backpropagation", "turned first", "turned last")]
    caption = (
        f"Degrees; after {epochs} epochs, and turned in the first and in the last of them. Where matrices turn by more "
        f"than {SHOWN:g} degrees an epoch, how far they turned shows modulo a full turn."
    )
    return Exhibit("numbers", "Numbers", caption, pd.DataFrame(rows, columns=header))


def _mean(values: np.ndarray, epoch: int) -> float:
    return summary(values[epoch])[0] if values.size else float("nan")


def _lead(numbers: pd.DataFrame) -> str:
    column = numbers.columns[1]
    ranked = numbers.sort_values(column)[["feedback", column]].itertuples(index=False)
    return f"{column}, least first: {', '.join(f'{label} {number(value)}' for label, value in ranked)}."
