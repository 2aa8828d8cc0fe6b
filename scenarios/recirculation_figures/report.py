"""The report of `recirculation-figures`, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import Measured, measured
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
from circuitsim.scenarios.recirculation_figures.tables import optimum, ranking, rule_order

TITLE = "recirculation-figures – recirculation as random backpropagation, figure by figure"
COMPARED = ("figure-4", "figure-5", "figure-6")
_Maker = Callable[[list[Measured], Mapping[str, Any]], list[Exhibit]]
_MAKERS: Mapping[str, _Maker] = {
    "figure-4": lambda ran, _: figures_4_to_6(4, ran),
    "figure-5": lambda ran, _: figures_4_to_6(5, ran),
    "figure-6": lambda ran, _: figures_4_to_6(6, ran),
    "figure-7": lambda ran, _: figure_7(ran),
    "figure-8": lambda ran, _: figure_8(ran),
    "figure-9": lambda ran, _: figure_9(ran),
    "figure-10": lambda ran, _: figure_10(ran),
    "mixing": mixing,
    "lambdas": lambdas,
    "cycle-pairs": cycle_pairs,
    "error-recirculation": lambda ran, _: error_recirculation(ran),
    "divergence": lambda ran, _: divergence(ran),
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report of the members that ran."""
    ran = measured(folder, runs)
    exhibits = []
    for part, maker in _MAKERS.items():
        own = [one for one in ran if _part(one) == part]
        exhibits += maker(own, config) if own else []
    compared = [one for one in ran if _part(one) in COMPARED]
    if compared:
        exhibits += [rule_order(compared), *optimum(compared)]
    lead = f"Test errors at the end, least first. {'. '.join(ranking(compared))}." if compared else config["scenario"]
    write_portfolio(folder, TITLE, lead, exhibits, config, notes=notes_of(runs))


def _part(one: Measured) -> str:
    """Return the part with whose name the member's begins."""
    return next(part for part in _MAKERS if f"{one.name}-".startswith(f"{part}-"))
