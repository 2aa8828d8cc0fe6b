"""Bounds and schedules of `tourbillon-figures`: what lets a second block grow, and blocks that grow together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitsim.analysis.reports.maps import Map, draw_maps
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import build
from circuitsim.scenarios.recirculation_figures.curves import BANDS
from circuitsim.scenarios.recirculation_figures.series import numbers, summary
from circuitsim.scenarios.tourbillon import TourbillonSettings, design
from circuitsim.scenarios.tourbillon_figures.curves import later_panel
from circuitsim.scenarios.tourbillon_figures.series import Developed, with_mean

FIGURES = {"mse/1": "block 1: error (mse)", "mse/2": "block 2: error (mse)", "error": "test error (%)"}


def bounds(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Block 2's error for each bound on its hinge and rate of its encoder."""
    (one,) = runs
    rates, limits = config["map_rates"], config["map_bounds"]
    curves = one.curves("mse/2", lambda r: f"bound {_bound(r['bounds'][1])}, rate {r['lr'][1]:g}")
    means = np.array([[summary(curves[f"bound {_bound(b)}, rate {rate:g}"][-1])[0] for b in limits] for rate in rates])
    ours = {
        (rates.index(config["lr"][1]), limits.index(config["bounds"][1])): "ours"
        for _ in range(config["lr"][1] in rates and config["bounds"][1] in limits)
    }
    mapped = Map(f"{one.dataset}: block 2", "bound of hinge neurons", "encoder rate",
                 [f"{rate:g}" for rate in rates], [_bound(b) for b in limits], means, ours)  # fmt: skip
    caption = (
        "Error of block 2's image of the hinge below, the mean over units and seeds after its last epoch; a dash is a "
        f"circuit that diverged. The decoder's rate is {config['decoder_lr'][1]:g}. A bound is on the norm of a hinge "
        "neuron's incoming synapses, which it knows by itself."
    )
    table = numbers([("block 2", "mse/2", {k: v[-1:] for k, v in curves.items()})], "circuit").drop(columns="epoch")
    image = draw_maps([mapped], "test error per unit (mse)")
    return [Exhibit("bounds", "A bound lets the second block grow", caption, table, image)]


def _bound(value: float) -> str:
    return f"{value:g}" if value else "none"


@dataclass(frozen=True)
class _Course:
    """A schedule: when what learns, ticks from one example to the next, errors by metric, (epochs + 1, seeds)."""

    label: str
    ends: Mapping[str, int]
    ticks: int
    errors: Mapping[str, np.ndarray]

    @property
    def grown(self) -> int:
        """The epoch with which growth ends."""
        return max(end for name, end in self.ends.items() if name != "fine-tuning")


def _courses(one: Developed) -> list[_Course]:
    """One for each interval of a member that varies it; ticks are those of the first block's growth."""
    from circuitsim.timetable.schedule import make_schedule

    member, found = one.run.member, []
    schedule = "asynchronous, longer" if one.name.endswith("longer") else member.values.get("schedule", "sequential")
    for interval in member.vary.get("interval", [None]):
        own = {**member.values, "interval": interval, "seed": member.vary["seed"][0]}
        made = design(build(TourbillonSettings, own))
        ticks = make_schedule(made.circuit, made.stages[0].protocol).duration
        label = f"{schedule}, every {interval} ticks" if interval else schedule
        errors = {m: one.curves(m, lambda r: str(r.get("interval")))[str(interval)] for m in FIGURES}
        found.append(_Course(label, one.ends(), ticks, errors))
    return found


def schedules(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Blocks that grow one after the other, with a lag, at once, and with examples that overlap."""
    courses = [course for one in runs for course in _courses(one)]
    longest = max(len(course.errors["error"]) for course in courses)
    series = [
        (runs[0].dataset, ylabel, {course.label: _shown(course, metric, longest) for course in courses})
        for metric, ylabel in FIGURES.items()
    ]
    labels = [course.label for course in courses]
    image = draw_panels([later_panel(*one) for one in series], labels, what="Errors against the epoch, by schedule")
    told = ". ".join(
        f"{c.label}: {', '.join(f'{name} to epoch {end}' for name, end in c.ends.items())}" for c in courses
    )
    caption = (
        "Errors of blocks are shown as long as anything grows. Every block, and the top, learns for the same number "
        "of epochs; longer: for as many as the sequential ones have together, while rates fall by the same in all. "
        f"{told}. {BANDS}"
    )
    return [
        Exhibit("schedules", "Blocks that grow one by one or together", caption, numbers(series, "schedule"), image),
        _compared(courses),
    ]


def _shown(course: _Course, metric: str, length: int) -> np.ndarray:
    """A block's error while it grows, the test error to the end; NaN up to a length."""
    values = course.errors[metric][: None if metric == "error" else course.grown + 1]
    return np.pad(values, ((0, length - len(values)), (0, 0)), constant_values=np.nan)


def _compared(courses: Sequence[_Course]) -> Exhibit:
    """After growth, and after fine-tuning: each schedule against the first."""
    import pandas as pd

    found, rows = [_ended(course) for course in courses], []
    for course, ended in zip(courses, found, strict=True):
        cells = [
            text
            for values, first in zip(ended, found[0], strict=True)
            for text in (with_mean(values), f"{100 * (values.mean() / first.mean() - 1):+.1f}" if values.size else "–")
        ]
        rows.append((course.label, course.grown, course.ticks, *cells))
    columns = ["schedule", "epochs of growth", "ticks from example to example"]
    for title in (*FIGURES.values(), "test error, tuned (%)"):
        columns += [title, f"% more than sequential: {title.partition(' (')[0]}"]
    caption = "At the end of growth, the last columns after fine-tuning: mean (standard deviation) over seeds."
    return Exhibit("schedules-final", "Schedules compared", caption, pd.DataFrame(rows, columns=columns))


def _ended(course: _Course) -> list[np.ndarray]:
    """The errors of growth, and that of fine-tuning, which has no numbers where there is none."""
    tuned = course.errors["error"][-1] if "fine-tuning" in course.ends else np.zeros(0)
    return [*(course.errors[metric][course.grown] for metric in FIGURES), tuned]
