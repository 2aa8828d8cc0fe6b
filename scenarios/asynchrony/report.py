"""The figures and tables of `asynchrony`, and where on each ladder learning breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
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

if TYPE_CHECKING:
    import pandas as pd

TITLE = "asynchrony – from neurons that fire as one to neurons that keep their own time"
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
CLEARLY = 0.1  # by which fraction an error must exceed that of regular time, in the mean, and in every seed at all
CAPTION = (
    "Left: squared error of the test split after training, a mean over examples and units, measured with the weights "
    "in regular time. Right: the angle between what recirculation takes for the first hidden layer's error and "
    "backpropagation's through the same weights, a mean over examples; 90 degrees is chance. Lines are means over "
    "seeds (of the logarithm, for the error), bands reach from the least to the greatest; at 0 time is regular."
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
    """(replica,) of each metric of each rung, NaN for one that diverged."""
    replicas = sorted(metrics["replica"].unique())
    return {
        (str(ladder), str(kind), float(amount), str(metric)): rows.set_index("replica")["value"]
        .reindex(replicas)
        .to_numpy()
        for (ladder, kind, amount, metric), rows in metrics.groupby(["ladder", "kind", "amount", "metric"])
    }


def _course(values: Values, config: Mapping[str, Any], ladder: str, kind: str, metric: str) -> np.ndarray:
    """(amount, seed) of a metric up a ladder; its foot is regular time."""
    foot = values["", REGULAR, 0.0, metric]
    missing = np.full(len(foot), np.nan)
    above = [values.get((ladder, kind, float(amount), metric), missing) for amount in config[ladder][1:]]
    return np.array([foot, *above])


def _figure(name: str, title: str, ladders: Sequence[str], values: Values, config: Mapping[str, Any]) -> Exhibit:
    """Two panels for each ladder: errors, and angles."""
    panels = []
    for ladder in ladders:
        amounts = config[ladder]
        places, ticks = np.arange(len(amounts)), {float(k): f"{amount:g}" for k, amount in enumerate(amounts)}
        curves = {kind: _course(values, config, ladder, kind, "mse") for kind in KINDS[ladder]}
        curves[TOP] = np.repeat(values["", TOP, 0.0, "mse"][None], len(amounts), axis=0)
        panels.append(
            Panel(
                f"{TITLES[ladder]}: error", AXES[ladder], "squared error", places, curves, logarithmic=True, ticks=ticks
            )
        )
        angles = {kind: _course(values, config, ladder, kind, "angle/delta1") for kind in KINDS[ladder]}
        panels.append(
            Panel(f"{TITLES[ladder]}: angle", AXES[ladder], "degrees", places, angles, limits=(0.0, 135.0), ticks=ticks)
        )
    labels = [TOP, *dict.fromkeys(kind for ladder in ladders for kind in KINDS[ladder])]
    image = draw_panels(panels, labels, what=title)
    return Exhibit(name, title, CAPTION, _drawn(ladders, values, config), image)


def _drawn(ladders: Sequence[str], values: Values, config: Mapping[str, Any]) -> pd.DataFrame:
    """The drawn curves as numbers."""
    import pandas as pd

    rows = []
    for ladder in ladders:
        for kind in KINDS[ladder]:
            for metric in DRAWN:
                course = _course(values, config, ladder, kind, metric)
                for amount, one in zip(config[ladder], course, strict=True):
                    rows.append((TITLES[ladder], kind, amount, metric, *_summary(one)))
    return pd.DataFrame(rows, columns=["ladder", "kind", "up to", "metric", "mean", "SD", "least", "greatest", "seeds"])


def _summary(one: np.ndarray) -> tuple[float, float, float, float, int]:
    known = one[np.isfinite(one)]
    if not known.size:
        return (np.nan,) * 4 + (0,)
    deviation = float(known.std(ddof=1)) if known.size > 1 else np.nan
    return float(known.mean()), deviation, float(known.min()), float(known.max()), int(known.size)


def _worse(errors: np.ndarray, regular: np.ndarray) -> bool:
    """Whether the mean error is clearly above that of regular time, and each seed's above its own; or one is lost."""
    above = errors.mean() > (1 + CLEARLY) * regular.mean() and (errors > regular).all()
    return bool(above or not np.isfinite(errors).all())


def _useless(errors: np.ndarray, top: np.ndarray) -> bool:
    """Whether the mean error is no less than if the top layer alone had learned; or a seed is lost."""
    return not errors.mean() < top.mean()


