"""The figures and tables of `asynchrony`, and the rungs at which learning breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, by_number, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.scenarios.asynchrony.ladder import (
    BRIEFLY,
    CCR,
    DELAYS,
    GRADUALLY,
    JITTER,
    LATE,
    MEMBRANES,
    MEMORY,
    OFTEN,
    ONCE,
    PATIENT,
    REGULAR,
    RWCC,
    TOP,
    TRACES,
    UPDATES,
)
from circuitsim.scenarios.figures import SUMMARY, exhibit, mean, without_rounding

if TYPE_CHECKING:
    import pandas as pd

TITLE = "asynchrony – recirculation from regular to irregular time"
KINDS = {
    JITTER: (ONCE, PATIENT, OFTEN),
    DELAYS: (ONCE, PATIENT, OFTEN),
    MEMORY: (MEMBRANES, GRADUALLY, BRIEFLY, TRACES, RWCC, CCR),
    UPDATES: (LATE,),
}
AXES = {
    JITTER: "a tick's lateness, up to (cycles)",
    DELAYS: "an axon's extra delay, up to (cycles)",
    MEMORY: "coefficient of cycle 0 in cycle 1",
    UPDATES: "wait of an update, up to (presentations)",
}
TITLES = {JITTER: "jitter", DELAYS: "random delays", MEMORY: "slow neurons", UPDATES: "updates at random times"}
DRAWN = ("mse", "angle/delta1", "disturbance/delta1", "repeated/delta1")
NEVER = "not on this ladder"
NOISE = 1e-4  # relative disturbances below come from rounding to 32 bits
CLEARLY = 0.1  # fraction by which the mean error must exceed that of regular time; every seed must exceed its own
CAPTION = (
    "Left: squared error of the test split after training, a mean over examples and units, measured in regular time "
    "with the trained weights. Right: angle between the first hidden layer's error by recirculation and by "
    "backpropagation through the same weights, a mean over examples; 90 degrees is chance. Lines are means over seeds, "
    "bands reach from the least to the greatest; at 0 time is regular."
)
Values = Mapping[tuple[str, str, float, str], np.ndarray]  # (ladder, kind, amount, metric) to (seed,)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    values = _values(metrics)
    exhibits = [
        _figure("lateness", "Signals and ticks that come late", (JITTER, DELAYS), values, config),
        _figure("slowness", "Neurons that are slow, updates that are late", (MEMORY, UPDATES), values, config),
        _breaks(values, config),
        _mixing(values, config),
        _numbers(values),
    ]
    write_portfolio(folder, TITLE, _lead(values, config), exhibits, config)


def _values(metrics: pd.DataFrame) -> Values:
    """Return each metric of each rung, (replica,), NaN for one that diverged."""
    replicas = sorted(metrics["replica"].unique())
    return {
        (str(ladder), str(kind), float(amount), str(metric)): rows.set_index("replica")["value"]
        .reindex(replicas)
        .to_numpy()
        for (ladder, kind, amount, metric), rows in metrics.groupby(["ladder", "kind", "amount", "metric"])
    }


def _curve(values: Values, config: Mapping[str, Any], ladder: str, kind: str, metric: str) -> np.ndarray:
    """Return a metric on a ladder, (amount, seed); the first amount is regular time."""
    regular = values["", REGULAR, 0.0, metric]
    missing = np.full(len(regular), np.nan)
    above = [values.get((ladder, kind, float(amount), metric), missing) for amount in config[ladder][1:]]
    return np.array([regular, *above])


def _figure(name: str, title: str, ladders: Sequence[str], values: Values, config: Mapping[str, Any]) -> Exhibit:
    """Return two panels for each ladder: errors and angles."""
    panels = []
    for ladder in ladders:
        amounts = config[ladder]
        axis = by_number(np.array(amounts, float))
        curves = {kind: _curve(values, config, ladder, kind, "mse") for kind in KINDS[ladder]}
        curves[TOP] = np.repeat(values["", TOP, 0.0, "mse"][None], len(amounts), axis=0)
        panels.append(
            Panel(f"{TITLES[ladder]}: error", AXES[ladder], "squared error", curves=curves, logarithmic=True, **axis)
        )
        angles = {kind: _curve(values, config, ladder, kind, "angle/delta1") for kind in KINDS[ladder]}
        panels.append(
            Panel(f"{TITLES[ladder]}: angle", AXES[ladder], "degrees", curves=angles, limits=(0.0, 135.0), **axis)
        )
    labels = [TOP, *dict.fromkeys(kind for ladder in ladders for kind in KINDS[ladder])]
    image = draw_panels(panels, labels, what=title)
    columns = ["ladder", "kind", "up to", "metric", *SUMMARY]
    return exhibit(name, title, CAPTION, columns, _drawn(ladders, values, config), image)


def _drawn(ladders: Sequence[str], values: Values, config: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the drawn curves as rows of numbers."""
    rows = []
    for ladder in ladders:
        for kind in KINDS[ladder]:
            for metric in DRAWN:
                curve = _curve(values, config, ladder, kind, metric)
                for amount, one in zip(config[ladder], curve, strict=True):
                    rows.append((TITLES[ladder], kind, amount, metric, *summary(one)))
    return rows


