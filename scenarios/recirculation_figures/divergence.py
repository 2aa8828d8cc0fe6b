"""Divergence of deep linear recirculation in `recirculation-figures`, with and without a bound, at several rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import BANDS, UNITS, Curves, Measured, exhibit, falling_panel, numbers
from circuitsim.scenarios.recirculation_figures.curves import (
    LIMIT,
    LOOP,
    LOOP_CAPTION,
    UNSTABLE,
    loop_panel,
    without_lost,
)

AWAY = 2.0  # a test error more than so many times the least so far has run away


def divergence(measured: Sequence[Measured]) -> list[Exhibit]:
    """Return error, gain and step by rate, a column for each bound; then the interval in which each ran away."""
    drawn = [_drawn(one) for one in measured]
    return [*drawn, _onsets(measured)]


def _drawn(one: Measured) -> Exhibit:
    start, bounds = one.values["output_bias"], one.run.member.vary["max_norm"]
    series, panels = [], []
    labels = list(dict.fromkeys(_rate(replica) for replica in one.replicas))
    for metric, split in (("mse", "test"), *((metric, "train") for metric in LOOP)):
        for bound in bounds:
            curves = _of(one, metric, split, bound)
            title = f"{LOOP.get(metric, 'test error')}, {_bound(bound)}"
            series.append((_bound(bound), metric, curves))
            if metric in LOOP:
                panels.append(loop_panel(metric, curves, title))
            else:
                panels.append(falling_panel(title, UNITS[metric], without_lost(curves)))
    image = draw_panels(panels, [*labels, LIMIT], columns=len(bounds), what="Error, gain and step against the interval")
    presentations = -(-one.values["train_limit"] // one.values["batch"])
    caption = (
        f"An epoch here is an interval of {presentations} presentations of the same examples; output biases start at "
        f"{'the mean of the data' if start == 'data' else 'zero'}. {LOOP_CAPTION} {BANDS}"
    )
    return Exhibit(
        f"divergence-{start}", f"Divergence with output bias {start}", caption, numbers(series, "rate"), image
    )


def _of(one: Measured, metric: str, split: str, bound: object) -> Curves:
    found = one.curves(metric, lambda r: f"{_bound(r['max_norm'])}/{_rate(r)}", split)
    prefix = f"{_bound(bound)}/"
    return {label.removeprefix(prefix): v for label, v in found.items() if label.startswith(prefix)}


def _bound(bound: object) -> str:
    return "no bound" if bound in (None, "none") else f"bound {bound:g}"


def _rate(replica: Mapping[str, Any]) -> str:
    return f"rate {replica['lr']:g}"


def onset(errors: np.ndarray) -> int | None:
    """Return the first interval whose test error is missing, or more than twice the least before it."""
    for k in range(1, len(errors)):
        if not errors[k] <= AWAY * errors[:k].min():
            return k
    return None


def _onsets(measured: Sequence[Measured]) -> Exhibit:
    """Return a row for each circuit and seed."""
    rows = [row for one in measured for row in _rows(one)]
    columns = [
        "output bias",
        "bound",
        "rate",
        "seed",
        "ran away in",
        "gain before",
        "step before",
        "greatest step until then",
        "step first beyond 2 after",
        "test mse at the end",
    ]
    caption = (
        f"Ran away in: the first interval, counted from 1, in which the test error exceeded {AWAY:g} times the least "
        "so far or became infinite. Gain and step are those at the end of the interval before, or at the end where the "
        f"circuit did not run away. The last but one column has the first interval after which the step exceeded "
        f"{UNSTABLE:g}."
    )
    return exhibit("divergence", "The interval in which circuits run away", caption, columns, rows)


def _rows(one: Measured) -> list[tuple[Any, ...]]:
    def label_of(replica: Mapping[str, Any]) -> str:
        return repr((replica["max_norm"], replica["lr"], replica["seed"]))

    errors, gains, steps = (one.curves(m, label_of, s) for m, s in (("mse", "test"), *((m, "train") for m in LOOP)))
    found = []
    for replica in one.replicas:
        label = label_of(replica)
        error, gain, step = (curves[label][:, 0] for curves in (errors, gains, steps))
        at = onset(error)
        before = len(error) - 1 if at is None else at - 1
        beyond = np.flatnonzero(step > UNSTABLE)
        found.append((
            one.values["output_bias"], _bound(replica["max_norm"]), replica["lr"], replica["seed"],
            "–" if at is None else str(at), gain[before], step[before], np.nanmax(step[: before + 1]),
            str(beyond[0]) if beyond.size else "–", error[-1],
        ))  # fmt: skip
    return found
