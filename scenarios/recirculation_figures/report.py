"""The report of `recirculation-figures`: each figure's exhibits, in the paper's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.runfolder import METRICS
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame
from circuitsim.scenarios.recirculation_figures.curves import (
    error_recirculation,
    figure_8,
    figure_9,
    figure_10,
    figures_4_to_6,
)
from circuitsim.scenarios.recirculation_figures.divergence import divergence
from circuitsim.scenarios.recirculation_figures.maps import cycle_pairs, lambdas, mixing
from circuitsim.scenarios.recirculation_figures.samples import figure_7
from circuitsim.scenarios.recirculation_figures.series import Measured
from circuitsim.scenarios.recirculation_figures.tables import optimum, orders, told

TITLE = "recirculation-figures – recirculation is random backpropagation, figure by figure"
COMPARED = ("figure-4", "figure-5", "figure-6")
_Maker = Callable[[list[Measured], Mapping[str, Any]], list[Exhibit]]
_MAKERS: Mapping[str, _Maker] = {
    "figure-4": lambda measured, _: figures_4_to_6(4, measured),
    "figure-5": lambda measured, _: figures_4_to_6(5, measured),
    "figure-6": lambda measured, _: figures_4_to_6(6, measured),
    "figure-7": lambda measured, _: figure_7(measured),
    "figure-8": lambda measured, _: figure_8(measured),
    "figure-9": lambda measured, _: figure_9(measured),
    "figure-10": lambda measured, _: figure_10(measured),
    "mixing": mixing,
    "lambdas": lambdas,
    "cycle-pairs": cycle_pairs,
    "error-recirculation": lambda measured, _: error_recirculation(measured),
    "divergence": lambda measured, _: divergence(measured),
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report of the members that ran."""
    metrics = read_frame(folder / METRICS)
    measured = [
        Measured(run, metrics[metrics["member"] == run.member.name]) for run in runs if (run.folder / METRICS).exists()
    ]
    exhibits = []
    for part, maker in _MAKERS.items():
        own = [one for one in measured if _part(one) == part]
        exhibits += maker(own, config) if own else []
    compared = [one for one in measured if _part(one) in COMPARED]
    if compared:
        exhibits += [orders(compared), *(e for e in (optimum(compared),) if e)]
    lead = f"Test errors at the end, least first. {'. '.join(told(compared))}." if compared else config["scenario"]
    write_portfolio(folder, TITLE, lead, exhibits, config, notes=notes_of(runs))


def _part(one: Measured) -> str:
    """The part that a member's name begins with: of `figure-10-...` not `figure-1`."""
    name = one.run.member.name
    return next(part for part in _MAKERS if name == part or name.startswith(f"{part}-"))