def clearly_worse(errors: np.ndarray, regular: np.ndarray) -> bool:
    """Return whether the mean error is clearly above regular time's and each seed's above its own, or one diverged."""
    above = errors.mean() > (1 + CLEARLY) * regular.mean() and (errors > regular).all()
    return bool(above or not np.isfinite(errors).all())


def useless(errors: np.ndarray, top: np.ndarray) -> bool:
    """Return whether the mean error is no less than with the top layer alone, or a seed has diverged."""
    return not errors.mean() < top.mean()


def _first(values: Values, config: Mapping[str, Any], ladder: str, kind: str) -> tuple[str, str]:
    """Return the least amounts at which a ladder's errors are clearly worse, and useless."""
    regular, *above = _curve(values, config, ladder, kind, "mse")
    top = values["", TOP, 0.0, "mse"]
    found = []
    for broken in ([clearly_worse(one, regular) for one in above], [useless(one, top) for one in above]):
        found.append(f"{config[ladder][1 + broken.index(True)]:g}" if True in broken else NEVER)
    return found[0], found[1]


def _breaks(values: Values, config: Mapping[str, Any]) -> Exhibit:
    """Return the rungs at which each ladder breaks, and the numbers of its first and last rungs."""
    rows = []
    for ladder, kinds in KINDS.items():
        for kind in kinds if len(config[ladder]) > 1 else ():
            curves = [_curve(values, config, ladder, kind, metric) for metric in DRAWN]
            noises = [NOISE if metric.startswith(("disturbance", "repeated")) else 0.0 for metric in DRAWN]
            ends = [
                (mean(curve[place]), noise) for place in (1, -1) for curve, noise in zip(curves, noises, strict=True)
            ]
            means = [without_rounding(*one) for one in ends]
            rows.append((TITLES[ladder], kind, *_first(values, config, ladder, kind), *means))
    parts = [
        f"{rung}: {what}"
        for rung in ("first rung", "last rung")
        for what in ("error", "angle", "disturbance", "repeated")
    ]
    columns = ["ladder", "kind", "clearly worse from", "useless from", *parts]
    caption = (
        f"Clearly worse: the mean test error exceeds that of regular time by more than {CLEARLY:.0%}, and every seed's "
        "exceeds its own. Useless: the mean is no less than with the top layer alone. A seed that diverges counts as "
        "both. Disturbance: distance of the first hidden layer's recirculated error from that of regular time with the "
        "same weights, relative to its size (root mean squares). Repeated: the disturbance at the last of several "
        "presentations of one example in a row, without traces of another example."
    )
    return exhibit("breaks", "Where learning breaks", caption, columns, rows)


def _mixing(values: Values, config: Mapping[str, Any]) -> Exhibit:
    """Return the measured coefficients of what neurons emit and remember, beside those expected or given."""
    layers = sorted({m.rpartition("/")[2] for *_, m in values if m.startswith("emits/")})
    quantities = [f"{what}/{layer}" for layer in layers for what in ("emits", "remembers", "unexplained")]
    rows = [
        (kind, amount, *(mean(_curve(values, config, MEMORY, kind, q)[place]) for q in quantities))
        for kind in KINDS[MEMORY]
        for place, amount in enumerate(config[MEMORY])
        if place
    ]
    columns = ["neurons", "coefficient", *(q.replace("/", " ") for q in quantities)]
    caption = (
        "Coefficients of cycle 0 in the activity that a layer emits and remembers at the end of cycle 1, fitted over "
        "examples; the rest is the activity that the neurons would have computed at once. Unexplained: the fraction of "
        "what is remembered that is neither. Means over seeds."
    )
    return exhibit("mixing", "Slow neurons mix by themselves", caption, columns, rows)


def _numbers(values: Values) -> Exhibit:
    """Return the runs that the ladders are compared with."""
    rows = [(kind, metric, *summary(one)) for (ladder, kind, _, metric), one in values.items() if not ladder]
    return exhibit("regular", "Regular time", f"Over seeds. {MEANING}", ["run", "metric", *SUMMARY], rows)


def _lead(values: Values, config: Mapping[str, Any]) -> str:
    """Return the amount and the kind at which each ladder first is no better than the top layer alone."""
    findings = []
    for ladder, kinds in KINDS.items():
        found = [(_first(values, config, ladder, kind)[1], kind) for kind in kinds if len(config[ladder]) > 1]
        broken = [(float(amount), kind) for amount, kind in found if amount != NEVER]
        if found:
            findings.append(f"{TITLES[ladder]}: {'from {:g} ({})'.format(*min(broken)) if broken else 'never'}")
    regular, top = (number(float(values["", kind, 0.0, "mse"].mean())) for kind in (REGULAR, TOP))
    return (
        f"The test error is {regular} in regular time and {top} if the top layer alone learns. "
        f"Learning is no better than that – {'; '.join(findings) or 'no ladder was climbed'}."
    )
