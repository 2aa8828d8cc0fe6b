"""Bounds and schedules of `tourbillon-figures`: a second block that grows, and blocks that grow together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitsim.analysis.reports.maps import Map, draw_maps
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import build
from circuitsim.scenarios.figures import BANDS, MEANS, exhibit, last_numbers, mean, mean_and_sd, numbers
from circuitsim.scenarios.tourbillon import TourbillonSettings, design
from circuitsim.scenarios.tourbillon_figures.curves import later_panel
from circuitsim.scenarios.tourbillon_figures.series import Developed

FIGURES = {"mse/1": "block 1: error (mse)", "mse/2": "block 2: error (mse)", "error": "test error (%)"}


def bounds(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Map the error of block 2 for each bound on its hinge and each rate of its encoder."""
    (one,) = runs
    rates, limits = config["map_rates"], config["map_bounds"]
    curves = one.curves("mse/2", lambda r: f"bound {_bound(r['bounds'][1])}, rate {r['lr'][1]:g}")
    means = np.array([[mean(curves[f"bound {_bound(b)}, rate {rate:g}"][-1]) for b in limits] for rate in rates])
    ours = {
        (rates.index(config["lr"][1]), limits.index(config["bounds"][1])): "ours"
        for _ in range(config["lr"][1] in rates and config["bounds"][1] in limits)
    }
    mapped = Map(f"{one.dataset}: block 2", "bound of hinge neurons", "encoder rate",
                 [f"{rate:g}" for rate in rates], [_bound(b) for b in limits], means, ours)  # fmt: skip
    caption = (
        "Error of block 2's image of the hinge below, a mean over units and seeds after its last epoch; a dash is a "
        f"circuit that diverged. The decoder's rate is {config['decoder_lr'][1]:g}. A bound limits the norm of a hinge "
        "neuron's incoming synapses, which is local to the neuron."
    )
    table = last_numbers([("block 2", "mse/2", curves)], "circuit")
    image = draw_maps([mapped], "test error per unit (mse)")
    return [Exhibit("bounds", "A bound lets the second block grow", caption, table, image)]


def _bound(value: float) -> str:
    return f"{value:g}" if value else "none"


@dataclass(frozen=True)
class _Scheduled:
    """A schedule: last epochs of its stages, ticks between two examples, errors by metric, (epochs + 1, seeds)."""

    label: str
    ends: Mapping[str, int]
    ticks: int
    errors: Mapping[str, np.ndarray]

    @property
    def grown(self) -> int:
        """The last epoch of growth."""
        return max(end for name, end in self.ends.items() if name != "fine-tuning")


def _scheduled(one: Developed) -> list[_Scheduled]:
    """Return a schedule for each interval that a member varies; ticks are those of the first block's growth."""
    from circuitsim.timetable.schedule import make_schedule

    member, found = one.run.member, []
    schedule = "asynchronous, longer" if one.name.endswith("longer") else member.values.get("schedule", "sequential")
    for interval in member.vary.get("interval", [None]):
        own = {**member.values, "interval": interval, "seed": member.vary["seed"][0]}
        made = design(build(TourbillonSettings, own))
        ticks = make_schedule(made.circuit, made.stages[0].protocol).duration
        label = f"{schedule}, every {interval} ticks" if interval else schedule
        errors = {m: one.curves(m, lambda r: str(r.get("interval")))[str(interval)] for m in FIGURES}
        found.append(_Scheduled(label, one.ends(), ticks, errors))
    return found


def schedules(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare blocks that grow in sequence, with a lag, at once, and with examples that overlap."""
    timings = [timing for one in runs for timing in _scheduled(one)]
    longest = max(len(timing.errors["error"]) for timing in timings)
    series = [
        (runs[0].dataset, ylabel, {timing.label: _shown(timing, metric, longest) for timing in timings})
        for metric, ylabel in FIGURES.items()
    ]
    labels = [timing.label for timing in timings]
    image = draw_panels([later_panel(*one) for one in series], labels, what="Errors against the epoch, by schedule")
    stages = ". ".join(
        f"{c.label}: {', '.join(f'{name} to epoch {end}' for name, end in c.ends.items())}" for c in timings
    )
    caption = (
        "Errors of blocks are shown until growth ends. Each block, and the top, learns for the same number of epochs; "
        "longer: for as many as the sequential ones have together, while rates fall by the same factor in total. "
        f"{stages}. {BANDS}"
    )
    return [
        Exhibit("schedules", "Blocks that grow one by one or together", caption, numbers(series, "schedule"), image),
        _compared(timings),
    ]


def _shown(timing: _Scheduled, metric: str, length: int) -> np.ndarray:
    """Return a block's error until growth ends, or the test error to the end, filled with NaN up to a length."""
    values = timing.errors[metric][: None if metric == "error" else timing.grown + 1]
    return np.pad(values, ((0, length - len(values)), (0, 0)), constant_values=np.nan)


def _compared(timings: Sequence[_Scheduled]) -> Exhibit:
    """Compare each schedule with the first after growth, and after fine-tuning."""
    found, rows = [_ended(timing) for timing in timings], []
    for timing, ended in zip(timings, found, strict=True):
        cells = [
            text
            for values, first in zip(ended, found[0], strict=True)
            for text in (
                mean_and_sd(values),
                f"{100 * (values.mean() / first.mean() - 1):+.1f}" if values.size else "–",
            )
        ]
        rows.append((timing.label, timing.grown, timing.ticks, *cells))
    columns = ["schedule", "epochs of growth", "ticks from example to example"]
    for title in (*FIGURES.values(), "test error, tuned (%)"):
        columns += [title, f"% more than sequential: {title.partition(' (')[0]}"]
    caption = f"At the end of growth, the last columns after fine-tuning: {MEANS}."
    return exhibit("schedules-final", "Schedules compared", caption, columns, rows)


def _ended(timing: _Scheduled) -> list[np.ndarray]:
    """Return the errors after growth, and after fine-tuning if there is any."""
    tuned = timing.errors["error"][-1] if "fine-tuning" in timing.ends else np.zeros(0)
    return [*(timing.errors[metric][timing.grown] for metric in FIGURES), tuned]
