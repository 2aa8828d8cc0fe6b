"""Figures and tables of classes that are learned one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.averages import summary
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.fields import CLASSES
from circuitsim.scenarios.figures import (
    BANDS,
    SUMMARY,
    Curves,
    epoch_panel,
    exhibit,
    known_labels,
    mean_and_sd,
    numbers,
)

CLASS = "error_class/"


def in_turn(ran: Sequence[Any]) -> list[Exhibit]:
    """Draw the error by class over epochs of members that learn one class in each epoch."""
    if not ran:
        return []
    series, rows = [], []
    for one in ran:
        by_class = [one.curves(f"{CLASS}{c}", _revisited) for c in range(CLASSES)]
        whole = one.curves("error", _revisited)
        for label, errors in whole.items():
            curves = {f"class {c}": found[label] for c, found in enumerate(by_class)}
            series.append((f"{one.network}, {one.rule}, {label}", "test error of a class (%)", curves))
            rows.append((one.network, one.rule, label, *_rounds(curves), *summary(errors[-1])))
    image = draw_panels([epoch_panel(*each) for each in series], known_labels(series), what="Error by class")
    title = "One class in each epoch: error by class"
    caption = (
        f"Epoch e shows class e − 1 modulo {CLASSES} alone, its examples over and over; where classes are revisited, "
        "that fraction of presentations shows examples of classes of earlier epochs. Epochs are as long as those of "
        f"mixed classes. {BANDS}"
    )
    columns = ["network", "rule", "presentations", "class just shown", "classes shown before", *SUMMARY]
    last = (
        "Test error in percent. Class just shown: mean over epochs of the error of the epoch's class at its end. "
        "Classes shown before: the same of those that earlier epochs have shown. The last columns are of all classes "
        "after the last epoch."
    )
    return [
        Exhibit("turns", title, caption, numbers(series, "class"), image),
        exhibit("turns-final", f"{title}, summed up", last, columns, rows),
    ]


def _revisited(replica: Any) -> str:
    share = 100 * replica["revisited"]
    return f"{share:g} % revisited" if share else "none revisited"


def _rounds(curves: Curves) -> tuple[str, str]:
    """Return the error of the class just shown, and that of the classes shown before it."""
    values = np.stack(list(curves.values()))  # (class, epoch, seed)
    shown, before = [], []
    for epoch in range(1, values.shape[1]):
        now = (epoch - 1) % len(values)
        others = [c for c in range(min(epoch - 1, len(values))) if c != now]
        shown.append(values[now, epoch])
        before += [values[others, epoch].mean(axis=0)] if others else []
    return mean_and_sd(np.mean(shown, axis=0)), mean_and_sd(np.mean(before, axis=0))