def _first(values: Values, config: Mapping[str, Any], ladder: str, kind: str) -> tuple[str, str]:
    """The least amounts from which on a ladder's errors are clearly worse, and useless."""
    regular, *above = _course(values, config, ladder, kind, "mse")
    top = values["", TOP, 0.0, "mse"]
    found = []
    for broken in ([_worse(one, regular) for one in above], [_useless(one, top) for one in above]):
        found.append(f"{config[ladder][1 + broken.index(True)]:g}" if True in broken else NEVER)
    return found[0], found[1]


def _breaks(values: Values, config: Mapping[str, Any]) -> Exhibit:
    """Where each ladder breaks, and how its first and last rungs stand."""
    import pandas as pd

    rows = []
    for ladder, kinds in KINDS.items():
        for kind in kinds if len(config[ladder]) > 1 else ():
            told = []
            for place in (1, -1):
                for metric in DRAWN:
                    told.append(_summary(_course(values, config, ladder, kind, metric)[place])[0])
            rows.append((TITLES[ladder], kind, *_first(values, config, ladder, kind), *told))
    parts = [
        f"{rung}: {what}"
        for rung in ("first rung", "last rung")
        for what in ("error", "angle", "disturbance", "repeated")
    ]
    columns = ["ladder", "kind", "clearly worse from", "useless from", *parts]
    caption = (
        f"Clearly worse: the mean test error exceeds that of regular time by more than {CLEARLY:.0%}, and every seed's "
        "exceeds its own. Useless: the mean is no less than if the top layer alone had learned. A seed that diverges "
        "is both. Disturbance: how far the first hidden layer's recirculated error is from that of regular time with "
        "the same weights, as a multiple of its size (root mean squares). Repeated: the same where each example is "
        "shown several times in a row, and only the last time counts: without what is left of another example."
    )
    return Exhibit("breaks", "Where learning breaks", caption, pd.DataFrame(rows, columns=columns))


def _mixing(values: Values, config: Mapping[str, Any]) -> Exhibit:
    """What neurons turn out to emit and to remember, beside the coefficients that they were given or are expected."""
    import pandas as pd

    layers = sorted({m.rpartition("/")[2] for *_, m in values if m.startswith("emits/")})
    quantities = [f"{what}/{layer}" for layer in layers for what in ("emits", "remembers", "unexplained")]
    rows = [
        (kind, amount, *(_summary(_course(values, config, MEMORY, kind, q)[place])[0] for q in quantities))
        for kind in KINDS[MEMORY]
        for place, amount in enumerate(config[MEMORY])
        if place
    ]
    columns = ["neurons", "coefficient", *(q.replace("/", " ") for q in quantities)]
    caption = (
        "Fitted over examples: the coefficients of cycle 0 in what the neurons of a layer emit and remember at the end "
        "of cycle 1, the rest being what they would have computed at once; and what of their memory neither explains, "
        "as a fraction. Means over seeds."
    )
    return Exhibit("mixing", "Slow neurons mix by themselves", caption, pd.DataFrame(rows, columns=columns))


def _numbers(values: Values) -> Exhibit:
    """What the ladders are held against."""
    import pandas as pd

    rows = [(kind, metric, *_summary(one)) for (ladder, kind, _, metric), one in values.items() if not ladder]
    columns = ["run", "metric", "mean", "SD", "least", "greatest", "seeds"]
    return Exhibit("regular", "Regular time", "Over seeds.", pd.DataFrame(rows, columns=columns))


def _lead(values: Values, config: Mapping[str, Any]) -> str:
    """Each ladder's kind that breaks first."""
    told = []
    for ladder, kinds in KINDS.items():
        found = [(_first(values, config, ladder, kind), kind) for kind in kinds if len(config[ladder]) > 1]
        broken = [(float(useless), kind) for (_, useless), kind in found if useless != NEVER]
        if found:
            first = "{1}, from {0:g}".format(*min(broken)) if broken else NEVER
            told.append(f"{TITLES[ladder]}: {first}")
    regular, top = (number(float(values["", kind, 0.0, "mse"].mean())) for kind in (REGULAR, TOP))
    return (
        f"Test error in regular time {regular}, with the top layer alone {top}. What is first as bad as the top layer "
        f"alone: {'; '.join(told) or 'nothing was tried'}."
    )
