"""Learning curves of `recirculation-figures`: figures 4 to 6 and 8 to 10, and recirculation of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.circuits.autoencoder import VARIANTS
from circuitsim.scenarios.figures import (
    BANDS,
    UNITS,
    Curves,
    Label,
    Measured,
    ends,
    epoch_panel,
    falling_panel,
    numbers,
)
from circuitsim.scenarios.recirculation_figures.members import RULES

CUT = "A seed that ran away is left out from where its error is above that before training; the numbers have it."
NAMES = {rule: rule.upper() for rule in RULES}


def panel_title(one: Measured) -> str:
    """Return the data set, the kind of units and the hidden layers."""
    hidden = one.values["sizes"][1:-1]
    alike = len(hidden) > 3 and len(set(hidden)) == 1
    shape = f"{len(hidden)} × {hidden[0]}" if alike else "-".join(map(str, hidden))
    return f"{one.dataset}, {'linear' if linear(one) else 'tanh'}, {shape}"


def linear(one: Measured) -> bool:
    """Return whether the units are linear."""
    return one.values.get("output") == "identity"


def objective(one: Measured) -> str:
    """Return the error that the top layer descends."""
    return "mse" if linear(one) else "bce"


def by_rule(replica: Mapping[str, Any]) -> str:
    """Return REC, BP, RBP, SRBP or TOP."""
    return NAMES[replica["rule"]]


def learning(name: str, title: str, measured: Sequence[Measured], label: Label, labels: Sequence[str]) -> list[Exhibit]:
    """Return a panel of the objective for each member, then all errors at the end as a table."""
    series = [(panel_title(one), objective(one), one.curves(objective(one), label)) for one in measured]
    panels = [falling_panel(panel, UNITS[metric], without_lost(curves)) for panel, metric, curves in series]
    image = draw_panels(panels, labels, what=f"{title}, against the epoch")
    metrics = [(one, metric) for one in measured for metric in (("mse",) if linear(one) else ("bce", "mse"))]
    both = [(panel_title(one), metric, one.curves(metric, label)) for one, metric in metrics]
    return [Exhibit(name, title, f"{BANDS} {CUT}", numbers(series, "label"), image), ends(name, title, both)]


def ran_away(curves: Curves) -> np.ndarray:
    """Return whether any rule diverged, or ended with no less error than it began with, (seed,)."""
    return np.asarray(np.logical_or.reduce([~(values[-1] < values[0]) for values in curves.values()]))


def without_lost(curves: Curves) -> Curves:
    """Return curves without seeds that ran away, from the epoch in which they did."""
    found = {}
    for label, values in curves.items():
        lost = np.logical_or.accumulate(~(values <= values[0]), axis=0) & ran_away({label: values})
        found[label] = np.where(lost, np.nan, values)
    return found


def figures_4_to_6(number: int, measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare REC, BP, RBP, SRBP and TOP."""
    title = f"Figure {number}: recirculation against backpropagation"
    return learning(f"figure-{number}", title, measured, by_rule, list(NAMES.values()))


def figure_9(measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare the five variants."""
    labels = [variant.upper() for variant in VARIANTS]
    title = "Figure 9: five ways to combine activities of two cycles"
    return learning("figure-9", title, measured, lambda replica: replica["variant"].upper(), labels)


def figure_10(measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare one to five recirculations."""
    return _labelled("figure-10", "Figure 10: recirculating several times", measured, lambda r: f"REC {r['cycles']}")


def error_recirculation(measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare recirculated outputs with recirculated errors, with biases and without."""
    title = "Error recirculation against output recirculation"
    return _labelled("error-recirculation", title, measured, _recirculated)


def _labelled(name: str, title: str, measured: Sequence[Measured], label: Label) -> list[Exhibit]:
    return learning(name, title, measured, label, list(dict.fromkeys(map(label, measured[0].replicas))))


def _recirculated(replica: Mapping[str, Any]) -> str:
    what = "outputs" if replica["rule"] == "rec" else "errors"
    return f"{what}, {'with' if replica['bias'] else 'no'} biases"


def figure_8(measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare layer-specific rates with uniform ones, with the gain and the step of the loop."""
    rec = next(one for one in measured if "lr" in one.run.member.vary)
    title, metric = panel_title(rec), objective(rec)
    curves = _all_curves(measured, metric, "test")
    loops = {m: _finite(_all_curves(measured, m, "train")) for m in LOOP}
    panels = [falling_panel(title, UNITS[metric], curves), *(loop_panel(m, found) for m, found in loops.items())]
    series = [(title, metric, curves), *((title, m, found) for m, found in loops.items())]
    name, heading = "figure-8", "Figure 8: rates that halve with each layer below the output"
    image = draw_panels(panels, [*curves, LIMIT], what=heading)
    caption = f"REC′ has the rate lr / 2^n in the n-th layer below the output. {LOOP_CAPTION} {BANDS}"
    last = ends(name, heading, series, caption="After the last epoch.")
    return [Exhibit(name, heading, caption, numbers(series, "label"), image), last]


def _all_curves(measured: Sequence[Measured], metric: str, split: str) -> Curves:
    return {label: values for one in measured for label, values in one.curves(metric, _rated, split).items()}


def _finite(curves: Curves) -> Curves:
    return {label: values for label, values in curves.items() if np.isfinite(values).any()}


def _rated(replica: Mapping[str, Any]) -> str:
    if "lr" in replica:
        return "REC′" if isinstance(replica["lr"], list) else "REC"
    return by_rule(replica)


LOOP = {"loop/gain": "gain of the loop", "loop/step": "step of the loop"}
LIMIT = "stable below"
UNSTABLE = 2.0  # a greater step reverses an error and makes it larger
LOOP_CAPTION = (
    "Gain: the largest eigenvalue of one turn around the loop, slopes of the units included. Step: the fraction of an "
    f"error that one update removes, to first order; beyond {UNSTABLE:g} errors grow from update to update."
)


def loop_panel(metric: str, curves: Curves, title: str = "") -> Panel:
    """Return a panel of the gain or the step on a logarithmic axis; with the step, the limit of stability."""
    shown = dict(curves)
    if metric == "loop/step":
        shown[LIMIT] = np.full((len(next(iter(curves.values()))), 1), UNSTABLE)
    found = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in shown.values()])
    low, high = found.min(), min(found.max(), 5 * UNSTABLE)
    limits = (low / 1.2, max(high * 1.2, low * 3))
    return epoch_panel(title or LOOP[metric], LOOP[metric], shown, logarithmic=True, limits=limits)
