"""Learning curves of `recirculation-figures`: figures 4 to 6 and 8 to 10, and outputs against errors recirculated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.circuits.autoencoder import VARIANTS
from circuitsim.scenarios.recirculation_figures.members import RULES
from circuitsim.scenarios.recirculation_figures.series import Curves, Label, Measured, ends, numbers

BANDS = (
    "Lines are means over seeds (of logarithms, as the axis), bands reach from the least to the greatest; epoch 0 is "
    "before training."
)
CUT = "A seed that ran away is left out from where its error is above that before training; the numbers have it."
UNITS = {"mse": "test error per unit (mse)", "bce": "test cross-entropy (nats)"}
SPLIT = "test"
NAMES = {rule: rule.upper() for rule in RULES}


def panel_title(one: Measured) -> str:
    """Data, kind of units, hidden layers."""
    values = one.run.member.values
    kind = "linear" if one.linear else "tanh"
    hidden = values["sizes"][1:-1]
    alike = len(hidden) > 3 and len(set(hidden)) == 1
    shape = f"{len(hidden)} × {hidden[0]}" if alike else "-".join(map(str, hidden))
    return f"{values['dataset']}, {kind}, {shape}"


def by_rule(replica: Mapping[str, Any]) -> str:
    """REC, BP, RBP, SRBP, TOP."""
    return NAMES[replica["rule"]]


def learning(name: str, title: str, measured: Sequence[Measured], label: Label, labels: Sequence[str]) -> list[Exhibit]:
    """A panel for each member, what it descends against the epoch; then the ends as a table."""
    series = [(panel_title(one), one.objective, one.curves(one.objective, label)) for one in measured]
    panels = [curves_panel(panel, UNITS[metric], still_there(curves)) for panel, metric, curves in series]
    image = draw_panels(panels, labels, what=f"{title}, against the epoch")
    both = [(panel_title(one), m, one.curves(m, label)) for one in measured for m in _metrics(one)]
    caption = "After the last epoch; seeds counts those that have not diverged."
    return [
        Exhibit(name, title, f"{BANDS} {CUT}", numbers(series, "label"), image),
        Exhibit(f"{name}-final", f"{title}: at the end", caption, ends(both, "label")),
    ]


def _metrics(one: Measured) -> tuple[str, ...]:
    return ("mse",) if one.linear else ("bce", "mse")


def curves_panel(title: str, ylabel: str, curves: Curves, **options: Any) -> Panel:
    """Curves on a logarithmic axis that ends a little above where they begin."""
    found = np.concatenate([values.reshape(-1) for values in curves.values()])
    first = np.concatenate([values[0] for values in curves.values()])
    low, high = np.nanmin(found), max(np.nanmax(first), np.nanmin(found) * 1.2)
    epochs = np.arange(len(next(iter(curves.values()))))
    return Panel(
        title, "epoch", ylabel, epochs, curves, logarithmic=True, limits=(low / 1.06, high * 1.06), whole="x", **options
    )


def ran_away(curves: Curves) -> np.ndarray:
    """The seeds in which a rule has diverged, or ended with no less than it began with, (seed,)."""
    return np.asarray(np.logical_or.reduce([~(values[-1] < values[0]) for values in curves.values()]))


def still_there(curves: Curves) -> Curves:
    """Curves without what seeds that ran away did from then on."""
    found = {}
    for label, values in curves.items():
        lost = np.logical_or.accumulate(~(values <= values[0]), axis=0) & ran_away({label: values})
        found[label] = np.where(lost, np.nan, values)
    return found


def figures_4_to_6(number: int, measured: Sequence[Measured]) -> list[Exhibit]:
    """REC, BP, RBP, SRBP and TOP."""
    title = f"Figure {number}: recirculation against backpropagation"
    return learning(f"figure-{number}", title, measured, by_rule, list(NAMES.values()))


def figure_9(measured: Sequence[Measured]) -> list[Exhibit]:
    """The five variants."""
    labels = [variant.upper() for variant in VARIANTS]
    title = "Figure 9: five ways to combine activities of two cycles"
    return learning("figure-9", title, measured, lambda replica: replica["variant"].upper(), labels)


def figure_10(measured: Sequence[Measured]) -> list[Exhibit]:
    """One to five recirculations."""
    title = "Figure 10: recirculating several times"
    labels = [_times(replica) for replica in measured[0].replicas]
    return learning("figure-10", title, measured, _times, list(dict.fromkeys(labels)))


def _times(replica: Mapping[str, Any]) -> str:
    return f"REC {replica['cycles']}"


def error_recirculation(measured: Sequence[Measured]) -> list[Exhibit]:
    """Outputs or errors recirculated, with biases and without."""
    title = "Error recirculation against output recirculation"
    labels = [_recirculated(replica) for replica in measured[0].replicas]
    return learning("error-recirculation", title, measured, _recirculated, list(dict.fromkeys(labels)))


def _recirculated(replica: Mapping[str, Any]) -> str:
    what = "outputs" if replica["rule"] == "rec" else "errors"
    return f"{what}, {'with' if replica['bias'] else 'no'} biases"


def figure_8(measured: Sequence[Measured]) -> list[Exhibit]:
    """Layer-specific rates against uniform ones, and how the loop answers meanwhile."""
    rec = next(one for one in measured if "lr" in one.run.member.vary)
    curves = {label: values for one in measured for label, values in one.curves(one.objective, _rated).items()}
    loops = {m: _known({k: v for one in measured for k, v in one.curves(m, _rated, "train").items()}) for m in LOOP}
    labels = list(curves)
    panels = [
        curves_panel(panel_title(rec), UNITS[rec.objective], curves),
        *(loop_panel(metric, found) for metric, found in loops.items()),
    ]
    series = [(panel_title(rec), rec.objective, curves), *((panel_title(rec), m, c) for m, c in loops.items())]
    title = "Figure 8: rates that halve with each layer below the output"
    image = draw_panels(panels, [*labels, LIMIT], what=title)
    caption = f"REC′ has the rate lr / 2^n in the n-th layer below the output. {LOOP_CAPTION} {BANDS}"
    return [
        Exhibit("figure-8", title, caption, numbers(series, "label"), image),
        Exhibit("figure-8-final", f"{title}: at the end", "After the last epoch.", ends(series, "label")),
    ]


def _known(curves: Curves) -> Curves:
    """Those that were measured."""
    return {label: values for label, values in curves.items() if np.isfinite(values).any()}


def _rated(replica: Mapping[str, Any]) -> str:
    if "lr" in replica:
        return "REC′" if isinstance(replica["lr"], list) else "REC"
    return by_rule(replica)


LOOP = {"loop/gain": "gain of the loop", "loop/step": "step of the loop"}
LIMIT = "stable below"
UNSTABLE = 2.0  # a step beyond which turns an error round and makes it larger
LOOP_CAPTION = (
    "Gain: the largest eigenvalue of a turn around the loop, slopes of the units included. Step: the share of an error "
    f"that one update takes away, to first order; beyond {UNSTABLE:g} errors grow from update to update."
)


def loop_panel(metric: str, curves: Curves, title: str = "") -> Panel:
    """The gain or the step on a logarithmic axis; with the step, what it must stay below."""
    epochs = len(next(iter(curves.values())))
    shown = dict(curves)
    if metric == "loop/step":
        shown[LIMIT] = np.full((epochs, 1), UNSTABLE)
    found = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in shown.values()])
    low, high = found.min(), min(found.max(), 5 * UNSTABLE)
    limits = (low / 1.2, max(high * 1.2, low * 3))
    return Panel(
        title or LOOP[metric], "epoch", LOOP[metric], np.arange(epochs), shown,
        logarithmic=True, limits=limits, whole="x",
    )  # fmt: skip
